// Objects that an expression makes: aggregates of their parts, and others by a constructor of the program's. Copies of
// what a function takes by value are made so too, and destroyed when it has returned: both are the caller's part
// (Itanium C++ ABI, 3.1.1).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "daemon/eval/binder_impl.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Member;
using sym::Method;
using sym::Type;
using sym::TypeKind;

namespace {

std::string class_name(const Type* record) {
  const std::string name = record->short_name();
  return name.substr(0, name.find('<'));
}

// clang writes `Box<int>`, gcc `Box`.
bool names_the_class(std::string_view method, const Type* record) {
  return method.substr(0, method.find('<')) == class_name(record);
}

bool has_virtual_base(const Type* record, int depth = 0) {
  return depth < 32 && std::ranges::any_of(record->members(), [&](const Member& member) {
           return member.kind == Member::Kind::virtual_base ||
                  (member.kind == Member::Kind::base && has_virtual_base(member.type->strip()->complete(), depth + 1));
         });
}

}  // namespace

// Constructors and destructors exist once for complete objects (C1, D1), once for bases (C2, D2); declarations have a
// name for both (C4, D4) or none. Itanium C++ ABI, 5.1.4.3.
Result<NodePtr> Binder::code_of_special(const Candidate& chosen, const Syntax& syntax) const {
  auto node = make(NodeKind::function, chosen.type, syntax);
  node->text = chosen.name;
  node->lvalue = true;
  for (const char kind : {'C', 'D'})
    for (std::size_t at = chosen.linkage.find({kind, '4', 'E'}); at != std::string::npos;
         at = chosen.linkage.find({kind, '4', 'E'}, at + 1)) {
      std::string complete_object = chosen.linkage;
      complete_object[at + 1] = '1';
      const auto object = scope_.elf_object(complete_object);
      if (!object || !object->function) continue;
      node->file_address = object->address;
      return node;
    }
  if (!has_virtual_base(chosen.record))
    if (const auto code = scope_.member_code(chosen.name, chosen.type)) {
      node->file_address = *code;
      return node;
    }
  return fail(Errc::not_available,
              fmt::format("`{}` has no code of its own: every call of it was inlined, or nothing instantiated it",
                          signature(chosen.name, chosen.type)));
}

// nullptr: destroying it does nothing, or nothing that the program has a function for.
Result<NodePtr> Binder::destructor_of(const Type* record, const Syntax& syntax) const {
  for (const Method& method : sym::methods_of(record)) {
    if (!method.name.starts_with('~')) continue;
    Candidate destructor;
    destructor.name = fmt::format("{}::{}", record->name(), method.name);
    destructor.type = method.type;
    destructor.linkage = method.linkage_name;
    destructor.record = record;
    return code_of_special(destructor, syntax);
  }
  return nullptr;
}

Result<NodePtr> Binder::constructed(const Type* record, std::vector<NodePtr> arguments, const Syntax& syntax) {
  std::vector<Candidate> all;
  for (const Method& method : sym::methods_of(record)) {
    if (!method.object || method.deleted || !names_the_class(method.name, record)) continue;
    Candidate made;
    made.name = fmt::format("{}::{}", record->name(), method.name);
    made.type = method.type;
    made.linkage = method.linkage_name;
    made.record = record;
    all.push_back(std::move(made));
  }
  std::vector<std::vector<Conversion>> rows;
  std::vector<const Candidate*> viable;
  for (const Candidate& each : all)
    if (auto row = conversions(each, nullptr, arguments)) {
      rows.push_back(*std::move(row));
      viable.push_back(&each);
    }
  if (all.empty()) return bad(syntax, fmt::format("`{}` has no constructor in the debug information", record->name()));
  if (viable.empty()) return none_fits(record->name(), all, arguments, syntax);
  const auto best = best_of(rows);
  if (!best) {
    std::vector<std::string> shown;
    for (const Candidate* each : viable) shown.push_back(signature(each->name, each->type));
    return bad(syntax, fmt::format("which constructor is ambiguous: {}", fmt::join(shown, "; ")));
  }
  TL_TRY(NodePtr code, code_of_special(*viable[*best], syntax));
  auto node = make(NodeKind::object, sym::builtin(Builtin::void_), syntax, std::move(code));
  TL_TRY(node, finish_call(std::move(node), viable[*best]->type, std::move(arguments), syntax));
  node->type = record;
  return node;
}

// T{a, b} of a class without constructors: one value a member. What a member is without one, DWARF does not say.
Result<NodePtr> Binder::aggregate(const Type* record, std::vector<NodePtr> arguments, const Syntax& syntax) {
  std::vector<const Member*> fields;
  for (const Member& member : record->members()) {
    if (member.kind == Member::Kind::static_) continue;
    if (member.kind != Member::Kind::field || member.name.empty())
      return bad(syntax, fmt::format("objects of `{}` are not made from an expression: it has bases or members without "
                                     "a name",
                                     record->name()));
    fields.push_back(&member);
  }
  if (record->strip()->record_key() == sym::RecordKey::union_ || fields.size() != arguments.size())
    return bad(syntax, fmt::format("`{}` is made of {} values, and these are {}", record->name(), fields.size(),
                                   arguments.size()));
  auto node = make(NodeKind::aggregate, record, syntax);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (arguments[i]->kind == NodeKind::string || fields[i]->type->is_reference() || is_array(fields[i]->type))
      return bad(syntax, fmt::format("member `{}` is not made from an expression", fields[i]->name));
    TL_TRY(NodePtr value, convert(std::move(arguments[i]), fields[i]->type, syntax));
    if (is_record(value->type) && scope_.by_reference(complete(value->type)))
      return bad(syntax, fmt::format("member `{}` would need a copy made by its constructor", fields[i]->name));
    node->kids.push_back(std::move(value));
  }
  return node;
}

Result<NodePtr> Binder::made_object(const Type* type, std::vector<NodePtr> arguments, const Syntax& syntax) {
  if (!is_record(type)) {
    if (arguments.size() != 1) return bad(syntax, fmt::format("`{}` takes one value", type->name()));
    return cast_to(std::move(arguments[0]), type, CastStyle::c, syntax);
  }
  const Type* record = complete(type);
  if (record->declaration())
    return fail(Errc::not_available,
                fmt::format("`{}` is only declared in the debug information at hand", type->name()));
  if (arguments.size() == 1 && is_record(arguments[0]->type) && !scope_.by_reference(record) &&
      same_type(complete(arguments[0]->type), record)) {
    auto copy = make(NodeKind::view, record, syntax, std::move(arguments[0]));
    return copy;
  }
  const auto methods = sym::methods_of(record);
  const bool written = std::ranges::any_of(methods, [&](const Method& method) {
    return method.object && !method.artificial && names_the_class(method.name, record);
  });
  if (written || (arguments.size() == 1 && same_type(complete(arguments[0]->type), record)))
    return constructed(record, std::move(arguments), syntax);
  return aggregate(record, std::move(arguments), syntax);
}

// The address of a copy, which the constructor makes before the call and the destructor ends behind it. What a call or
// a constructor has just made is passed as it is ([class.copy.elision]).
Result<NodePtr> Binder::passed_copy(NodePtr argument, const Type* record, const Syntax& syntax) {
  const bool fresh = argument->kind == NodeKind::object || (argument->kind == NodeKind::call && !argument->lvalue);
  if (!fresh) {
    if (argument->kind == NodeKind::text_object) argument->lvalue = true;  // it owns nothing that could be moved out
    std::vector<NodePtr> of;
    of.push_back(std::move(argument));
    TL_TRY(argument, constructed(record, std::move(of), syntax));
  }
  TL_TRY(NodePtr destructor, destructor_of(record, syntax));
  auto node = make(NodeKind::temporary, record->pointer_to(), syntax, std::move(argument));
  node->flag = true;
  if (destructor) node->kids.push_back(std::move(destructor));
  return node;
}

}  // namespace trapline::eval
