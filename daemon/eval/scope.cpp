#include "daemon/eval/scope.hpp"

#include <fmt/format.h>

#include "daemon/eval/binder.hpp"
#include "daemon/eval/exceptions.hpp"
#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/number.hpp"
#include "daemon/eval/visualizer.hpp"

#include <algorithm>
#include <map>

namespace trapline::eval {

bool Scope::is_type(const sym::QualifiedName& name) const {
  const auto found = find(name);
  return !found.empty() && found[0].kind == sym::Symbol::Kind::type;
}

bool Scope::is_known(const sym::QualifiedName& name) const { return !find(name).empty(); }

FrameScope scope_of(const FrameView& frame, const FramePlace& place) {
  FrameScope scope(*frame.modules, place.scope, place.module, place.file_pc,
                   frame.visualizers == nullptr ? nullptr : frame.visualizers->intrinsics(frame));
  scope.at_frame(frame);
  return scope;
}

bool reads_as_rust(const FramePlace& place, std::string_view expression) {
  return place.scope && sym::unit_is_rust(place.scope) && expression.find_first_of("$@") == std::string_view::npos;
}

std::vector<const sym::Module*> search_order(const image::Modules& modules, const image::MappedModule* first) {
  std::vector<const sym::Module*> order;
  if (first != nullptr && first->symbols) order.push_back(first->symbols.get());
  for (const image::MappedModule* module : modules.all())
    if (module != first && module->symbols) order.push_back(module->symbols.get());
  return order;
}

FrameScope::FrameScope(const image::Modules& modules, sym::DieRef scope, const image::MappedModule* module,
                       std::uint64_t file_pc, Intrinsics* intrinsics)
    : mapped_(modules), modules_(search_order(modules, module)), scope_(scope), pc_(file_pc), intrinsics_(intrinsics) {}

namespace {

// Names that every program means alike, for programs whose own DWARF does not mention them.
const sym::Type* well_known_type(const sym::QualifiedName& name) {
  using sym::Builtin;
  static const std::map<std::string_view, Builtin> known{
      {"size_t", Builtin::unsigned_long},    {"ssize_t", Builtin::long_},          {"ptrdiff_t", Builtin::long_},
      {"int8_t", Builtin::signed_char},      {"uint8_t", Builtin::unsigned_char},  {"int16_t", Builtin::short_},
      {"uint16_t", Builtin::unsigned_short}, {"int32_t", Builtin::int_},           {"uint32_t", Builtin::unsigned_int},
      {"int64_t", Builtin::long_},           {"uint64_t", Builtin::unsigned_long}, {"intptr_t", Builtin::long_},
      {"uintptr_t", Builtin::unsigned_long}};
  const bool plain = name.parts.size() == 1 || (name.parts.size() == 2 && name.parts[0] == "std");
  if (!plain || !name.file.empty()) return nullptr;
  const auto found = known.find(name.parts.back());
  if (found == known.end()) return nullptr;
  static std::map<std::string_view, const sym::Type*> made;
  const sym::Type*& type = made[found->first];
  if (type == nullptr) type = sym::make_alias(std::string(found->first), sym::builtin(found->second));
  return type;
}

}  // namespace

std::vector<sym::Symbol> FrameScope::find(const sym::QualifiedName& name) const {
  const std::string key = name.text();
  for (const auto& [text, symbols] : found_)
    if (text == key) return symbols;
  std::vector<sym::Symbol> symbols = sym::lookup(from(), name);
  if (symbols.empty())
    if (const sym::Type* type = well_known_type(name)) {
      sym::Symbol symbol;
      symbol.kind = sym::Symbol::Kind::type;
      symbol.name = key;
      symbol.type = type;
      symbols.push_back(std::move(symbol));
    }
  found_.emplace_back(key, symbols);
  return symbols;
}

const sym::Type* FrameScope::complete(const sym::Type* type) const { return type->complete(modules_); }

std::optional<sym::Variable> FrameScope::this_variable() const {
  if (auto self = sym::this_of(scope_)) return self;
  return sym::captured_this(scope_);
}

std::vector<std::string> FrameScope::similar(std::string_view name) const {
  return sym::similar_names(from(), name, 3);
}

std::optional<ElfObject> FrameScope::elf_object(std::string_view name) const {
  for (const sym::Module* module : modules_)
    for (const sym::ElfSymbol& symbol : module->symbols_named(name))
      if (symbol.address != 0)
        return ElfObject{FileAddr{module->id(), symbol.address}, symbol.size, sym::demangle(symbol.name),
                         symbol.function};
  return std::nullopt;
}

std::optional<sym::Symbol> FrameScope::static_member(const sym::Type* record, const sym::Member& member) const {
  return sym::static_member(record, member, modules_);
}

namespace {

// Constructors and destructors by their kind (Itanium C++ ABI, 5.1.4.3): 0 for what also gives the memory back (D0),
// which nobody calls for an object on the stack, and for a destructor of which it is not known whether it does; the
// more, the better for a complete object.
int fitness(std::string_view linkage, bool destructor) {
  if (destructor && (linkage.empty() || linkage.ends_with("D0Ev"))) return 0;
  return linkage.ends_with("D1Ev") || linkage.find("C1E") != linkage.npos ? 2 : 1;
}

std::string linkage_of(const sym::Module& module, const sym::Function& function) {
  if (!function.linkage_name.empty()) return function.linkage_name;
  const auto symbol = module.symbol_at(function.entry);
  return symbol && symbol->address == function.entry ? symbol->name : "";
}

// Of a class whose code is in a library without debug information. `name`: with all namespaces.
std::optional<FileAddr> destructor_symbol(std::span<const sym::Module* const> modules, const std::string& name) {
  for (const std::string_view kind : {"D1Ev", "D2Ev"})
    for (const sym::Module* module : modules)
      for (const sym::ElfSymbol& symbol : module->symbols_named(name))
        if (symbol.function && symbol.address != 0 && symbol.name.ends_with(kind) &&
            sym::demangle(symbol.name) == name + "()")
          return FileAddr{module->id(), symbol.address};
  return std::nullopt;
}

// What a name finds may be of a class of that name in another namespace: its `this` tells.
bool same_parameter(const sym::Parameter& a, const sym::Parameter& b) {
  if (a.artificial != b.artificial) return false;
  if (!a.artificial) return same_type(a.type, b.type);
  const sym::Type *to = a.type->strip()->target(), *other = b.type->strip()->target();
  return to != nullptr && other != nullptr && same_type(to->strip(), other->strip());
}

}  // namespace

std::optional<FileAddr> FrameScope::member_code(const std::string& name, const sym::Type* function) const {
  const auto wanted = function->parameters();
  const bool destructor = name.find("::~") != std::string::npos;
  std::optional<FileAddr> best;
  int best_fitness = 0;
  for (const sym::Module* module : modules_) {
    for (const sym::Function& each : module->functions_named(name)) {
      const sym::Type* type = each.die ? sym::function_type(each.die) : nullptr;
      if (type == nullptr || each.entry == 0) continue;
      const auto have = type->parameters();
      // A constructor of a class with virtual bases has parameters of the compiler's; who asks knows better.
      const bool same = have.size() == wanted.size() && std::ranges::equal(have, wanted, same_parameter);
      if (!same) continue;
      if (const int fits = fitness(linkage_of(*module, each), destructor); fits > best_fitness) {
        best = FileAddr{module->id(), each.entry};
        best_fitness = fits;
      }
    }
    if (best) return best;  // another module's class of that name may be another class
  }
  return destructor ? destructor_symbol(modules_, name) : std::nullopt;
}

std::shared_ptr<const VariablePlace> FrameScope::variable_place(const sym::Symbol& variable) const {
  if (variable.gone || !variable.die) return nullptr;
  auto locations = sym::locations_of(variable.die);
  if (!locations) return nullptr;
  if (!frame_base_) {
    frame_base_.emplace();
    if (auto bases = scope_ ? sym::frame_bases_of(scope_) : fail(Errc::not_available, ""))
      *frame_base_ = std::make_shared<const sym::LocationList>(*std::move(bases));
  }
  return std::make_shared<const VariablePlace>(VariablePlace{*std::move(locations), *frame_base_});
}

Result<Scope::Exception> FrameScope::exception() const {
  const auto thrown = frame_ == nullptr || frame_->stack == nullptr
                          ? std::nullopt
                          : uncaught(*frame_->stack, *frame_->memory, *frame_->modules);
  if (!thrown)
    return fail(Errc::not_available, "$_exception: this thread was not ended by an exception that nobody caught");
  // As C++ reads it: `char const*` and `ns::Error` alike.
  const std::string text = fmt::format("({} *)0", thrown->type);
  const auto syntax = parse(text, *this);
  auto pointer =
      syntax ? bind(**syntax, text, *this, {.side_effects = false}) : Result<NodePtr>(std::unexpected(syntax.error()));
  if (!pointer || (*pointer)->type->strip()->kind() != sym::TypeKind::pointer)
    return fail(Errc::not_available,
                fmt::format("$_exception is of type {}, which no debug information at hand describes", thrown->type));
  return Exception{(*pointer)->type->strip()->target(), thrown->type};
}

std::vector<std::string> FrameScope::visible(std::string_view prefix, std::size_t limit) const {
  return sym::visible_names(from(), prefix, limit);
}

std::vector<std::string> FrameScope::within(const sym::QualifiedName& scope, std::size_t limit) const {
  return sym::names_within(from(), scope, limit);
}

bool FrameScope::c_rules() const { return scope_ && !sym::unit_is_cplusplus(scope_); }

std::string FrameScope::place() const {
  const std::string name = scope_ ? sym::qualified_name(scope_) : "";
  return name.empty() ? "here" : "in " + name;
}

}  // namespace trapline::eval
