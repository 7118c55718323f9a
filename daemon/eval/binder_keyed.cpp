// Elements of library maps by their keys: `m["key"]`, `m.at(3)`, `m.count(k)`. The map's visualiser walks its elements,
// and each key is compared as `==` compares; nothing of the program runs for that, and nothing is inserted where a key
// is missing.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daemon/eval/binder_impl.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Member;
using sym::Type;

namespace {

constexpr const char* key_name = "$key";  // no name that an expression can hold
constexpr const char* wanted_name = "$wanted";

// The scope of the expression, with a key of the map and the one that is looked for.
class KeyScope final : public Scope {
 public:
  KeyScope(const Scope& outer, const Type* key, const Type* wanted) : outer_(outer), key_(key), wanted_(wanted) {}
  std::optional<Slot> slot(std::string_view name) const override {
    if (name == key_name) return Slot{0, key_};
    if (name == wanted_name) return Slot{1, wanted_};
    return std::nullopt;
  }
  Intrinsics* intrinsics() const override { return outer_.intrinsics(); }
  bool c_rules() const override { return outer_.c_rules(); }
  std::vector<sym::Symbol> find(const sym::QualifiedName& name) const override { return outer_.find(name); }
  const Type* complete(const Type* type) const override { return outer_.complete(type); }
  std::optional<sym::Variable> this_variable() const override { return outer_.this_variable(); }
  std::vector<std::string> similar(std::string_view name) const override { return outer_.similar(name); }
  std::optional<ElfObject> elf_object(std::string_view name) const override { return outer_.elf_object(name); }
  std::optional<sym::Symbol> static_member(const Type* record, const Member& member) const override {
    return outer_.static_member(record, member);
  }
  std::optional<FileAddr> member_code(const std::string& name, const Type* function) const override {
    return outer_.member_code(name, function);
  }
  std::shared_ptr<const VariablePlace> variable_place(const sym::Symbol& symbol) const override {
    return outer_.variable_place(symbol);
  }
  std::string place() const override { return outer_.place(); }

 private:
  const Scope& outer_;
  const Type* key_;
  const Type* wanted_;
};

std::string name_without_arguments(const Type* record) {
  const std::string name = record->short_name();
  return name.substr(0, name.find('<'));
}

const Member* field(const Type* record, std::string_view name) {
  const auto members = record->members();
  const auto found = std::ranges::find_if(
      members, [&](const Member& member) { return member.kind == Member::Kind::field && member.name == name; });
  return found == members.end() ? nullptr : &*found;
}

}  // namespace

// std::pair<const Key, Value> of a std::map and the like, as its allocator's argument says; nullptr: it is none.
const Type* Binder::element_of_map(const Type* record) const {
  static constexpr std::array<std::string_view, 4> maps{"map", "unordered_map", "multimap", "unordered_multimap"};
  if (!record->name().starts_with("std::") || std::ranges::find(maps, name_without_arguments(record)) == maps.end())
    return nullptr;
  for (const auto& argument : record->template_arguments()) {
    if (argument.type == nullptr || !is_record(argument.type)) continue;
    const Type* allocator = complete(argument.type);
    if (name_without_arguments(allocator) != "allocator") continue;
    auto of = allocator->template_arguments();
    // gcc has none for it, but for the class that it derives from.
    for (const Member& member : allocator->members())
      if (of.empty() && member.kind == Member::Kind::base) of = complete(member.type)->template_arguments();
    if (of.empty() || of[0].type == nullptr) return nullptr;
    const Type* pair = complete(of[0].type);
    return is_record(pair) && field(pair, "first") != nullptr && field(pair, "second") != nullptr ? pair : nullptr;
  }
  return nullptr;
}

std::optional<Result<NodePtr>> Binder::keyed(NodePtr& object, const Syntax& key, std::string_view what,
                                             const Syntax& syntax) {
  if (scope_.intrinsics() == nullptr || !is_record(object->type)) return std::nullopt;
  const Type* record = complete(object->type);
  const Type* pair = element_of_map(record);
  const bool counts = what == "count" || what == "contains";
  if (pair == nullptr || (!counts && name_without_arguments(record).find("multi") != std::string::npos))
    return std::nullopt;
  auto wanted = bind_value(key);
  if (!wanted) return Result<NodePtr>(std::unexpected(wanted.error()));
  const bool literal = (*wanted)->kind == NodeKind::string;
  const Member* first = field(pair, "first");
  const KeyScope scope(scope_, first->type, (*wanted)->type);
  Syntax equality;
  equality.kind = SyntaxKind::binary;
  equality.op = Op::equal;
  equality.at = key.at;
  equality.end = key.end;
  for (const char* name : {key_name, wanted_name}) {
    auto side = std::make_unique<Syntax>();
    side->at = key.at;
    side->end = key.end;
    if (literal && name == wanted_name) {
      side->token = key.token;
    } else {
      side->kind = SyntaxKind::name;
      side->name.parts.emplace_back(name);
    }
    equality.kids.push_back(std::move(side));
  }
  Binder inner(text_, scope, {.side_effects = false});
  auto compared = inner.equal_keys(equality);
  if (!compared) return Result<NodePtr>(std::unexpected(compared.error()));
  const Type* type = what == "contains" ? sym::builtin(Builtin::bool_)
                     : counts           ? sym::builtin(Builtin::unsigned_long)
                                        : field(pair, "second")->type;
  auto node = make(NodeKind::keyed, type, syntax, std::move(object));
  if (!literal) node->kids.push_back(*std::move(wanted));
  node->body = *std::move(compared);
  node->member = field(pair, "second");
  node->offset = static_cast<std::int64_t>(first->offset);
  node->operands = first->type;
  node->flag = counts;
  node->lvalue = !counts;
  return Result<NodePtr>(std::move(node));
}

Result<NodePtr> Binder::equal_keys(const Syntax& equality) {
  TL_TRY(NodePtr a, bind_value(*equality.kids[0]));
  TL_TRY(NodePtr b, bind_value(*equality.kids[1]));
  if (is_record(a->type))
    if (auto texts = compare_texts(equality, a, b, false)) return std::move(*texts);
  return binary(equality);
}

// m.at(k), m.count(k), m.contains(k).
std::optional<Result<NodePtr>> Binder::keyed_call(const Syntax& syntax) {
  const Syntax& callee = *syntax.kids[0];
  if (scope_.intrinsics() == nullptr || callee.kind != SyntaxKind::member || callee.name.parts.size() != 1 ||
      syntax.kids.size() != 2)
    return std::nullopt;
  const std::string& what = callee.name.parts[0];
  if (what != "at" && what != "count" && what != "contains") return std::nullopt;
  auto object = bind(*callee.kids[0]);
  if (!object) return std::nullopt;  // whoever answers next says what is wrong with it
  if (callee.flag || is_pointer((*object)->type)) object = arrow(*std::move(object), *callee.kids[0]);
  if (!object) return std::nullopt;
  return keyed(*object, *syntax.kids[1], what, syntax);
}

}  // namespace trapline::eval
