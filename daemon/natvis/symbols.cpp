// What tells more of a value than its type: the name of a function or object that it points to (std::any's manager is
// called by the type that it manages), and <MostDerivedType>.
#include "daemon/eval/frame_context.hpp"
#include "daemon/natvis/inside.hpp"
#include "daemon/sym/module.hpp"

namespace trapline::natvis {

namespace {

// As DWARF has them: the class template that the function at `at` is a member of has the types that its name spells,
// also those that nobody can spell (lambdas).
std::vector<Capture> from_class(const image::Modules& modules, LoadAddr at, std::string_view pattern) {
  const image::MappedModule* module = modules.find(at);
  if (module == nullptr || !module->symbols) return {};
  const auto function = module->symbols->function_at(at.value - module->bias);
  if (!function || function->entry != at.value - module->bias || !function->die) return {};
  const sym::Type* record = sym::member_of(function->die).record;
  const std::size_t colon = pattern.rfind("::");
  if (record == nullptr || colon == std::string_view::npos) return {};
  auto found = match(parse_name(pattern.substr(0, colon)), parse_name(record->name()), record);
  return found ? *std::move(found) : std::vector<Capture>{};
}

// Functions of the same code may be folded into one (--icf): each of their names then stands there, or local ones of
// the same name, and which of them was meant is not known.
bool several_at(const image::MappedModule& module, std::uint64_t at, std::string_view plain) {
  std::string_view known;
  const auto symbols = module.symbols->symbols_beginning_at(at);
  for (const auto& each : symbols) {
    if (each.size == 0) continue;  // a mark of the linker's or the assembler's
    if (sym::demangle(each.name) != plain || (each.name == known && !each.global)) return true;
    known = each.name;
  }
  return false;
}

}  // namespace

TypeUse* Engine::Inside::by_symbol(const Reading& on, const Guard& guard, const eval::Value& subject) {
  TypeUse& use = on.use.without_symbols();
  const auto value = reading(use).run(guard.symbol, subject);
  if (!value) return nullptr;
  const auto at = eval::pointer_bits(*view_.memory, *value);
  if (!at || *at == 0) return nullptr;
  const auto symbol = view_.modules->symbol_at(LoadAddr{*at});
  if (!symbol) return nullptr;
  // A vtable's address is that of its first function, behind two words (C++ ABI for Itanium, 2.5.2).
  const std::uint64_t offset = symbol->first.starts_with("vtable for ") ? 16 : 0;
  if (symbol->second.value != offset) return nullptr;
  const image::MappedModule* module = view_.modules->find(LoadAddr{*at});
  if (module == nullptr || several_at(*module, *at - module->bias - offset, symbol->first)) return nullptr;
  auto found = match_symbol(guard.symbol_name, symbol->first);
  if (!found) return nullptr;
  const auto typed = from_class(*view_.modules, LoadAddr{*at}, guard.symbol_name);
  for (std::size_t i = 0; i < found->size(); ++i) {
    Capture& each = (*found)[i];
    if (typed.size() == found->size()) each.type = typed[i].type;
    if (each.type == nullptr) each.type = use.type_named(binding_, this, each.text);
  }
  return &use.with_symbols(*std::move(found));
}

std::optional<eval::Value> Engine::Inside::most_derived(const eval::Value& value) {
  if (value.raw || value.as_declared || value.visual || value.is_problem() || nesting > 16) return std::nullopt;
  const auto seen = see(value);
  if (!seen) return std::nullopt;
  for (const MostDerived& each : seen->use->visual.most_derived) {
    const auto through = applies(reading(*seen->use), each.guard, seen->subject);
    if (!through) continue;
    auto object = through->run(each.expression, seen->subject);
    if (!object) continue;
    const sym::Type* type = object->type->strip();
    if (type->kind() == sym::TypeKind::pointer || object->type->is_reference()) {
      const auto at = eval::pointer_bits(*view_.memory, *object);
      if (!at || *at == 0) continue;
      object = eval::in_memory(type->target(), LoadAddr{*at});
    }
    type = object->type->strip()->complete(modules_);
    if (type->kind() != sym::TypeKind::record || type == value.type->strip()->complete(modules_)) return std::nullopt;
    object->type = type;
    object->as_declared = each.ignore_vtable;
    object->view_name = value.view_name;
    return *std::move(object);
  }
  return std::nullopt;
}

}  // namespace trapline::natvis
