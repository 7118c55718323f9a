#pragma once
// Functions by name. Matching is pure text; the index is built over all units when a name is first asked for.
#include <elfutils/libdw.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trapline::sym {

class DebugInfo;

// What a user wrote: "run", "Class::run", "::run", "max<int>", "f(int, char const*)", "operator()".
struct NameQuery {
  bool anchored = false;                  // "::f": no scope may stand before the first component
  std::vector<std::string> components;    // without blanks that mean nothing
  std::optional<std::string> parameters;  // normalised, without the parentheses
};
NameQuery parse_name(std::string_view text);
// By suffix of components. A component without template arguments fits one with any; anonymous and inline namespaces of
// the candidate may be left out in the query.
bool name_fits(const NameQuery& query, std::string_view qualified_name);
// True where the query has no parameter list, or `demangled` has none (C), or they are equal.
bool parameters_fit(const NameQuery& query, std::string_view demangled);

std::vector<std::string_view> split_scopes(std::string_view name);  // "a::b<c::d>::e" -> a, b<c::d>, e
// A component without its template arguments: "max<int>" -> "max", "operator<< <char>" -> "operator<<".
std::string_view without_template_arguments(std::string_view component);

class NameIndex {
 public:
  explicit NameIndex(DebugInfo& info) : info_(info) {}
  struct Entry {
    std::string_view base;  // last component, without template arguments
    Dwarf_Die die{};
    std::uint32_t unit = 0;
    bool concrete = false;  // has code; else the abstract root of inlined calls
  };
  std::vector<Entry> with_base(std::string_view base);
  const std::vector<Entry>& all();  // ordered by base

 private:
  void build();
  void collect(const Dwarf_Die& parent, std::uint32_t unit, bool into_classes, int depth);

  DebugInfo& info_;
  bool built_ = false;
  std::vector<Entry> entries_;
};

}  // namespace trapline::sym
