// typeid, and what is done with a std::type_info; `<=>`, and what is done with its answers; $_exception. The library's
// own functions for these are all inline: the debugger does what they do.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/eval/binder_impl.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Symbol;
using sym::Type;
using sym::TypeKind;

namespace {

// Itanium C++ ABI, 5.1.5.2, by the names that gcc and clang write.
constexpr std::array<std::pair<std::string_view, std::string_view>, 30> builtin_letters{
    {{"void", "v"},
     {"bool", "b"},
     {"char", "c"},
     {"signed char", "a"},
     {"unsigned char", "h"},
     {"short", "s"},
     {"short int", "s"},
     {"unsigned short", "t"},
     {"short unsigned int", "t"},
     {"int", "i"},
     {"unsigned int", "j"},
     {"long", "l"},
     {"long int", "l"},
     {"unsigned long", "m"},
     {"long unsigned int", "m"},
     {"long long", "x"},
     {"long long int", "x"},
     {"unsigned long long", "y"},
     {"long long unsigned int", "y"},
     {"__int128", "n"},
     {"unsigned __int128", "o"},
     {"__int128 unsigned", "o"},
     {"float", "f"},
     {"double", "d"},
     {"long double", "e"},
     {"__float128", "g"},
     {"wchar_t", "w"},
     {"char8_t", "Du"},
     {"char16_t", "Ds"},
     {"char32_t", "Di"}}};

// A type as it stands in a symbol's name. nullopt: template arguments and what has no plain name.
std::optional<std::string> mangled(const Type* type) {
  const Type* plain = type->strip();
  if (plain->kind() == TypeKind::pointer) {
    const auto target = mangled(plain->target());
    if (!target) return std::nullopt;
    return fmt::format("P{}{}", plain->target()->is_const() ? "K" : "", *target);
  }
  const std::string name = plain->name();
  if (plain->kind() == TypeKind::base || plain->kind() == TypeKind::void_) {
    const auto found = std::ranges::find(builtin_letters, name, &std::pair<std::string_view, std::string_view>::first);
    return found == builtin_letters.end() ? std::nullopt : std::optional(std::string(found->second));
  }
  if ((!is_record(plain) && !is_enumeration(plain)) || name.find_first_of("<({ ") != std::string::npos)
    return std::nullopt;
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find("::", begin), name.size());
    parts.push_back(fmt::format("{}{}", end - begin, name.substr(begin, end - begin)));
    begin = end + 2;
  }
  std::string all;
  const bool of_std = parts.size() > 1 && parts[0] == "3std";
  for (std::size_t i = of_std ? 1 : 0; i < parts.size(); ++i) all += parts[i];
  if (of_std) all = "St" + all;
  return parts.size() > (of_std ? 2 : 1) ? fmt::format("N{}E", all) : all;
}

enum class Ordering : std::uint8_t { none, total, partial };
Ordering ordering(const Type* type) {
  if (!is_record(type)) return Ordering::none;
  const std::string name = type->strip()->name();
  if (!name.starts_with("std::")) return Ordering::none;
  if (name.ends_with("::partial_ordering")) return Ordering::partial;
  return name.ends_with("::strong_ordering") || name.ends_with("::weak_ordering") ? Ordering::total : Ordering::none;
}

// std::partial_ordering::unordered, as its library keeps it.
int unordered_value(const Type* type) { return type->strip()->name().find("__1") == std::string::npos ? 2 : -127; }

}  // namespace

bool is_type_info(const Type* type) { return is_record(type) && type->strip()->name() == "std::type_info"; }

// ---- typeid

Result<NodePtr> Binder::type_id(const Syntax& syntax) {
  const auto found = scope_.find({.parts = {"std", "type_info"}, .global = true, .file = {}});
  const Type* info = found.empty() || found[0].kind != Symbol::Kind::type ? nullptr : complete(found[0].type);
  if (info == nullptr)  // a declaration will do: what is asked of it is the ABI's
    return fail_hint(Errc::not_available, "no debug information at hand describes std::type_info",
                     "only a program that includes <typeinfo> has it");
  const Type* type = nullptr;
  if (syntax.type) {
    TL_TRY(type, type_of(*syntax.type));
  } else {
    TL_TRY(NodePtr operand, bind(*syntax.kids[0]));
    if (is_unknown(operand->type)) return needs_cast(*operand);
    if (is_record(operand->type) && operand->lvalue && complete(operand->type)->has_vtable()) {
      auto node = make(NodeKind::type_info, info, syntax, std::move(operand));
      node->lvalue = true;
      return node;
    }
    type = operand->type;
  }
  if (type->is_reference()) type = type->strip()->target();
  const auto name = mangled(type);
  const auto object = name ? scope_.elf_object("_ZTI" + *name) : std::nullopt;
  if (!object)
    return fail(Errc::not_available, fmt::format("`{}`: no module has a type_info of `{}` that could be found",
                                                 written(syntax), type->name()));
  auto node = make(NodeKind::data_symbol, info, syntax);
  node->file_address = object->address;
  node->lvalue = true;
  return node;
}

// typeid(a) == typeid(b)
NodePtr Binder::compare_type_infos(NodePtr a, NodePtr b, bool unequal, const Syntax& syntax) const {
  auto node = make(NodeKind::same_type_info, sym::builtin(Builtin::bool_), syntax, std::move(a), std::move(b));
  node->flag = unequal;
  return node;
}

// typeid(x).name()
std::optional<Result<NodePtr>> Binder::type_info_call(const Syntax& syntax) {
  const Syntax& callee = *syntax.kids[0];
  if (callee.kind != SyntaxKind::member || callee.name.parts.size() != 1 || callee.name.parts[0] != "name" ||
      syntax.kids.size() != 1)
    return std::nullopt;
  auto object = bind(*callee.kids[0]);
  if (!object) return std::nullopt;  // whoever answers next says what is wrong with it
  if (callee.flag || is_pointer((*object)->type)) object = arrow(*std::move(object), *callee.kids[0]);
  if (!object || !is_type_info((*object)->type)) return std::nullopt;
  const Type* text = sym::builtin(Builtin::char_)->const_of()->pointer_to();
  return Result<NodePtr>(make(NodeKind::type_info_name, text, syntax, *std::move(object)));
}

// ---- <=>

Result<NodePtr> Binder::three_way(const Syntax& syntax) {
  TL_TRY(NodePtr a, bind_value(*syntax.kids[0]));
  TL_TRY(NodePtr b, bind_value(*syntax.kids[1]));
  if (may_have_operators(a->type) || may_have_operators(b->type)) {
    std::vector<NodePtr> operands;
    operands.push_back(std::move(a));
    operands.push_back(std::move(b));
    if (auto called = call_operator("<=>", operands, syntax)) return std::move(*called);
    return bad(syntax, fmt::format("there is no `<=>` for `{}` and `{}` that could be called",
                                   operands[0]->type->name(), operands[1]->type->name()));
  }
  if (is_unknown(a->type)) return needs_cast(*a);
  if (is_unknown(b->type)) return needs_cast(*b);
  const Type* common = sym::builtin(Builtin::unsigned_long);
  if (is_number(a->type) && is_number(b->type)) {
    a = bits_promoted(std::move(a), syntax);
    b = bits_promoted(std::move(b), syntax);
    common = common_type(a->type, b->type);
    a = converted(std::move(a), common, syntax);
    b = converted(std::move(b), common, syntax);
  } else if (is_pointer(a->type) && is_pointer(b->type)) {
    a = make(NodeKind::convert, common, syntax, std::move(a));
    b = make(NodeKind::convert, common, syntax, std::move(b));
  } else {
    return bad(syntax, fmt::format("`{}` and `{}` are not compared", a->type->name(), b->type->name()));
  }
  const char* name = is_floating(common) ? "partial_ordering" : "strong_ordering";
  const auto found = scope_.find({.parts = {"std", name}, .global = true, .file = {}});
  if (found.empty() || found[0].kind != Symbol::Kind::type)
    return fail_hint(Errc::not_available, fmt::format("no debug information at hand describes std::{}", name),
                     "only a program that includes <compare> has it; compare with < and ==");
  auto node = make(NodeKind::three_way, complete(found[0].type), syntax, std::move(a), std::move(b));
  node->operands = common;
  node->offset = unordered_value(node->type);
  return node;
}

// (a <=> b) < 0: on the one member that an ordering has.
std::optional<Result<NodePtr>> Binder::compare_ordering(Op op, NodePtr& a, const Node& b, const Syntax& syntax) {
  const Ordering kind = ordering(a->type);
  if (kind == Ordering::none || !is_comparison(op) || b.kind != NodeKind::constant || !is_null_constant(b))
    return std::nullopt;
  const Type* record = complete(a->type);
  const auto members = record->members();
  const auto value = std::ranges::find(members, sym::Member::Kind::field, &sym::Member::kind);
  if (value == members.end()) return std::nullopt;
  const Type* number = sym::builtin(Builtin::int_);
  const int unordered = unordered_value(record);
  auto held = make(NodeKind::member, value->type, syntax, std::move(a));
  held->member = &*value;
  auto node = make(NodeKind::binary, truth_type(), syntax, converted(std::move(held), number, syntax),
                   constant(number, {.floating = false, .integer = 0, .real = 0}, syntax));
  node->op = op;
  node->operands = number;
  if (kind == Ordering::partial) node->offset = unordered;  // of all comparisons only != holds of it
  return Result<NodePtr>(std::move(node));
}

// ---- $_exception

Result<NodePtr> Binder::exception(const Syntax& syntax) {
  TL_TRY(const auto thrown, scope_.exception());
  auto node = make(NodeKind::exception, thrown.type, syntax);
  node->symbol.name = thrown.name;
  node->lvalue = true;
  return node;
}

}  // namespace trapline::eval
