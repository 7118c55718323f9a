#include "daemon/eval/dynamic_type.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/scope.hpp"

namespace trapline::eval {

using sym::Member;
using sym::Type;
using sym::TypeKind;

namespace {

const Type* whole(const FrameView& frame, const Type* type) {
  return type->strip()->complete(search_order(*frame.modules, nullptr));
}

// "ns::T<a::b>::U" -> its parts.
sym::QualifiedName qualified(std::string_view name) {
  sym::QualifiedName out;
  int depth = 0;
  std::size_t begin = 0;
  const auto add = [&](std::string_view part) {
    if (part != "(anonymous namespace)") out.parts.emplace_back(part);
  };
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '<' || c == '(' || c == '[' || c == '{') ++depth;
    if (c == '>' || c == ')' || c == ']' || c == '}') --depth;
    if (depth == 0 && name.substr(i).starts_with("::")) {
      add(name.substr(begin, i - begin));
      begin = i + 2;
      ++i;
    }
  }
  add(name.substr(begin));
  return out;
}

void collect(const FrameView& frame, const Value& object, const Type* base, std::vector<LoadAddr>& out, int depth) {
  const Type* type = whole(frame, object.type);
  if (depth > 16 || out.size() > 256) return;
  if (same_type(type, base)) {
    if (std::ranges::find(out, object.address) == out.end()) out.push_back(object.address);
    return;
  }
  for (const Member& member : type->members()) {
    if (member.kind != Member::Kind::base && member.kind != Member::Kind::virtual_base) continue;
    if (const auto part = member_of(frame, object, member); part && part->place == Value::Place::memory)
      collect(frame, *part, base, out, depth + 1);
  }
}

}  // namespace

std::vector<LoadAddr> subobjects(const FrameView& frame, const Value& object, const Type* base) {
  std::vector<LoadAddr> out;
  if (object.place == Value::Place::memory) collect(frame, object, whole(frame, base), out, 0);
  return out;
}

std::optional<MostDerived> most_derived(const FrameView& frame, const Value& object) {
  if (object.place != Value::Place::memory || object.bit_size != 0) return std::nullopt;
  const Type* declared = whole(frame, object.type);
  if (declared->kind() != TypeKind::record || !declared->has_vtable()) return std::nullopt;
  // Itanium C++ ABI 2.4: a dynamic class has a vptr at its begin, its own or its primary base's. 2.5.2: it points
  // behind the offset to top and the type_info.
  const auto vptr = frame.memory->get<std::uint64_t>(object.address);
  if (!vptr || *vptr % 8 != 0 || *vptr < 16) return std::nullopt;
  const auto symbol = frame.modules->symbol_at(LoadAddr{*vptr});
  if (!symbol || symbol->second.value < 16) return std::nullopt;
  std::string_view name = symbol->first;
  static constexpr std::string_view plain = "vtable for ", building = "construction vtable for ";
  if (name.starts_with(building)) {
    name.remove_prefix(building.size());
    name = name.substr(0, name.rfind("-in-"));
  } else if (name.starts_with(plain)) {
    name.remove_prefix(plain.size());
  } else {
    return std::nullopt;
  }
  if (const auto version = name.find('@'); version != std::string_view::npos) name = name.substr(0, version);
  const auto to_top = frame.memory->get<std::int64_t>(LoadAddr{*vptr - 16});
  if (!to_top || *to_top > 0 || *to_top < -(std::int64_t{1} << 40)) return std::nullopt;
  const image::MappedModule* module = frame.modules->find(LoadAddr{*vptr});
  const FrameScope scope(*frame.modules, {}, module, 0);
  const LoadAddr top{object.address.value + static_cast<std::uint64_t>(*to_top)};
  // Two classes of one name (in two files' anonymous namespaces) may have different shapes: which fits is it.
  for (const sym::Symbol& found : scope.find(qualified(name))) {
    if (found.kind != sym::Symbol::Kind::type) continue;
    const Type* type = whole(frame, found.type);
    if (type->kind() != TypeKind::record || type->declaration() || !type->size()) continue;
    if (static_cast<std::uint64_t>(-*to_top) >= *type->size()) continue;
    const auto places = subobjects(frame, in_memory(type, top), declared);
    if (std::ranges::find(places, object.address) != places.end()) return MostDerived{type, top};
  }
  return std::nullopt;
}

std::optional<MostDerived> derived_view(const FrameView& frame, const Value& object) {
  if (object.as_declared || object.raw) return std::nullopt;
  auto derived = most_derived(frame, object);
  if (derived && same_type(derived->type, whole(frame, object.type))) return std::nullopt;
  return derived;
}

std::string shown_type(const FrameView& frame, const Value& value) {
  const std::string name = type_name(value);
  if (value.is_problem() || value.as_declared) return name;
  const Type* plain = value.type->strip();
  Value object = value;
  if (plain->kind() == TypeKind::pointer || value.type->is_reference()) {
    if (!whole(frame, plain->target())->has_vtable() || implicit_pointer_at(value) != nullptr) return name;
    const auto at = pointer_bits(*frame.memory, value);
    if (!at) return name;
    object = in_memory(plain->target(), LoadAddr{*at});
  }
  const auto derived = derived_view(frame, object);
  return derived ? fmt::format("{} {{{}}}", name, derived->type->name()) : name;
}

}  // namespace trapline::eval
