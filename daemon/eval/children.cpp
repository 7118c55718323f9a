// The children of a value, page by page: members first, elements after. Their expressions are made so that they mean
// the same again: parentheses around what binds looser, casts for bases, `->` through pointers.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/eval/dynamic_type.hpp"
#include "daemon/eval/evaluator.hpp"
#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/number.hpp"
#include "daemon/eval/rust_view.hpp"
#include "daemon/eval/scope.hpp"
#include "daemon/eval/visualizer.hpp"

namespace trapline::eval {

using sym::Member;
using sym::Type;
using sym::TypeKind;

namespace {

const Type* whole(const FrameView& frame, const Type* type) {
  return type->strip()->complete(search_order(*frame.modules, nullptr));
}

bool is_complex(const Type* type) {
  return type->kind() == TypeKind::base && type->encoding() == sym::Encoding::complex;
}

// What is listed for a value: itself, or what a reference or a pointer to a record leads to.
struct Listed {
  Value value;
  const Type* type = nullptr;  // complete, without aliases
  enum class Through : std::uint8_t { itself, arrow, dereferenced } through = Through::itself;
};

Result<Listed> listed(const FrameView& frame, const Value& value) {
  if (value.is_problem()) return std::unexpected(value.problem);
  Listed out{value, whole(frame, value.type), Listed::Through::itself};
  // What was said of the pointer or reference is meant of what it leads to.
  const auto keep_looks = [&] {
    out.value.raw = value.raw;
    out.value.view_name = value.view_name;
    out.value.as_declared = value.as_declared;
  };
  for (int hops = 0; hops < 4 && out.value.type->is_reference(); ++hops) {
    const Type* target = out.type->target();
    if (const Part* removed = implicit_pointer_at(out.value)) {
      const Value referee = variable_value(frame, removed->pointee, sym::type_of(removed->pointee), false);
      if (referee.is_problem()) return std::unexpected(referee.problem);
      TL_TRY(out.value, part_of(referee, static_cast<std::uint64_t>(removed->pointee_offset), target));
    } else {
      TL_TRY(const std::uint64_t at, pointer_bits(*frame.memory, out.value));
      out.value = in_memory(target, LoadAddr{at});
    }
    out.type = whole(frame, target);
    keep_looks();
  }
  if (out.type->kind() != TypeKind::pointer) return out;
  const Type* target = out.type->target();
  const Type* pointee = whole(frame, target);
  if (const Part* removed = implicit_pointer_at(out.value)) {
    const Value object = variable_value(frame, removed->pointee, sym::type_of(removed->pointee), false);
    if (object.is_problem()) return std::unexpected(object.problem);
    TL_TRY(out.value, part_of(object, static_cast<std::uint64_t>(removed->pointee_offset), target));
  } else {
    TL_TRY(const std::uint64_t at, pointer_bits(*frame.memory, out.value));
    out.value = in_memory(target, LoadAddr{at});
    if (at == 0) return fail(Errc::bad_address, "null pointer");
  }
  keep_looks();
  out.through = pointee->kind() == TypeKind::record ? Listed::Through::arrow : Listed::Through::dereferenced;
  out.type = pointee;
  return out;
}

// Names, members, calls of nothing, indexes: binds as tight as a name.
bool is_tight(std::string_view expression) {
  int depth = 0;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (depth > 0 || c == ')' || c == ']') continue;
    const bool word = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == ':' ||
                      c == '.' || (c & 0x80) != 0;
    const bool arrow = (c == '-' && i + 1 < expression.size() && expression[i + 1] == '>') ||
                       (c == '>' && i > 0 && expression[i - 1] == '-');
    if (!word && !arrow) return false;
  }
  // "(int)x" begins with a parenthesis that is no operand.
  if (expression.starts_with('(')) {
    int level = 0;
    for (std::size_t i = 0; i < expression.size(); ++i) {
      if (expression[i] == '(') ++level;
      if (expression[i] == ')' && --level == 0)
        return i + 1 == expression.size() || expression[i + 1] == '.' || expression[i + 1] == '-' ||
               expression[i + 1] == '[';
    }
  }
  return !expression.empty();
}

std::string operand(std::string_view expression) {
  return is_tight(expression) ? std::string(expression) : fmt::format("({})", expression);
}

// "[Derived]", before the members of the declared class.
std::optional<Child> derived_child(const FrameView& frame, const Listed& parent, std::string_view expression) {
  if (parent.type->kind() != TypeKind::record || parent.value.visual) return std::nullopt;
  const auto derived = derived_view(frame, parent.value);
  if (!derived) return std::nullopt;
  Child child;
  child.name = fmt::format("[{}]", derived->type->name());
  child.value = in_memory(derived->type, derived->address);
  if (!expression.empty()) {
    const bool pointer = parent.through == Listed::Through::arrow;
    child.evaluate_name = fmt::format("*dynamic_cast<{} *>({}{})", derived->type->name(), pointer ? "" : "&",
                                      pointer ? std::string(expression) : operand(expression));
  }
  return child;
}

// Whom to ask; nullptr: the members are listed as they are.
Visualizer* visualizer_of(const FrameView& frame, const Listed& parent) {
  if (parent.value.raw || (parent.type->kind() != TypeKind::record && !parent.value.visual)) return nullptr;
  return frame.visualizers;
}

bool worth_dereferencing(const Type* pointee) {
  return pointee->kind() != TypeKind::void_ && pointee->kind() != TypeKind::function &&
         pointee->kind() != TypeKind::unknown;
}

Child member_child(const FrameView& frame, const Listed& parent, const Member& member, std::string_view expression) {
  Child child;
  const bool arrow = parent.through == Listed::Through::arrow;
  const bool named = !expression.empty();
  child.name = member.name;
  if (member.kind == Member::Kind::static_) {
    child.static_member = true;
    const FrameScope scope(*frame.modules, {}, nullptr, 0);
    const auto variable = scope.static_member(parent.type, member);
    child.value =
        variable && !variable->declaration
            ? variable_value(frame, variable->die, variable->type, false)
            : no_value(member.type,
                       Error{.code = Errc::not_available, .message = "optimized out", .os_errno = 0, .hint = {}});
    if (named) child.evaluate_name = operand(expression) + (arrow ? "->" : ".") + member.name;
    return child;
  }
  auto value = member_of(frame, parent.value, member);
  child.value = value ? std::move(*value) : no_value(member.type, value.error());
  if (member.kind != Member::Kind::field) {
    child.base_class = member.kind == Member::Kind::base;
    child.virtual_base = member.kind == Member::Kind::virtual_base;
    if (child.name.empty()) child.name = member.type->name();
    if (named)
      child.evaluate_name = fmt::format("(({}&){}{})", member.type->name(), arrow ? "*" : "", operand(expression));
    return child;
  }
  if (member.name.empty()) {
    // An anonymous union has no name, and its members are its parent's.
    child.name =
        member.type->strip()->record_key() == sym::RecordKey::union_ ? "<anonymous union>" : "<anonymous struct>";
    if (named) child.evaluate_name = arrow ? fmt::format("(*{})", operand(expression)) : std::string(expression);
    return child;
  }
  if (!named) return child;
  const bool plain =
      std::ranges::all_of(member.name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c >= 0x80; });
  if (plain) {
    child.evaluate_name = operand(expression) + (arrow ? "->" : ".") + member.name;
  } else {
    // _vptr.Base: no name that an expression could hold.
    child.evaluate_name = fmt::format("*({})((char*)&{}{} + {})", member.type->pointer_to()->name(), arrow ? "*" : "",
                                      operand(expression), member.offset);
  }
  return child;
}

Child element_child(const FrameView& frame, const Listed& parent, std::uint64_t index, std::uint64_t stride,
                    std::string_view expression) {
  Child child;
  const std::int64_t shown = static_cast<std::int64_t>(index) + parent.type->lower_bound();
  child.name = fmt::format("[{}]", shown);
  child.by_position = true;
  auto value = part_of(parent.value, index * stride, parent.type->target());
  child.value = value ? std::move(*value) : no_value(parent.type->target(), value.error());
  if (!expression.empty()) child.evaluate_name = fmt::format("{}[{}]", operand(expression), shown);
  (void)frame;
  return child;
}

}  // namespace

ChildCount child_count(const FrameView& frame, const Value& value) {
  if (value.is_problem()) return {};
  if (const auto count = rust_child_count(frame, value)) return *count;
  const Type* type = whole(frame, value.type);
  if (type->kind() == TypeKind::pointer && !worth_dereferencing(whole(frame, type->target()))) return {};
  if (is_complex(type)) return {.named = 2, .indexed = 0};
  if (type->kind() != TypeKind::pointer && type->kind() != TypeKind::record && type->kind() != TypeKind::array &&
      !value.type->is_reference() && !value.visual)
    return {};
  const auto parent = listed(frame, value);
  if (!parent) return {};
  const bool derived = derived_child(frame, *parent, {}).has_value();
  if (Visualizer* visualizer = derived ? nullptr : visualizer_of(frame, *parent))
    if (const auto count = visualizer->child_count(frame, parent->value)) return *count;
  if (parent->through == Listed::Through::dereferenced) {
    // A pointer that leads nowhere has nothing below it.
    std::byte probe{};
    const bool readable = parent->value.place != Value::Place::memory ||
                          frame.memory->read_some(parent->value.address, std::span(&probe, 1)) == 1;
    return {.named = readable ? 1U : 0U, .indexed = 0};
  }
  if (parent->type->kind() == TypeKind::record) {
    std::byte probe{};
    const bool readable = parent->value.place != Value::Place::memory ||
                          frame.memory->read_some(parent->value.address, std::span(&probe, 1)) == 1;
    return {.named = readable ? parent->type->members().size() + (derived ? 1 : 0) : 0, .indexed = 0};
  }
  if (is_complex(parent->type)) return {.named = 2, .indexed = 0};
  if (parent->type->kind() != TypeKind::array) return {};
  const auto count = count_of(frame, parent->type);
  return {.named = 0, .indexed = count.value_or(0)};
}

Result<std::vector<Child>> children(const FrameView& frame, const Value& value, std::string_view expression,
                                    std::uint64_t start, std::uint64_t count) {
  if (auto page = rust_children(frame, value, expression, start, count)) return *std::move(page);
  TL_TRY(const Listed parent, listed(frame, value));
  const auto derived = derived_child(frame, parent, expression);
  if (Visualizer* visualizer = derived ? nullptr : visualizer_of(frame, parent)) {
    std::string object(expression);
    if (!object.empty() && parent.through == Listed::Through::arrow) object = "*" + operand(object);
    if (auto page = visualizer->children(frame, parent.value, object, start, count)) return *std::move(page);
  }
  const ChildCount total = child_count(frame, value);
  const std::uint64_t all = total.named + total.indexed;
  if (start >= all) return std::vector<Child>{};
  const std::uint64_t end = count == 0 ? all : std::min(all, start + count);
  if (const Limits limits; end - start > limits.max_children)
    return fail_hint(Errc::too_large,
                     fmt::format("{} children at once are more than {}", end - start, limits.max_children),
                     "ask for a page: start and count");
  std::vector<Child> page;
  page.reserve(static_cast<std::size_t>(end - start));
  if (parent.through == Listed::Through::dereferenced) {
    Child child;
    child.name = expression.empty() ? "*" : "*" + operand(expression);
    if (!expression.empty()) child.evaluate_name = child.name;
    child.value = parent.value;
    page.push_back(std::move(child));
    return page;
  }
  if (is_complex(parent.type)) {
    const std::uint64_t half = parent.type->size().value_or(0) / 2;
    const Type* part = sym::builtin(half == 4             ? sym::Builtin::float_
                                    : half == 8           ? sym::Builtin::double_
                                    : parent.type->quad() ? sym::Builtin::float128
                                                          : sym::Builtin::long_double);
    for (std::uint64_t i = start; i < end; ++i) {
      Child child;
      child.name = i == 0 ? "real" : "imaginary";
      if (!expression.empty())
        child.evaluate_name = fmt::format("{} {}", i == 0 ? "__real__" : "__imag__", operand(expression));
      auto each = part_of(parent.value, i * half, part);
      child.value = each ? std::move(*each) : no_value(part, each.error());
      page.push_back(std::move(child));
    }
    return page;
  }
  if (parent.type->kind() == TypeKind::record) {
    const std::uint64_t before = derived ? 1 : 0;
    if (derived && start == 0) page.push_back(*derived);
    for (std::uint64_t i = std::max(start, before); i < end; ++i)
      page.push_back(
          member_child(frame, parent, parent.type->members()[static_cast<std::size_t>(i - before)], expression));
    return page;
  }
  TL_TRY(const std::uint64_t stride, size_of(frame, parent.type->target()));
  for (std::uint64_t i = start; i < end; ++i) page.push_back(element_child(frame, parent, i, stride, expression));
  return page;
}

}  // namespace trapline::eval
