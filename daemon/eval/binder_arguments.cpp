// Arguments of calls, converted to what the function takes. References are passed as addresses, so an argument for one
// is a node of pointer type; what lies nowhere in the program becomes a `temporary`.
#include <fmt/format.h>

#include <cstring>

#include "daemon/eval/binder_impl.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Member;
using sym::Type;
using sym::TypeKind;

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

}  // namespace

bool holds_text(const Type* record, const Type* character) {
  const auto arguments = record->template_arguments();
  return text_layout(record).has_value() && !arguments.empty() && arguments[0].type != nullptr &&
         same_type(arguments[0].type->strip(), character->strip());
}

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
    if (is_record(wanted) && holds_text(wanted, character)) {
      auto made = text_object(std::move(argument), wanted, syntax);
      if (parameter->is_reference()) return address_for_call(std::move(made), false, syntax);
      return scope_.by_reference(wanted) ? passed_copy(std::move(made), wanted, syntax) : std::move(made);
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
    if (!same_type(complete(argument->type), plain)) {
      TL_TRY(argument, cast_lvalue(std::move(argument), plain, CastStyle::static_, syntax));
    }
    return scope_.by_reference(plain) ? passed_copy(std::move(argument), plain, syntax) : std::move(argument);
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

}  // namespace trapline::eval
