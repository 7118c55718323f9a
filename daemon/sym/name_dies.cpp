// A function's DIE against what a user wrote: by the names that DWARF and the linker know it by, and by its parameters
// as they are declared (a typedef's name is in the DIE only) or as the linkage name has them.
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/name_text.hpp"
#include "daemon/sym/names.hpp"
#include "daemon/sym/type.hpp"

namespace trapline::sym {
namespace {

std::string declared_list(const DieRef& function) {
  std::string list;
  for (const auto& parameter : function_type(function)->parameters())
    if (!parameter.artificial && parameter.type != nullptr) list += (list.empty() ? "" : ",") + parameter.type->name();
  return list;
}

}  // namespace

bool die_fits(const ElfModule& module, const Dwarf_Die& die, const NameQuery& query) {
  if (name_fits(query, qualified_name(module, die))) return die_parameters_fit(module, die, query);
  // Rust's DIE of a method is in "{impl#0}"; the linkage name says of which type and trait.
  const char* linkage = linkage_name(die);
  const std::string plain = linkage ? demangle(linkage) : std::string{};
  return plain.starts_with('<') && name_fits(query, without_parameters(plain)) &&
         die_parameters_fit(module, die, query);
}

bool die_fits(const ElfModule& module, const Dwarf_Die& die, const std::string& qualified, const NameQuery& query) {
  if (qualified.empty()) return die_fits(module, die, query);
  if (name_fits(query, qualified)) return die_parameters_fit(module, die, query);
  const char* linkage = linkage_name(die);
  return linkage && demangle(linkage).starts_with('<') && die_fits(module, die, query);
}

bool die_parameters_fit(const ElfModule& module, const Dwarf_Die& die, const NameQuery& query) {
  if (!query.parameters) return true;
  const char* linkage = linkage_name(die);
  const std::string plain = linkage ? demangle(linkage) : std::string{};
  const auto list = parameters_of(plain);
  return (list && same_list(*query.parameters, *list)) ||
         same_list(*query.parameters, declared_list(make_ref(module, die)));
}

}  // namespace trapline::sym
