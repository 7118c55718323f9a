// Names: what a name of the program is, members of objects and classes, and what to say about names that nothing has.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "daemon/eval/binder_impl.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Member;
using sym::Symbol;
using sym::Type;
using sym::TypeKind;

Result<NodePtr> Binder::name(const Syntax& syntax) {
  if (auto known = name_in_visualizer(syntax)) return std::move(*known);
  const std::vector<Symbol> found = scope_.find(syntax.name);
  if (!found.empty()) {
    switch (found[0].kind) {
      case Symbol::Kind::function: return function(found, syntax);
      case Symbol::Kind::type: return bad(syntax, "this is a type; a value is wanted");
      case Symbol::Kind::namespace_: return bad(syntax, "this is a namespace; a value is wanted");
      case Symbol::Kind::member: {
        if (const auto self = scope_.this_variable(); self && is_record(self->type->strip()->target())) {
          // What a lambda captured lies in its closure (clang), and not in the object that it captured.
          const Type* closure = complete(self->type->strip()->target());
          if (sym::has_field(closure, "this") && sym::has_field(closure, syntax.name.parts.back())) {
            TL_TRY(NodePtr pointer,
                   symbol({Symbol::Kind::variable, "this", self->die, self->type, std::nullopt, self->gone, false},
                          syntax));
            TL_TRY(NodePtr captured, dereference_of(std::move(pointer), syntax));
            return member_in(std::move(captured), syntax.name.parts.back(), syntax);
          }
        }
        TL_TRY(NodePtr object, this_object(syntax));
        return member_in(std::move(object), syntax.name.parts.back(), syntax);
      }
      default: return symbol(found[0], syntax);
    }
  }
  if (auto member = member_of_class(syntax, false)) return std::move(*member);
  if (syntax.name.parts.size() == 1)
    if (const auto object = scope_.elf_object(syntax.name.parts[0])) return elf_object(*object, nullptr, syntax);
  return unknown_name(syntax);
}

Result<NodePtr> Binder::unknown_name(const Syntax& syntax) {
  const std::string text = syntax.name.text();
  std::string message = fmt::format("no symbol `{}` {}", text, scope_.place());
  if (syntax.name.parts.size() == 1) {
    const auto near = scope_.similar(syntax.name.parts[0]);
    if (!near.empty()) {
      std::vector<std::string> quoted;
      for (const std::string& candidate : near) quoted.push_back("`" + candidate + "`");
      message += fmt::format("; did you mean {}?", fmt::join(quoted, " or "));
    }
  }
  return fail(Errc::bad_expression, std::move(message));
}

Result<NodePtr> Binder::symbol(const Symbol& symbol, const Syntax& syntax) {
  if (symbol.kind == Symbol::Kind::enumerator) {
    auto node = make(NodeKind::constant, symbol.type, syntax);
    const std::uint64_t value = symbol.value.value_or(0);
    node->bytes =
        store_number(symbol.type, {.floating = false, .integer = static_cast<std::int64_t>(value), .real = 0});
    return node;
  }
  if (symbol.declaration) {
    // Declared in the DWARF at hand, defined in code without any: ELF knows where.
    const std::string linkage = sym::linkage_name_of(symbol.die);
    if (const auto object = scope_.elf_object(linkage.empty() ? symbol.name : linkage))
      return elf_object(*object, symbol.type, syntax);
    if (symbol.gone) return fail(Errc::not_available, fmt::format("`{}`: optimized out", symbol.name));
    return fail(Errc::not_available,
                fmt::format("`{}` is declared, but no module that is loaded defines it", symbol.name));
  }
  auto node = make(NodeKind::variable, symbol.type, syntax);
  node->symbol = symbol;
  node->place = scope_.variable_place(symbol);
  node->lvalue = true;
  return follow(std::move(node), syntax);
}

Result<NodePtr> Binder::function(const std::vector<Symbol>& found, const Syntax& syntax) {
  std::set<std::string> names;
  const Symbol* chosen = nullptr;
  for (const Symbol& candidate : found) {
    if (candidate.kind != Symbol::Kind::function) continue;
    std::string linkage = sym::linkage_name_of(candidate.die);
    names.insert(linkage.empty() ? candidate.name : linkage);
    const bool better = chosen == nullptr || (!sym::code_address(chosen->die) && sym::code_address(candidate.die));
    if (better) chosen = &candidate;
  }
  if (names.size() > 1) {
    std::vector<std::string> shown;
    for (const std::string& linkage : names) shown.push_back(sym::demangle(linkage));
    return fail(Errc::bad_expression, fmt::format("`{}` is overloaded: {}", written(syntax), fmt::join(shown, "; ")));
  }
  const auto code = sym::code_address(chosen->die);
  if (!code) {
    const std::string linkage = sym::linkage_name_of(chosen->die);
    if (const auto object = scope_.elf_object(linkage.empty() ? chosen->name : linkage))
      return elf_object(*object, chosen->type, syntax);
    return fail(Errc::not_available,
                fmt::format("`{}` has no code of its own: every call of it was inlined, or it is defined elsewhere",
                            chosen->name));
  }
  auto node = make(NodeKind::function, chosen->type, syntax);
  node->symbol = *chosen;
  node->file_address = {chosen->die.module->id(), *code};
  node->lvalue = true;
  return node;
}

Result<NodePtr> Binder::elf_object(const ElfObject& object, const Type* type, const Syntax& syntax) {
  static const Type* unknown_function = sym::make_function(sym::builtin(Builtin::unknown), {}, true);
  if (object.function) {
    auto node = make(NodeKind::function, type != nullptr ? type : unknown_function, syntax);
    node->file_address = object.address;
    node->lvalue = true;
    return node;
  }
  auto node = make(NodeKind::data_symbol, type != nullptr ? type : sym::builtin(Builtin::unknown), syntax);
  node->file_address = object.address;
  node->lvalue = true;
  return follow(std::move(node), syntax);
}

std::unexpected<Error> Binder::needs_cast(const Node& node) const {
  return fail_hint(Errc::bad_expression,
                   fmt::format("`{}` has no debug information, so its type is not known", node.text),
                   fmt::format("cast it: (int){} or *(T*)&{}", node.text, node.text));
}

// `Class::field`: a member pointer after &, a member of *this elsewhere.
std::optional<Result<NodePtr>> Binder::member_of_class(const Syntax& syntax, bool for_address) {
  if (syntax.name.parts.size() < 2) return std::nullopt;
  sym::QualifiedName outer = syntax.name;
  outer.parts.pop_back();
  const auto found = scope_.find(outer);
  if (found.empty() || found[0].kind != Symbol::Kind::type || !is_record(found[0].type)) return std::nullopt;
  const Type* record = complete(found[0].type);
  const std::string& field = syntax.name.parts.back();
  if (!sym::has_field(record, field)) {
    for (const Member& candidate : record->members())
      if (candidate.kind == Member::Kind::static_ && candidate.name == field)
        if (const auto variable = scope_.static_member(record, candidate)) return symbol(*variable, syntax);
    return missing_member(record, field, syntax);
  }
  if (!for_address) {
    if (!scope_.this_variable() && scope_.subject() == nullptr)
      return bad(syntax, fmt::format("`{}` is a member of {}: it needs an object", field, record->name()));
    auto object = this_object(syntax);
    if (!object) return std::unexpected(object.error());
    auto part = cast_lvalue(std::move(*object), record, CastStyle::c, syntax);
    if (!part) return std::unexpected(part.error());
    return member_in(std::move(*part), field, syntax);
  }
  for (const Member& candidate : record->members()) {
    if (candidate.name != field || candidate.kind != Member::Kind::field) continue;
    if (candidate.bit_size != 0) return bad(syntax, "a bit-field has no address");
    auto node = make(NodeKind::constant, sym::make_member_pointer(record, candidate.type), syntax);
    node->bytes = store_number(sym::builtin(Builtin::long_),
                               {.floating = false, .integer = static_cast<Int128>(candidate.offset), .real = 0});
    return node;
  }
  return bad(syntax, "a pointer to an inherited member is named through the base class");
}

// ---- members

Result<NodePtr> Binder::this_pointer(const Syntax& syntax) {
  const auto self = scope_.this_variable();
  if (!self) return bad(syntax, fmt::format("there is no object {}", scope_.place()));
  TL_TRY(NodePtr pointer,
         symbol({Symbol::Kind::variable, "this", self->die, self->type, std::nullopt, self->gone, false}, syntax));
  // In clang's lambdas `this` is the closure, and what it captured a member of that name.
  const Type* closure = complete(pointer->type->strip()->target());
  if (!is_record(closure) || !sym::has_field(closure, "this")) return pointer;
  TL_TRY(NodePtr object, dereference_of(std::move(pointer), syntax));
  return member_in(std::move(object), "this", syntax);
}

Result<NodePtr> Binder::this_object(const Syntax& syntax) {
  if (scope_.subject() != nullptr) return subject(syntax);
  if (!scope_.this_variable()) return bad(syntax, "this is a member, and there is no object here");
  TL_TRY(NodePtr pointer, this_pointer(syntax));
  pointer->text = "this";
  return dereference_of(std::move(pointer), syntax);
}

NodePtr Binder::through(NodePtr object, const Member& member, const Syntax& syntax) {
  const bool base = member.kind == Member::Kind::base || member.kind == Member::Kind::virtual_base;
  const bool lvalue = object->lvalue;
  // [expr.ref]: a member of a const object is const; a reference's referee is what it is.
  const Type* type = object->type->is_const() && !member.type->is_const() && !member.type->is_reference()
                         ? member.type->const_of()
                         : member.type;
  auto node = make(base ? NodeKind::base : NodeKind::member, type, syntax, std::move(object));
  node->member = &member;
  node->lvalue = lvalue;
  return base ? std::move(node) : follow(std::move(node), syntax);
}

namespace {

struct Found {
  std::vector<const Member*> path;  // through anonymous members and bases
  const Type* record = nullptr;     // that has it
};

// All paths to members of that name; a derived class's hides its bases'.
void find_paths(const Type* record, const std::string& name, const Scope& scope, std::vector<const Member*>& path,
                std::vector<Found>& out, int depth) {
  if (depth > 32) return;
  record = scope.complete(record->strip());
  const std::size_t before = out.size();
  for (const Member& member : record->members()) {
    const bool field = member.kind == Member::Kind::field || member.kind == Member::Kind::static_;
    if (!field) continue;
    path.push_back(&member);
    if (member.name == name)
      out.push_back({path, record});
    else if (member.name.empty() && is_record(member.type))
      find_paths(member.type, name, scope, path, out, depth + 1);
    path.pop_back();
    if (out.size() > before) return;
  }
  for (const Member& member : record->members()) {
    if (member.kind != Member::Kind::base && member.kind != Member::Kind::virtual_base) continue;
    path.push_back(&member);
    find_paths(member.type, name, scope, path, out, depth + 1);
    path.pop_back();
  }
}

void member_names(const Type* record, const Scope& scope, std::set<std::string>& names, int depth) {
  if (depth > 16) return;
  for (const Member& member : scope.complete(record->strip())->members()) {
    const bool base = member.kind == Member::Kind::base || member.kind == Member::Kind::virtual_base;
    if (!base && !member.name.empty()) names.insert(member.name);
    if (base || member.name.empty()) member_names(member.type, scope, names, depth + 1);
  }
}

}  // namespace

bool Binder::has_member(const Type* record, const std::string& member) const {
  std::vector<const Member*> path;
  std::vector<Found> found;
  find_paths(record, member, scope_, path, found, 0);
  return !found.empty();
}

Result<NodePtr> Binder::missing_member(const Type* record, const std::string& member, const Syntax&) {
  if (record->declaration())
    return fail(
        Errc::not_available,
        fmt::format("{} is only declared in the debug information at hand: its members are not known", record->name()));
  std::set<std::string> names;
  member_names(record, scope_, names, 0);
  std::string best;
  std::size_t distance = member.size() <= 2 ? 2 : 4;
  for (const std::string& candidate : names)
    if (const std::size_t d = sym::edit_distance(member, candidate, distance); d < distance && d < candidate.size()) {
      best = candidate;
      distance = d;
    }
  return fail(Errc::bad_expression, fmt::format("no member `{}` in {}{}", member, record->name(),
                                                best.empty() ? "" : fmt::format("; did you mean `{}`?", best)));
}

Result<NodePtr> Binder::member_in(NodePtr object, const std::string& member, const Syntax& syntax) {
  const Type* record = complete(object->type);
  std::vector<const Member*> path;
  std::vector<Found> found;
  find_paths(record, member, scope_, path, found, 0);
  if (found.empty()) return missing_member(record, member, syntax);
  // Several ways to one member of a virtual base are one; else C++ calls it ambiguous.
  for (const Found& other : found)
    if (other.path.back() != found[0].path.back())
      return bad(syntax, fmt::format("`{}` is ambiguous: {} and {} have one", member, found[0].record->name(),
                                     other.record->name()));
  if (found.size() > 1) {
    bool through_virtual = true;
    for (const Found& other : found) {
      bool any = false;
      for (const Member* step : other.path) any = any || step->kind == Member::Kind::virtual_base;
      through_virtual = through_virtual && any;
    }
    if (!through_virtual)
      return bad(syntax,
                 fmt::format("`{}` is ambiguous: {} is a base more than once", member, found[0].record->name()));
  }
  for (const Member* step : found[0].path) {
    if (step->kind == Member::Kind::static_) {
      const auto variable = scope_.static_member(found[0].record, *step);
      if (!variable)
        return fail(Errc::not_available,
                    fmt::format("static member `{}` has no definition in the modules that are loaded", member));
      return symbol(*variable, syntax);
    }
    object = through(std::move(object), *step, syntax);
  }
  return object;
}

Result<NodePtr> Binder::member(const Syntax& syntax) {
  const Syntax& left = *syntax.kids[0];
  TL_TRY(NodePtr object, bind(left));
  if (is_unknown(object->type)) return needs_cast(*object);
  // A dot after a pointer means the arrow: nothing else could be meant.
  if (is_pointer(object->type) || is_array(object->type)) {
    object = decayed(std::move(object), left);
    if (!syntax.flag &&
        !is_record(object->type->strip()->kind() == TypeKind::pointer ? object->type->strip()->target() : object->type))
      return bad(syntax, fmt::format("{} has no members", object->type->name()));
    TL_TRY(object, dereference_of(std::move(object), left));
    object = follow(std::move(object), left);
  } else if (syntax.flag && is_record(object->type)) {
    TL_TRY(object, arrow(std::move(object), left));
    if (object->kind == NodeKind::follow || object->kind == NodeKind::dereference) {
      if (!is_record(object->type)) return bad(syntax, fmt::format("{} has no members", object->type->name()));
      return member_in(std::move(object), syntax.name.parts.back(), syntax);
    }
    return fail_hint(Errc::unsupported,
                     fmt::format("`{}`: {} is no pointer, and its operator-> is not called from here", written(syntax),
                                 object->type->name()),
                     "use `.` and the member that holds the pointer");
  }
  if (!is_record(object->type)) return bad(syntax, fmt::format("{} has no members", object->type->name()));
  // object.Base::member
  if (syntax.name.parts.size() > 1) {
    sym::QualifiedName base = syntax.name;
    base.parts.pop_back();
    const auto found = scope_.find(base);
    const Type* target = !found.empty() && found[0].kind == Symbol::Kind::type ? found[0].type : nullptr;
    if (target == nullptr) return bad(syntax, fmt::format("no class `{}` here", base.text()));
    TL_TRY(object, cast_lvalue(std::move(object), target, CastStyle::static_, syntax));
  }
  return member_in(std::move(object), syntax.name.parts.back(), syntax);
}

}  // namespace trapline::eval
