#pragma once
// Functions by name. Matching is pure text; the index is built over all units when a name is first asked for.
#include <elfutils/libdw.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/index/image.hpp"
#include "daemon/sym/regex.hpp"

namespace trapline::sym {

class DebugInfo;
class ElfModule;

// What a user wrote: "run", "Class::run", "::run", "max<int>", "f(int, char const*)", "operator()", "f::<lambda(int)>",
// "<T as Trait>::f", "ns::get_*", "/^ns::(get|set)_/".
struct NameQuery {
  bool anchored = false;                  // "::f": no scope may stand before the first component
  std::vector<std::string> components;    // without blanks that mean nothing
  std::vector<std::string> of_trait;      // Rust's "<T as Trait>::f": Trait, f; `components` has T, f
  std::optional<std::string> parameters;  // as written, without the parentheses
  std::shared_ptr<const Regex> regex;     // "/text/": found anywhere in the qualified name; nothing else is set
  std::string problem;                    // why it is no regular expression
  bool every_name() const;                // no base to ask an index for: each name has to be looked at
  std::string_view base() const;          // the last component without template arguments
};
NameQuery parse_name(std::string_view text);
// By suffix of components. A component without template arguments fits one with any; anonymous and inline namespaces of
// the candidate may be left out in the query, and the parameters of functions that enclose it.
bool name_fits(const NameQuery& query, std::string_view qualified_name);
// True where the query has no parameter list, or `demangled` has none (C), or they are equal.
bool parameters_fit(const NameQuery& query, std::string_view demangled);

std::vector<std::string_view> split_scopes(std::string_view name);  // "a::b<c::d>::e" -> a, b<c::d>, e
// A component without its template arguments: "max<int>" -> "max", "operator<< <char>" -> "operator<<".
std::string_view without_template_arguments(std::string_view component);

// A function's DIE against all of the query, its parameters too.
bool die_fits(const ElfModule& module, const Dwarf_Die& die, const NameQuery& query);
// The same where the qualified name is known: without looking for the scopes in the tree, which is read to know them.
bool die_fits(const ElfModule& module, const Dwarf_Die& die, const std::string& qualified, const NameQuery& query);
bool die_parameters_fit(const ElfModule& module, const Dwarf_Die& die, const NameQuery& query);

class NameIndex {
 public:
  explicit NameIndex(DebugInfo& info) : info_(info) {}
  struct Entry {
    std::string_view base;  // last component, without template arguments
    Dwarf_Die die{};
    std::uint32_t unit = 0;
    bool concrete = false;    // has code; else the abstract root of inlined calls
    std::string qualified{};  // with its scopes, where an index knows all of them by name; else empty
    std::shared_ptr<const index::Index> part{};  // the partial index that named it
  };
  std::vector<Entry> of(const NameQuery& query);  // what the query may mean, by its base; all where it has none
  std::vector<Entry> with_base(std::string_view base);
  std::vector<Entry> containing(std::string_view text);  // whose base does
  std::vector<Entry> all();
  // "ns::S::run"; empty where a scope has no name of its own.
  static std::string qualified(const index::Index& index, const index::Index::Entry& entry);

 private:
  void build();
  // False: an entry is not what the index says.
  bool add(const index::Index& index, std::span<const index::Index::Entry> entries, std::vector<Entry>& found);
  const index::Index* usable();
  void collect(const Dwarf_Die& parent, std::uint32_t unit, bool into_classes, int depth);

  DebugInfo& info_;
  bool built_ = false;
  std::vector<Entry> entries_;
};

}  // namespace trapline::sym
