#pragma once
// Inside the room only: what a Type is made of, and what is remembered about a module.
#include <elfutils/libdw.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/sym/type.hpp"

namespace trapline::sym {

inline constexpr int max_type_depth = 64;  // longer chains of types are taken for damaged (cyclic) ones

struct Type::Parts {
  TypeKind kind = TypeKind::unknown;
  DieRef die;
  unsigned level = 0;  // of an array DIE with several dimensions: which one this is
  bool cplusplus = true;
  bool rust = false;

  // Filled at once for types of our own, on the first question for types from DWARF.
  bool basics_read = false;
  Encoding encoding = Encoding::none;
  bool quad = false;
  std::optional<std::uint64_t> byte_size;
  std::uint64_t alignment = 0;  // 0: natural
  Qualifier qualifier = Qualifier::const_;
  RecordKey key = RecordKey::struct_;
  bool declaration = false, scoped = false, variadic = false, prototyped = true, vector = false;
  std::string tag_name;  // DW_AT_name, without namespaces
  std::optional<std::uint64_t> count;
  bool dynamic_count = false;
  std::int64_t lower_bound = 0;

  bool target_read = false;
  const Type* target = nullptr;
  bool record_read = false;
  const Type* record = nullptr;

  bool children_read = false;
  std::vector<Member> members;
  std::vector<Enumerator> enumerators;
  std::vector<Parameter> parameters;
  std::vector<TemplateArgument> arguments;
  std::unique_ptr<VariantPart> variants;
  bool flags = false;

  std::optional<std::string> name;
  std::optional<bool> has_vtable;
  const Type* definition = nullptr;
  std::size_t definition_asked = 0;  // of how many modules; 0: never

  std::unique_ptr<Type> pointer, lvalue_reference, rvalue_reference, const_, volatile_;
  std::map<std::optional<std::uint64_t>, std::unique_ptr<Type>> arrays;

  void read_basics();
  void read_children();

 private:
  void read_array(const void* die);
  void read_template_argument(const void* opaque);
  void read_record(const void* die);
  void read_enumeration(const void* die);
  void read_function(const void* die);
  void read_variants(const void* die);
};

class ScopeNames;

struct ModuleIdentity {
  ModuleId id;
  const std::byte* file = nullptr;
  std::size_t size = 0;
  std::ptrdiff_t sample_at = 0;
  std::vector<std::byte> sample;
};

// What is remembered about one module. Modules have no slot for it, so memo_of() keeps a table by address and notices a
// new module at an old address by its identity. Nodes hold no pointer into libdw's memory.
struct ModuleMemo {
  struct Key {
    std::uint64_t offset = 0;
    std::uint32_t file = 0;
    bool function = false;  // the function type of a subprogram DIE
    unsigned level = 0;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::uint64_t>{}(key.offset * 8 + key.level * 2 + key.file * 0x9e3779b97f4a7c15U) ^
             (key.function ? 0x9e3779b9U : 0U);
    }
  };
  ModuleIdentity identity;
  std::unordered_map<Key, std::unique_ptr<Type>, Hash> types;
  std::shared_ptr<ScopeNames> names;
  std::optional<std::map<std::uint64_t, DieRef>> rust_vtables;  // by file address: the type that it is of
};
ModuleMemo& memo_of(const Module& module);

const Type* type_of_die(const Module& module, const Dwarf_Die& die);  // what its DW_AT_type names
const Type* own_type(std::unique_ptr<Type::Parts> parts);             // kept for ever
std::string declare(const Type* type, std::string inner, int depth = 0);

}  // namespace trapline::sym
