// Calls: which function is meant, and its arguments converted to what it takes. References are passed as addresses, so
// an argument for one is a node of pointer type; what lies nowhere in the program becomes a `temporary`.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "daemon/eval/binder_impl.hpp"
#include "daemon/eval/overload.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Member;
using sym::Method;
using sym::Symbol;
using sym::Type;
using sym::TypeKind;

namespace {

// Parameters as the user writes them: without `this`.
std::vector<const Type*> written_parameters(const Type* function) {
  std::vector<const Type*> types;
  for (const sym::Parameter& parameter : function->parameters())
    if (!parameter.artificial) types.push_back(parameter.type);
  return types;
}

std::string signature(const std::string& name, const Type* function) {
  std::vector<std::string> parameters;
  for (const Type* type : written_parameters(function)) parameters.push_back(type->name());
  if (function->variadic()) parameters.emplace_back("...");
  return fmt::format("{}({})", name, fmt::join(parameters, ", "));
}

// "ns::inner::Class<a::b>" -> {"ns", "inner"}
std::vector<std::string> namespaces_of(const std::string& name) {
  std::vector<std::string> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i + 1 < name.size(); ++i) {
    if (name[i] == '<' || name[i] == '(') ++depth;
    if (name[i] == '>' || name[i] == ')') --depth;
    if (depth == 0 && name[i] == ':' && name[i + 1] == ':') {
      parts.push_back(name.substr(begin, i - begin));
      begin = ++i + 1;
    }
  }
  return parts;
}

const Type* record_behind(const Type* type) {
  type = type->strip();
  if (type->kind() == TypeKind::pointer) type = type->target()->strip();
  return is_record(type) || is_enumeration(type) ? type : nullptr;
}

}  // namespace

namespace {

// How libstdc++ lays its strings out: {char *; size; union {char[16]; capacity}}, and its views: {size; char *}.
struct TextLayout {
  std::size_t pointer = 0, length = 0;
  std::optional<std::size_t> capacity;
};
std::optional<TextLayout> text_layout(const Type* record) {
  TextLayout layout;
  bool pointer = false, length = false;
  for (const Member& member : record->members()) {
    if (member.name == "_M_dataplus" || member.name == "_M_str") {
      pointer = true;
      layout.pointer = member.offset;
    } else if (member.name == "_M_string_length" || member.name == "_M_len") {
      length = true;
      layout.length = member.offset;
    } else if (member.name.empty() && is_record(member.type)) {
      layout.capacity = member.offset;
    }
  }
  const std::string name = record->short_name();
  const bool string = name.starts_with("basic_string<") && record->size() == 32 && layout.capacity == 16;
  const bool view = name.starts_with("basic_string_view<") && record->size() == 16;
  if (!pointer || !length || (!string && !view)) return std::nullopt;
  if (view) layout.capacity.reset();
  return layout;
}

bool holds_text(const Type* record, const Type* character) {
  const auto arguments = record->template_arguments();
  return text_layout(record).has_value() && !arguments.empty() && arguments[0].type != nullptr &&
         same_type(arguments[0].type->strip(), character->strip());
}

}  // namespace

// One function that a call may mean.
struct Binder::Candidate {
  std::string name;
  const Type* type = nullptr;
  sym::DieRef die;
  std::string linkage;
  bool object = false;                // takes `this`
  const Type* record = nullptr;       // whose method it is
  std::vector<const Member*> path;    // from the object's class to `record`
  bool constant = false;              // its `this` points to const
  std::optional<std::uint64_t> slot;  // virtual
};

// ---- candidates

Binder::Candidate Binder::candidate_of(const Symbol& symbol) const {
  Candidate made;
  made.name = symbol.name;
  made.type = symbol.type;
  made.die = symbol.die;
  made.linkage = sym::linkage_name_of(symbol.die);
  return made;
}

// Of that name in the class, or in the bases that it inherits it from; a derived class's hide its bases'.
void Binder::methods_named(const Type* record, const std::string& name, std::vector<const Member*>& path,
                           std::vector<Candidate>& out, int depth) const {
  if (depth > 32) return;
  record = complete(record);
  const std::size_t before = out.size();
  for (const Method& method : sym::methods_of(record)) {
    const bool instance =
        method.name.starts_with(name + "<") && name.find('<') == std::string::npos && !name.starts_with("operator");
    if ((method.name != name && !instance) || method.deleted) continue;
    Candidate made;
    made.name = record->name() + "::" + method.name;
    made.type = method.type;
    made.die = method.die;
    made.linkage = method.linkage_name;
    made.object = method.object;
    made.record = record;
    made.path = path;
    if (method.is_virtual) made.slot = method.slot;
    if (method.object) {
      const Type* self = method.type->parameters()[0].type->strip();
      made.constant = self->kind() == TypeKind::pointer && self->target()->is_const();
    }
    out.push_back(std::move(made));
  }
  if (out.size() > before) return;
  for (const Member& member : record->members()) {
    if (member.kind == Member::Kind::field && member.name == name) return;
    if (member.kind != Member::Kind::base && member.kind != Member::Kind::virtual_base) continue;
    path.push_back(&member);
    methods_named(member.type, name, path, out, depth + 1);
    path.pop_back();
  }
}

// Free functions of that name: where the name is looked up, and in the namespaces of the arguments' types.
void Binder::functions_named(const sym::QualifiedName& name, const std::vector<NodePtr>& arguments,
                             std::vector<Candidate>& out) const {
  const auto add = [&](const std::vector<Symbol>& found) {
    for (const Symbol& symbol : found) {
      if (symbol.kind != Symbol::Kind::function || symbol.type == nullptr || sym::member_of(symbol.die).object)
        continue;
      Candidate made = candidate_of(symbol);
      const auto same = std::ranges::find_if(out, [&](const Candidate& known) {
        return known.linkage.empty() && made.linkage.empty()
                   ? known.name == made.name && same_type(known.type, made.type)
                   : known.linkage == made.linkage;
      });
      if (same == out.end())
        out.push_back(std::move(made));
      else if (!sym::code_address(same->die) && sym::code_address(made.die))
        *same = std::move(made);
    }
  };
  add(scope_.find(name));
  if (name.parts.size() != 1 || name.global || !name.file.empty()) return;
  for (const NodePtr& argument : arguments) {
    const Type* record = record_behind(argument->type);
    if (record == nullptr) continue;
    sym::QualifiedName there{.parts = namespaces_of(record->name()), .global = true, .file = {}};
    if (there.parts.empty()) continue;
    there.parts.push_back(name.parts[0]);
    add(scope_.find(there));
  }
}

// ---- resolution

namespace {

std::string given(const std::vector<NodePtr>& arguments) {
  std::vector<std::string> types;
  for (const NodePtr& argument : arguments) types.push_back(argument->type->name());
  return fmt::format("({})", fmt::join(types, ", "));
}

}  // namespace

std::optional<std::vector<Conversion>> Binder::conversions(const Candidate& candidate, const Node* object,
                                                           const std::vector<NodePtr>& arguments) const {
  const Classes classes{
      .complete = [this](const Type* type) { return complete(type); },
      .steps_to_base = [this](const Type* derived, const Type* base) { return path_to_base(derived, base).size(); },
      .holds_text = [this](const Type* record,
                           const Type* character) { return holds_text(complete(record), character); }};
  const auto parameters = written_parameters(candidate.type);
  const bool open = candidate.type->variadic() || (!candidate.type->prototyped() && parameters.empty());
  if (arguments.size() < parameters.size() || (arguments.size() > parameters.size() && !open)) return std::nullopt;
  std::vector<Conversion> row;
  if (object != nullptr) {
    Conversion self;
    if (candidate.object) {
      if (object->type->is_const() && !candidate.constant) return std::nullopt;
      self.worse = static_cast<std::uint8_t>((candidate.constant && !object->type->is_const() ? 1 : 0) +
                                             std::min<std::size_t>(candidate.path.size() * 2, 100));
    }
    row.push_back(self);
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (i >= parameters.size()) {
      row.push_back(ellipsis_conversion());
      continue;
    }
    const auto way = conversion_to(*arguments[i], parameters[i], classes);
    if (!way) return std::nullopt;
    row.push_back(*way);
  }
  return row;
}

std::unexpected<Error> Binder::none_fits(const std::string& name, const std::vector<Candidate>& all,
                                         const std::vector<NodePtr>& arguments, const Syntax& syntax) const {
  std::vector<std::string> shown;
  bool too_few = false, needs_class = false;
  for (const Candidate& each : all) {
    const auto parameters = written_parameters(each.type);
    too_few = too_few || arguments.size() < parameters.size();
    for (std::size_t i = 0; i < std::min(parameters.size(), arguments.size()); ++i) {
      const Type* wanted = parameters[i]->is_reference() ? parameters[i]->strip()->target() : parameters[i];
      needs_class = needs_class || (is_record(wanted) && !is_record(arguments[i]->type));
    }
    if (shown.size() < 8) shown.push_back(signature(each.name, each.type));
  }
  std::string message =
      all.size() == 1 ? fmt::format("`{}`: {} cannot be called with {}", written(syntax), shown[0], given(arguments))
                      : fmt::format("`{}`: no `{}` can be called with {}: {}", written(syntax), name, given(arguments),
                                    fmt::join(shown, "; "));
  std::string hint;
  if (too_few)
    hint = "give every argument: debug information does not hold default ones";
  else if (needs_class)
    hint = "an object of class type would need its constructor, which is not run from here: name one of the program's";
  return fail_hint(Errc::bad_expression, std::move(message), std::move(hint));
}

Result<NodePtr> Binder::resolved_call(const std::string& name, const std::vector<Candidate>& all, NodePtr object,
                                      std::vector<NodePtr> arguments, bool direct, const Syntax& syntax) {
  std::vector<std::vector<Conversion>> rows;
  std::vector<const Candidate*> viable;
  for (const Candidate& each : all)
    if (auto row = conversions(each, object.get(), arguments)) {
      rows.push_back(*std::move(row));
      viable.push_back(&each);
    }
  if (viable.empty()) return none_fits(name, all, arguments, syntax);
  auto best = best_of(rows);
  if (!best && viable.size() > 1) {
    // Declarations of one function in several units are one.
    const bool one = std::ranges::all_of(
        viable, [&](const Candidate* each) { return !each->linkage.empty() && each->linkage == viable[0]->linkage; });
    if (one) best = 0;
  }
  if (!best) {
    std::vector<std::string> shown;
    for (const Candidate* each : viable) shown.push_back(signature(each->name, each->type));
    return bad(syntax, fmt::format("the call is ambiguous: {}", fmt::join(shown, "; ")));
  }
  return call_of(*viable[*best], std::move(object), std::move(arguments), direct, syntax);
}

// The function's code, as a node.
Result<NodePtr> Binder::code_of(const Candidate& chosen, const Syntax& syntax) const {
  auto node = make(NodeKind::function, chosen.type, syntax);
  node->text = chosen.name;
  node->lvalue = true;
  if (const auto code = sym::code_address(chosen.die)) {
    node->symbol = {Symbol::Kind::function, chosen.name, chosen.die, chosen.type, std::nullopt, false, false};
    node->file_address = {chosen.die.module->id(), *code};
    return node;
  }
  const auto object = scope_.elf_object(chosen.linkage.empty() ? chosen.name : chosen.linkage);
  if (!object || !object->function)
    return fail(Errc::not_available,
                fmt::format("`{}` has no code of its own: every call of it was inlined, or nothing instantiated it",
                            signature(chosen.name, chosen.type)));
  node->file_address = object->address;
  return node;
}

Result<NodePtr> Binder::call_of(const Candidate& chosen, NodePtr object, std::vector<NodePtr> arguments, bool direct,
                                const Syntax& syntax) {
  const bool is_virtual = chosen.slot && !direct;
  NodePtr callee;
  if (is_virtual) {
    callee = make(NodeKind::constant, sym::builtin(Builtin::null_pointer), syntax);
    callee->bytes.resize(8);
  } else {
    TL_TRY(callee, code_of(chosen, syntax));
  }
  auto node = make(NodeKind::call, sym::builtin(Builtin::void_), syntax, std::move(callee));
  if (is_virtual) {
    node->flag = true;
    node->offset = static_cast<std::int64_t>(*chosen.slot);
  }
  if (chosen.object) {
    for (const Member* step : chosen.path) object = through(std::move(object), *step, syntax);
    node->kids.push_back(address_for_call(std::move(object), !chosen.constant, syntax));
  }
  return finish_call(std::move(node), chosen.type, std::move(arguments), syntax);
}

// ---- arguments

NodePtr Binder::address_for_call(NodePtr value, bool changes, const Syntax& syntax) const {
  const Type* pointer = value->type->pointer_to();
  const bool bit_field = value->kind == NodeKind::member && value->member->bit_size != 0;
  const bool in_memory = value->lvalue && !bit_field && value->kind != NodeKind::register_;
  const bool in_place = changes && value->lvalue;
  auto node = make(NodeKind::temporary, pointer, syntax, std::move(value));
  node->text = node->kids[0]->text;
  node->flag = in_memory;  // where it lies in memory, that is what is meant; a register's value becomes a temporary
  node->in_place = in_place;
  return node;
}

// A library string over a literal. It owns nothing: for who keeps no more than the characters.
NodePtr Binder::text_object(NodePtr literal, const Type* record, const Syntax& syntax) const {
  const auto layout = *text_layout(record);
  const std::size_t unit = literal->type->strip()->target()->size().value_or(1);
  const std::uint64_t length = literal->bytes.size() / unit - 1;
  auto node = make(NodeKind::text_object, record, syntax);
  node->bytes.resize(static_cast<std::size_t>(record->size().value_or(0)));
  std::memcpy(node->bytes.data() + layout.length, &length, sizeof length);
  if (layout.capacity) std::memcpy(node->bytes.data() + *layout.capacity, &length, sizeof length);
  node->offset = static_cast<std::int64_t>(layout.pointer);
  node->kids.push_back(std::move(literal));
  return node;
}

Result<NodePtr> Binder::argument_for(NodePtr argument, const Type* parameter, const Syntax& syntax) {
  const std::string text = argument->text;
  if (argument->kind == NodeKind::string) {
    const Type* wanted = complete(parameter->is_reference() ? parameter->strip()->target() : parameter);
    const Type* character = argument->type->strip()->target();
    const bool copied = !parameter->is_reference() && is_record(wanted) && scope_.by_reference(wanted);
    if (is_record(wanted) && !copied && holds_text(wanted, character)) {
      auto made = text_object(std::move(argument), wanted, syntax);
      return parameter->is_reference() ? address_for_call(std::move(made), false, syntax) : std::move(made);
    }
  }
  if (parameter->is_reference()) {
    const Type* referee = parameter->strip()->target();
    const bool same = same_type(complete(argument->type), complete(referee));
    if (!same && is_record(referee) && is_record(argument->type)) {
      TL_TRY(argument, cast_lvalue(std::move(argument), referee, CastStyle::static_, syntax));
    } else if (!same) {
      TL_TRY(argument, convert(std::move(argument), referee, syntax));
    }
    const bool changes = !referee->is_const() && parameter->strip()->kind() == TypeKind::lvalue_reference;
    if (changes && (!argument->lvalue || argument->kind == NodeKind::register_))
      return bad(syntax, fmt::format("`{}` lies nowhere that `{}` could refer to", text, parameter->name()));
    return address_for_call(std::move(argument), !referee->is_const(), syntax);
  }
  const Type* plain = complete(parameter);
  if (is_record(plain)) {
    if (scope_.by_reference(plain))
      return fail_hint(Errc::unsupported,
                       fmt::format("`{}`: `{}` is passed by value, and a copy of it needs its constructor, which is "
                                   "not run from here",
                                   text, plain->name()),
                       "call a function that takes a reference or a pointer");
    if (!same_type(complete(argument->type), plain)) {
      TL_TRY(argument, cast_lvalue(std::move(argument), plain, CastStyle::static_, syntax));
    }
    return argument;
  }
  if (argument->kind == NodeKind::string) {
    auto node = make(NodeKind::temporary, parameter->unqualified(), syntax, std::move(argument));
    return node;
  }
  return convert(std::move(argument), parameter, syntax);
}

// Where no parameter says what is wanted: C's default argument promotions.
Result<NodePtr> Binder::promoted_argument(NodePtr argument, const Syntax& syntax) {
  if (argument->kind == NodeKind::string) {
    const Type* pointer = argument->type->strip()->target()->pointer_to();
    return make(NodeKind::temporary, pointer, syntax, std::move(argument));
  }
  argument = decayed(std::move(argument), syntax);
  const Type* type = argument->type->strip();
  if (is_unknown(type)) return needs_cast(*argument);
  if (is_floating(type) && type->size().value_or(8) < 8)
    return converted(std::move(argument), sym::builtin(Builtin::double_), syntax);
  if (is_integral(type) || (is_enumeration(type) && !type->scoped()))
    return converted(std::move(argument), promoted(type), syntax);
  if (is_record(type) && scope_.by_reference(complete(type)))
    return fail(Errc::unsupported,
                fmt::format("`{}`: an object of `{}` cannot be passed to `...`", argument->text, type->name()));
  return argument;
}

Result<NodePtr> Binder::finish_call(NodePtr node, const Type* function, std::vector<NodePtr> arguments,
                                    const Syntax& syntax) {
  const auto parameters = written_parameters(function);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Syntax& at = i + 1 < syntax.kids.size() ? *syntax.kids[i + 1] : syntax;
    if (i < parameters.size()) {
      TL_TRY(NodePtr argument, argument_for(std::move(arguments[i]), parameters[i], at));
      node->kids.push_back(std::move(argument));
    } else {
      TL_TRY(NodePtr argument, promoted_argument(std::move(arguments[i]), at));
      node->kids.push_back(std::move(argument));
    }
  }
  const Type* result = function->target();
  if (is_unknown(result))
    return fail_hint(Errc::bad_expression,
                     fmt::format("`{}`: what the function returns is not known", node->kids[0]->text),
                     fmt::format("cast it to its type: ((int (*)(int)){})(...)", node->kids[0]->text));
  node->type = result;
  return follow(std::move(node), syntax);
}

// ---- the call, as it was written

Result<std::vector<NodePtr>> Binder::bound_arguments(const Syntax& syntax) {
  std::vector<NodePtr> arguments;
  for (std::size_t i = 1; i < syntax.kids.size(); ++i) {
    TL_TRY(NodePtr argument, bind(*syntax.kids[i]));
    if (argument->type->strip()->kind() == TypeKind::void_) return bad(*syntax.kids[i], "this has no value");
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

// A function, a pointer to one, or an object with operator().
Result<NodePtr> Binder::call_value(NodePtr callee, std::vector<NodePtr> arguments, const Syntax& syntax) {
  if (is_record(callee->type)) {
    std::vector<Candidate> all;
    std::vector<const Member*> path;
    methods_named(callee->type, "operator()", path, all, 0);
    if (all.empty()) return bad(syntax, fmt::format("`{}` is no function", callee->type->name()));
    return resolved_call("operator()", all, std::move(callee), std::move(arguments), false, syntax);
  }
  const Type* type = callee->type->strip();
  const bool member = callee->kind == NodeKind::member_pointer;
  if (type->kind() == TypeKind::pointer) type = type->target()->strip();
  if (type->kind() != TypeKind::function) {
    if (is_unknown(type)) return needs_cast(*callee);
    return bad(syntax, fmt::format("`{}` is no function", callee->type->name()));
  }
  if (callee->kind == NodeKind::function && is_unknown(type->target()))
    return fail_hint(Errc::bad_expression,
                     fmt::format("`{}` has no debug information: what it takes and returns is not known", callee->text),
                     fmt::format("cast it to its type: ((int (*)(int)){})(...)", callee->text));
  Candidate only;
  only.name = callee->text;
  only.type = type;
  if (!conversions(only, nullptr, arguments)) return none_fits(callee->text, {only}, arguments, syntax);
  if (!member) callee = decayed(std::move(callee), syntax);
  auto node = make(NodeKind::call, type->target(), syntax, std::move(callee));
  return finish_call(std::move(node), type, std::move(arguments), syntax);
}

Result<NodePtr> Binder::call_member(const Syntax& callee, std::vector<NodePtr> arguments, const Syntax& syntax) {
  TL_TRY(NodePtr object, bind(*callee.kids[0]));
  if (callee.flag || is_pointer(object->type)) {
    TL_TRY(object, arrow(std::move(object), *callee.kids[0]));
  }
  if (is_unknown(object->type)) return needs_cast(*object);
  if (!is_record(object->type)) return bad(callee, fmt::format("{} has no members", object->type->name()));
  const bool qualified = callee.name.parts.size() > 1;  // object.Base::f(): not through the vtable
  if (qualified) {
    sym::QualifiedName base = callee.name;
    base.parts.pop_back();
    const auto found = scope_.find(base);
    const Type* target = !found.empty() && found[0].kind == Symbol::Kind::type ? found[0].type : nullptr;
    if (target == nullptr) return bad(callee, fmt::format("no class `{}` here", base.text()));
    TL_TRY(object, cast_lvalue(std::move(object), target, CastStyle::static_, syntax));
  }
  const std::string& name = callee.name.parts.back();
  std::vector<Candidate> all;
  std::vector<const Member*> path;
  methods_named(object->type, name, path, all, 0);
  if (all.empty()) {
    TL_TRY(NodePtr field, member_in(std::move(object), name, callee));
    return call_value(std::move(field), std::move(arguments), syntax);
  }
  return resolved_call(name, all, std::move(object), std::move(arguments), qualified, syntax);
}

// f(...) where f is a member of the class that we are in.
std::optional<Result<NodePtr>> Binder::call_own_member(const Syntax& callee, std::vector<NodePtr>& arguments,
                                                       const Syntax& syntax) {
  if (!scope_.this_variable() || callee.name.global || !callee.name.file.empty()) return std::nullopt;
  auto object = this_object(callee);
  if (!object) return std::nullopt;
  const bool qualified = callee.name.parts.size() > 1;
  if (qualified) {
    sym::QualifiedName base = callee.name;
    base.parts.pop_back();
    const auto found = scope_.find(base);
    if (found.empty() || found[0].kind != Symbol::Kind::type || !is_record(found[0].type)) return std::nullopt;
    if (!same_type(complete((*object)->type), complete(found[0].type)) &&
        path_to_base((*object)->type, found[0].type).empty())
      return std::nullopt;
    object = cast_lvalue(*std::move(object), found[0].type, CastStyle::static_, syntax);
    if (!object) return std::unexpected(object.error());
  }
  std::vector<Candidate> all;
  std::vector<const Member*> path;
  methods_named((*object)->type, callee.name.parts.back(), path, all, 0);
  if (all.empty()) return std::nullopt;
  return resolved_call(callee.name.parts.back(), all, *std::move(object), std::move(arguments), qualified, syntax);
}

// Class::f(...) of a static member function.
std::optional<Result<NodePtr>> Binder::call_static_member(const Syntax& callee, std::vector<NodePtr>& arguments,
                                                          const Syntax& syntax) {
  if (callee.name.parts.size() < 2) return std::nullopt;
  sym::QualifiedName outer = callee.name;
  outer.parts.pop_back();
  const auto found = scope_.find(outer);
  if (found.empty() || found[0].kind != Symbol::Kind::type || !is_record(found[0].type)) return std::nullopt;
  std::vector<Candidate> all, fit;
  std::vector<const Member*> path;
  methods_named(found[0].type, callee.name.parts.back(), path, all, 0);
  if (all.empty()) return std::nullopt;
  for (const Candidate& each : all)
    if (!each.object) fit.push_back(each);
  if (fit.empty()) return bad(syntax, fmt::format("`{}` is a member function: it needs an object", all[0].name));
  return resolved_call(callee.name.text(), fit, nullptr, std::move(arguments), true, syntax);
}

Result<NodePtr> Binder::call(const Syntax& syntax) {
  const Syntax& callee = *syntax.kids[0];
  TL_TRY(std::vector<NodePtr> arguments, bound_arguments(syntax));
  if (callee.kind == SyntaxKind::member) return call_member(callee, std::move(arguments), syntax);
  if (callee.kind != SyntaxKind::name || callee.parenthesised) {
    TL_TRY(NodePtr value, bind(callee));
    return call_value(std::move(value), std::move(arguments), syntax);
  }
  const auto found = scope_.find(callee.name);
  const auto kind = found.empty() ? std::nullopt : std::optional(found[0].kind);
  if (kind == Symbol::Kind::variable || kind == Symbol::Kind::enumerator || kind == Symbol::Kind::namespace_) {
    TL_TRY(NodePtr value, bind(callee));
    return call_value(std::move(value), std::move(arguments), syntax);
  }
  if (kind == Symbol::Kind::type)
    return fail(Errc::unsupported,
                fmt::format("`{}`: objects of class type are not made from an expression: that would run their "
                            "constructor",
                            written(syntax)));
  if (auto own = call_own_member(callee, arguments, syntax)) return std::move(*own);
  if (auto member = call_static_member(callee, arguments, syntax)) return std::move(*member);
  std::vector<Candidate> all;
  functions_named(callee.name, arguments, all);
  if (!all.empty()) return resolved_call(callee.name.text(), all, nullptr, std::move(arguments), true, syntax);
  TL_TRY(NodePtr value, bind(callee));
  return call_value(std::move(value), std::move(arguments), syntax);
}

// ---- operators that are functions

bool may_have_operators(const Type* type) {
  return is_record(type) || (is_enumeration(type) && type->strip()->scoped());
}

// The program's own operator for these operands, as a call. nullopt: there is none that fits.
std::optional<Result<NodePtr>> Binder::call_operator(std::string_view op, std::vector<NodePtr>& operands,
                                                     const Syntax& syntax) {
  if (std::ranges::none_of(operands, [](const NodePtr& node) { return may_have_operators(node->type); }))
    return std::nullopt;
  const std::string name = fmt::format("operator{}", op);
  std::vector<Candidate> methods, functions;
  std::vector<std::vector<Conversion>> rows;
  std::vector<const Candidate*> viable;
  if (is_record(operands[0]->type)) {
    std::vector<const Member*> path;
    methods_named(operands[0]->type, name, path, methods, 0);
  }
  functions_named({.parts = {name}, .global = false, .file = {}}, operands, functions);
  if (methods.empty() && functions.empty()) return std::nullopt;
  // The member's object is its first operand, so both kinds have rows of the same length.
  NodePtr object = std::move(operands[0]);
  std::vector<NodePtr> rest(std::make_move_iterator(operands.begin() + 1), std::make_move_iterator(operands.end()));
  for (const Candidate& each : methods)
    if (auto row = conversions(each, object.get(), rest)) {
      rows.push_back(*std::move(row));
      viable.push_back(&each);
    }
  operands.clear();
  operands.push_back(std::move(object));
  for (NodePtr& each : rest) operands.push_back(std::move(each));
  for (const Candidate& each : functions)
    if (auto row = conversions(each, nullptr, operands)) {
      rows.push_back(*std::move(row));
      viable.push_back(&each);
    }
  if (viable.empty()) return std::nullopt;
  const auto best = best_of(rows);
  if (!best) {
    std::vector<std::string> shown;
    for (const Candidate* each : viable) shown.push_back(signature(each->name, each->type));
    return bad(syntax, fmt::format("`{}` is ambiguous: {}", name, fmt::join(shown, "; ")));
  }
  const Candidate& chosen = *viable[*best];
  if (chosen.record == nullptr) return call_of(chosen, nullptr, std::move(operands), true, syntax);
  object = std::move(operands[0]);
  operands.erase(operands.begin());
  return call_of(chosen, std::move(object), std::move(operands), false, syntax);
}

}  // namespace trapline::eval
