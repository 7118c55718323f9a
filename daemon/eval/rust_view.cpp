// The language's own: enums, tuples, structs, slices, references, trait objects.
#include "daemon/eval/rust_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/number.hpp"
#include "daemon/eval/scope.hpp"

namespace trapline::eval {

using sym::Type;
using sym::TypeKind;
using Shape = RustView::Shape;

namespace {

constexpr int deepest = 16;  // of members that are looked into for a pointer or a number
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 47;  // no object of a user's address space is larger

std::string field_name(std::string_view name) {
  return std::string(name.starts_with("__") && name.size() > 2 && name.find_first_not_of("0123456789", 2) == name.npos
                         ? name.substr(2)
                         : name);
}

// A struct's or variant's fields; Rust has no bases, and statics are none of a value's.
RustView of_fields(const FrameView& frame, const Value& value, const Type* type, std::string word) {
  RustView view{.word = std::move(word)};
  bool numbered = true;
  for (const auto& member : type->members()) {
    if (member.kind != sym::Member::Kind::field || member.artificial) continue;
    const auto name = field_name(member.name);
    numbered = numbered && name != member.name;
    auto part = member_of(frame, value, member);
    view.parts.emplace_back(name, part ? *std::move(part) : no_value(member.type, part.error()));
  }
  if (view.parts.empty()) return view;
  view.shape = numbered ? Shape::tuple : Shape::fields;
  return view;
}

const sym::Variant* variant_of(const sym::VariantPart& part, std::uint64_t discriminant, std::uint64_t mask) {
  const sym::Variant* other = nullptr;
  for (const auto& variant : part.variants) {
    if (variant.values.empty()) other = &variant;
    for (const auto& [low, high] : variant.values)
      if ((low & mask) <= discriminant && discriminant <= (high & mask)) return &variant;
  }
  return other;
}

RustView of_variant(const FrameView& frame, const Value& value, const sym::VariantPart& part) {
  const sym::Variant* variant = part.variants.size() == 1 ? part.variants.data() : nullptr;
  if (part.discriminant != nullptr) {
    const auto place = part_of(value, part.offset, part.discriminant);
    const auto read = place ? rust_number(frame, *place) : std::nullopt;
    if (!read) {
      const auto bytes = place ? scalar_bytes(*frame.memory, *place) : fail(place.error().code, place.error().message);
      return {.word = bytes ? "<error: a discriminant that cannot be read>" : "<error: " + bytes.error().message + ">"};
    }
    const auto size = part.discriminant->size().value_or(8);
    variant = variant_of(part, *read, size >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (size * 8)) - 1);
    if (variant == nullptr) return {.word = fmt::format("<error: {} is no variant's discriminant>", *read)};
  }
  if (variant == nullptr) return {.word = "<error: an enum without variants>"};
  const auto payload = part_of(value, variant->offset, variant->type);
  if (!payload) return {.word = "<error: " + payload.error().message + ">"};
  return of_fields(frame, *payload, rust_whole(frame, variant->type), variant->name);
}

// {data_ptr, length}: &[T], &str, Box<[T]>, Box<str>.
std::optional<RustView> of_slice(const FrameView& frame, const Value& value, const Type* type) {
  const auto data = rust_member(frame, value, "data_ptr");
  const auto length = rust_member(frame, value, "length");
  const auto at = data ? rust_number(frame, *data) : std::nullopt;
  const auto count = length ? rust_number(frame, *length) : std::nullopt;
  if (!at || !count || type->members().size() != 2) return std::nullopt;
  const Type* element = data->type->strip()->target();
  if (element == nullptr) return std::nullopt;
  auto view = rust_sequence(frame, element, *at, *count);
  const auto& name = type->name();
  const bool text = name.ends_with("str") || name.find("<str,") != std::string::npos;
  if (text && view.shape == Shape::list) {
    std::vector<std::byte> bytes(std::min<std::uint64_t>(*count, Limits{}.max_string));
    if (frame.memory->read_some(LoadAddr{*at}, bytes) != bytes.size())
      return RustView{.word = fmt::format("<error: cannot read {} bytes of text at {:#x}>", *count, *at)};
    return RustView{.word = rust_quoted(bytes, *count > bytes.size())};
  }
  return view;
}

// {pointer, vtable}: the vtable's debug information says what is behind it.
std::optional<RustView> of_trait_object(const FrameView& frame, const Value& value) {
  const auto pointer = rust_member(frame, value, "pointer");
  const auto vtable = rust_member(frame, value, "vtable");
  const auto at = pointer ? rust_number(frame, *pointer) : std::nullopt;
  const auto table = vtable ? rust_number(frame, *vtable) : std::nullopt;
  if (!at || !table) return std::nullopt;
  const auto* module = frame.modules->find(LoadAddr{*table});
  const Type* concrete = module ? sym::rust_vtable_type(*module->symbols, *table - module->bias) : nullptr;
  if (concrete == nullptr) return std::nullopt;
  return RustView{.shape = Shape::inner, .word = {}, .parts = {{"*", in_memory(concrete, LoadAddr{*at})}}};
}

std::optional<RustView> of_pointer(const FrameView& frame, const Value& value, const Type* type) {
  const auto& name = type->name();
  if (!name.starts_with('&') && !name.starts_with("alloc::boxed::Box<")) return std::nullopt;
  const Type* target = rust_whole(frame, type->target());
  if (!target->rust() || !target->size()) return std::nullopt;
  const auto at = rust_number(frame, value);
  if (!at) return std::nullopt;
  return RustView{.shape = Shape::inner, .word = {}, .parts = {{"*", in_memory(type->target(), LoadAddr{*at})}}};
}

}  // namespace

std::string rust_bare_name(const Type* type) {
  std::string name = type->short_name();
  if (name.starts_with("{closure_env")) return "closure";
  const auto open = name.find('<');
  return open == 0 || open == std::string::npos ? name : name.substr(0, open);
}

const Type* rust_whole(const FrameView& frame, const Type* type) {
  return type->strip()->complete(search_order(*frame.modules, nullptr));
}

std::optional<Value> rust_member(const FrameView& frame, const Value& value, std::string_view name) {
  for (const auto& member : rust_whole(frame, value.type)->members()) {
    if (member.name != name || member.kind != sym::Member::Kind::field) continue;
    if (auto part = member_of(frame, value, member)) return *std::move(part);
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> rust_number(const FrameView& frame, const Value& value) {
  const auto kind = value.type->strip()->kind();
  if (value.is_problem() || kind == TypeKind::record || kind == TypeKind::array) return std::nullopt;
  const auto bytes = scalar_bytes(*frame.memory, value);
  if (!bytes || bytes->empty()) return std::nullopt;
  std::uint64_t number = 0;
  std::memcpy(&number, bytes->data(), std::min<std::size_t>(8, bytes->size()));
  return number;
}

namespace {

template <class Wanted>
std::optional<Value> first_within(const FrameView& frame, const Value& value, Wanted wanted, int depth) {
  const Type* type = rust_whole(frame, value.type);
  if (wanted(type)) return value;
  if (type->kind() != TypeKind::record || depth > deepest) return std::nullopt;
  for (const auto& member : type->members()) {
    if (member.kind != sym::Member::Kind::field || member.type->size().value_or(0) == 0) continue;
    if (const auto part = member_of(frame, value, member))
      if (auto found = first_within(frame, *part, wanted, depth + 1)) return found;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Value> rust_pointer(const FrameView& frame, const Value& value) {
  return first_within(
      frame, value, [](const Type* type) { return type->kind() == TypeKind::pointer; }, 0);
}

std::optional<std::uint64_t> rust_integer(const FrameView& frame, const Value& value) {
  const auto found = first_within(
      frame, value, [](const Type* type) { return type->kind() == TypeKind::base; }, 0);
  return found ? rust_number(frame, *found) : std::nullopt;
}

const Type* rust_argument(const Type* type, std::string_view name) {
  for (const auto& argument : type->template_arguments())
    if (argument.name == name) return argument.type;
  return nullptr;
}

RustView rust_sequence(const FrameView& frame, const Type* element, std::uint64_t at, std::uint64_t count) {
  const auto size = rust_whole(frame, element)->size();
  if (!size) return {.word = "<error: elements of an unknown size>"};
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(count, std::max<std::uint64_t>(*size, 1), &bytes) || bytes > most_bytes)
    return {.word = fmt::format("<error: a length of {} is not possible>", count)};
  RustView view{.shape = Shape::list, .word = {}, .parts = {}, .count = count};
  view.page = [element, at, size = *size](std::uint64_t start,
                                          std::uint64_t wanted) -> Result<std::vector<RustView::Entry>> {
    std::vector<RustView::Entry> page;
    page.reserve(wanted);
    for (std::uint64_t i = start; i < start + wanted; ++i)
      page.push_back({in_memory(element, LoadAddr{at + i * size})});
    return page;
  };
  return view;
}

std::string rust_quoted(std::span<const std::byte> bytes, bool cut) {
  std::string out = "\"";
  const auto byte = [&](std::size_t i) { return i < bytes.size() ? std::to_integer<unsigned>(bytes[i]) : 0U; };
  for (std::size_t i = 0; i < bytes.size();) {
    const unsigned c = byte(i);
    const std::size_t length = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : c < 0xf5 ? 4 : 0;
    std::size_t good = c < 0x80 || c >= 0xc2 ? 1 : 0;
    while (good > 0 && good < length && (byte(i + good) & 0xc0) == 0x80) ++good;
    if (good == 0 || good != length) {
      if (cut && i + 4 > bytes.size()) break;  // a letter of which the rest was not read
      out += fmt::format("\\x{:02x}", c);
      ++i;
      continue;
    }
    switch (c) {
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\\': out += "\\\\"; break;
      case '"': out += "\\\""; break;
      case 0: out += "\\0"; break;
      default:
        if (c < 0x20 || c == 0x7f)
          out += fmt::format("\\u{{{:x}}}", c);
        else
          out.append(reinterpret_cast<const char*>(bytes.data()) + i, length);
    }
    i += length;
  }
  return out + (cut ? "\"..." : "\"");
}

std::optional<RustView> rust_view(const FrameView& frame, const Value& value) {
  if (value.is_problem() || value.raw) return std::nullopt;
  const Type* type = rust_whole(frame, value.type);
  if (!type->rust()) return std::nullopt;
  switch (type->kind()) {
    case TypeKind::pointer: return of_pointer(frame, value, type);
    case TypeKind::base:
      if (type->size() == 0) return RustView{.word = type->name()};  // ()
      return std::nullopt;
    case TypeKind::array: {
      const auto count = type->count();
      if (!count || value.place != Value::Place::memory) return std::nullopt;
      return rust_sequence(frame, type->target(), value.address.value, *count);
    }
    case TypeKind::record: break;
    default: return std::nullopt;
  }
  if (type->declaration()) return std::nullopt;
  std::byte probe{};
  if (value.place == Value::Place::memory && type->size().value_or(0) > 0 &&
      frame.memory->read_some(value.address, std::span(&probe, 1)) == 0)
    return RustView{.word = fmt::format("<error: cannot read {} bytes at {:#x}>", *type->size(), value.address.value)};
  if (auto view = rust_visualized(frame, value, type)) return view;
  if (const auto* part = type->variants()) return of_variant(frame, value, *part);
  if (auto view = of_slice(frame, value, type)) return view;
  if (auto view = of_trait_object(frame, value)) return view;
  if (auto view = rust_library_view(frame, value, type)) return view;
  const bool tuple = type->short_name().starts_with('(');
  return of_fields(frame, value, type, tuple ? std::string{} : rust_bare_name(type));
}

std::optional<RustView> rust_content(const FrameView& frame, const Value& value) {
  auto view = rust_view(frame, value);
  for (int hops = 0; hops < deepest && view && view->shape == Shape::inner; ++hops) {
    auto below = rust_view(frame, view->parts[0].second);
    if (!below) return view;
    view = std::move(below);
  }
  return view;
}

}  // namespace trapline::eval
