#include "daemon/eval/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "daemon/eval/dynamic_type.hpp"
#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/number.hpp"
#include "daemon/eval/scope.hpp"
#include "daemon/eval/text.hpp"
#include "daemon/eval/visualizer.hpp"

namespace trapline::eval {

using sym::Encoding;
using sym::Member;
using sym::Type;
using sym::TypeKind;

std::string problem_text(const Error& error) {
  if (error.message.starts_with("optimized out")) return "<optimized out>";
  if (error.message.starts_with("not available")) return "<not available>";
  return "<error: " + error.message + ">";
}

namespace {

std::uint64_t word_of(std::span<const std::byte> bytes, std::size_t offset = 0) {
  std::uint64_t word = 0;
  if (offset < bytes.size()) std::memcpy(&word, bytes.data() + offset, std::min<std::size_t>(8, bytes.size() - offset));
  return word;
}

}  // namespace

std::string Printer::symbol(std::uint64_t address) const {
  if (address == 0) return "";
  const auto found = view_.modules->symbol_at(LoadAddr{address});
  if (!found || found->first.empty()) return "";
  return found->second.value == 0 ? fmt::format(" <{}>", found->first)
                                  : fmt::format(" <{}+{}>", found->first, found->second.value);
}

std::string Printer::address(std::uint64_t bits) const {
  Format format = options_.format;
  if (format.radix == Format::Radix::natural) format.radix = Format::Radix::hexadecimal;
  return integer_text(static_cast<Int128>(bits), 8, false, format);
}

Printer Printer::below() const {
  Options options = options_;
  options.format = options_.format.inherited();
  return {view_, options};
}

std::string Printer::text(const Value& value, std::size_t depth) const {
  if (value.is_problem()) return problem_text(value.problem);
  const Type* plain = value.type->strip();
  if (plain->rust() && !value.raw && !options_.format.raw)
    if (auto line = rust(value, depth)) return *std::move(line);
  if (plain->kind() == TypeKind::record && !value.visual && !options_.format.no_derived)
    if (const auto derived = derived_view(view_, value))
      return fmt::format("({}) {}", derived->type->name(), text(in_memory(derived->type, derived->address), depth));
  if (view_.visualizers != nullptr && !value.raw && !options_.format.raw &&
      (plain->kind() == TypeKind::record || value.visual))
    if (auto line = view_.visualizers->summary(view_, value, options_, depth)) return *std::move(line);
  if (options_.format.text != Format::Text::natural)
    if (auto text = as_text(value)) return *std::move(text);
  switch (plain->kind()) {
    case TypeKind::void_: return "void";
    case TypeKind::unknown:
      return value.place == Value::Place::memory ? "<data variable, no debug information>" : "<unknown type>";
    case TypeKind::function:
      return fmt::format("{{{}}} {:#x}{}", plain->name(), value.address.value, symbol(value.address.value));
    case TypeKind::lvalue_reference:
    case TypeKind::rvalue_reference: return reference(value, depth);
    case TypeKind::array: return array(value, depth);
    case TypeKind::record: return record(value, depth);
    default: break;
  }
  if (const Part* removed = implicit_pointer_at(value); removed != nullptr && plain->kind() == TypeKind::pointer) {
    const Value target = variable_value(view_, removed->pointee, sym::type_of(removed->pointee), false);
    if (target.place == Value::Place::memory)
      return address(target.address.value + static_cast<std::uint64_t>(removed->pointee_offset));
    return "(synthetic pointer)";
  }
  const auto bytes = scalar_bytes(*view_.memory, value);
  if (!bytes) return problem_text(bytes.error());
  std::string line = scalar(value, *bytes);
  if (plain->kind() == TypeKind::pointer && depth == 0 && !value.raw && !options_.format.raw &&
      !options_.format.no_address)
    if (const auto target = visualized_target(value, word_of(*bytes))) line += " " + *target;
  return line;
}

// What a visualiser says of the object that is pointed to.
std::optional<std::string> Printer::visualized_target(const Value& pointer, std::uint64_t address) const {
  const Type* target = pointer.type->strip()->target();
  if (view_.visualizers == nullptr || address == 0 || target->strip()->kind() != TypeKind::record) return std::nullopt;
  std::byte probe{};
  if (view_.memory->read_some(LoadAddr{address}, std::span(&probe, 1)) == 0) return std::nullopt;
  Value object = in_memory(target, LoadAddr{address});
  object.view_name = pointer.view_name;
  return view_.visualizers->summary(view_, object, below().options_, 1);
}

std::string Printer::scalar(const Value& value, std::span<const std::byte> bytes) const {
  const Type* plain = value.type->strip();
  switch (plain->kind()) {
    case TypeKind::pointer: return pointer(value, bytes);
    case TypeKind::null_pointer: return "nullptr";
    case TypeKind::enumeration: return enumeration(plain, bytes);
    case TypeKind::data_member_pointer:
    case TypeKind::function_member_pointer: return member_pointer(plain, bytes);
    default: break;
  }
  if (plain->encoding() == Encoding::floating) {
    const Quad real = load_number(plain, bytes).real;
    return options_.format.real == Format::Real::scientific ? scientific_text(plain, real) : float_text(plain, real);
  }
  if (plain->encoding() == Encoding::complex) return complex(plain, bytes);
  return integer(value.type, bytes);
}

std::string Printer::integer(const Type* type, std::span<const std::byte> bytes) const {
  const Type* plain = type->strip();
  const Number number = load_number(plain, bytes);
  const Format& format = options_.format;
  const bool decimal = format.radix == Format::Radix::decimal || format.radix == Format::Radix::unsigned_decimal;
  if (plain->encoding() == Encoding::boolean && !decimal) {
    if (number.integer == 0 || number.integer == 1) return number.integer != 0 ? "true" : "false";
    return text_of(number.integer);  // no bool of this program: shown as it is
  }
  const std::size_t size = static_cast<std::size_t>(plain->size().value_or(8));
  if (format.address) {
    const auto bits = static_cast<std::uint64_t>(number.integer);
    return fmt::format("{:#x}{}", bits, symbol(bits));
  }
  std::string digits = integer_text(number.integer, size, is_signed(plain), format);
  if (plain->rust() && is_character(type) && format.radix == Format::Radix::natural) {
    std::string letter = quoted_character(type, static_cast<std::int64_t>(number.integer));
    return letter.substr(std::min(letter.find('\''), letter.size()));  // Rust's has no prefix
  }
  if (is_character(type) && !decimal)
    digits += " " + quoted_character(type, static_cast<std::int64_t>(number.integer));
  else if (format.character)
    digits += " " + quoted_character(
                        sym::builtin(size == 1 || (number.integer >= 0 && number.integer < 0x80) ? sym::Builtin::char_
                                     : size == 2                                                 ? sym::Builtin::char16
                                                 : sym::Builtin::char32),
                        static_cast<std::int64_t>(number.integer));
  if (format.error_number && number.integer > 0 && number.integer < 4096)
    if (const char* name = strerrorname_np(static_cast<int>(number.integer))) digits += fmt::format(" {}", name);
  return digits;
}

std::string Printer::complex(const Type* type, std::span<const std::byte> bytes) const {
  const std::size_t half = bytes.size() / 2;
  const sym::Builtin part = half == 4      ? sym::Builtin::float_
                            : half == 8    ? sym::Builtin::double_
                            : type->quad() ? sym::Builtin::float128
                                           : sym::Builtin::long_double;
  const Type* element = sym::builtin(part);
  std::string imaginary = float_text(element, load_number(element, bytes.subspan(half)).real);
  const bool negative = imaginary.starts_with('-');
  return fmt::format("{} {} {}i", float_text(element, load_number(element, bytes.first(half)).real),
                     negative ? '-' : '+', negative ? imaginary.substr(1) : imaginary);
}

std::string Printer::enumeration(const Type* type, std::span<const std::byte> bytes) const {
  const Type* whole = type->complete(search_order(*view_.modules, nullptr));
  const Number number = load_number(whole, bytes);
  const auto value = static_cast<std::uint64_t>(number.integer);
  const std::string scope = whole->scoped() && !whole->rust() ? whole->short_name() + "::" : "";
  const std::string plain = integer_text(number.integer, bytes.size(), is_signed(whole), options_.format);
  const bool both = options_.format.radix != Format::Radix::natural;  // who asks for digits gets them
  for (const sym::Enumerator& e : whole->enumerators())
    if (e.value == value) return both ? fmt::format("{}{} ({})", scope, e.name, plain) : scope + e.name;
  if (!whole->flags() || value == 0) return plain;
  std::string out;
  std::uint64_t left = value;
  // Names of several bits first: READ_WRITE rather than READ | WRITE.
  std::vector<const sym::Enumerator*> order;
  for (const sym::Enumerator& e : whole->enumerators()) order.push_back(&e);
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [](const sym::Enumerator* e) { return std::popcount(e->value); });
  std::vector<const sym::Enumerator*> used;
  for (const sym::Enumerator* e : order)
    if (e->value != 0 && (left & e->value) == e->value) {
      left &= ~e->value;
      used.push_back(e);
    }
  std::ranges::stable_sort(used, {}, [](const sym::Enumerator* e) { return e->value; });
  for (const sym::Enumerator* e : used) out += (out.empty() ? "" : " | ") + scope + e->name;
  if (used.empty()) return plain;
  if (left != 0) out += fmt::format(" | {:#x}", left);
  return both ? fmt::format("{} ({})", out, plain) : out;
}

std::string Printer::pointer(const Value& value, std::span<const std::byte> bytes) const {
  const std::uint64_t bits = word_of(bytes);
  const Type* target = value.type->strip()->target();
  const std::string digits = address(bits);
  if (bits == 0) return digits;
  const bool bare = options_.format.no_address;
  if (is_character(target)) {
    const StringRead string = read_string(*view_.memory, target, LoadAddr{bits}, options_.limits.max_string);
    const Type* element = target->strip();
    const bool bytes_only = element->size() == 1 && element->name() != "char" && element->encoding() != Encoding::utf;
    if (string.readable && (!bytes_only || (string.printable && !string.empty)))
      return bare ? string.text : digits + " " + string.text;
    if (!string.readable) return digits + " <error: nothing readable there>";
    return digits;
  }
  if (!bare && !value.as_declared && !options_.format.no_derived && target->strip()->kind() == TypeKind::record)
    if (const auto derived = derived_view(view_, in_memory(target, LoadAddr{bits})))
      return fmt::format("({}) {}{}", derived->type->name(), digits, symbol(bits));
  std::string name = symbol(bits);
  if (!bare) return digits + name;
  // Without its address a pointer is what it points to.
  if (!name.empty()) return name.substr(1);
  const TypeKind kind = target->strip()->kind();
  if (kind == TypeKind::void_ || kind == TypeKind::function || kind == TypeKind::unknown) return digits;
  return below().text(in_memory(target, LoadAddr{bits}), 0);
}

// Itanium C++ ABI 2.3: a data member pointer is the offset, -1 is null; a function member pointer is {ptr, adj}, an odd
// ptr is 1 + an offset in the vtable.
std::string Printer::member_pointer(const Type* type, std::span<const std::byte> bytes) const {
  const std::uint64_t first = word_of(bytes);
  const Type* record = type->containing_record()->strip()->complete(search_order(*view_.modules, nullptr));
  if (type->kind() == TypeKind::data_member_pointer) {
    if (first == ~std::uint64_t{0}) return "nullptr";
    for (const Member& member : record->members())
      if (member.kind == Member::Kind::field && member.offset == first && !member.name.empty() &&
          member.bit_size == 0 && same_type(member.type, type->target()))
        return fmt::format("&{}::{}", record->name(), member.name);
    return fmt::format("offset {:#x} in {}", first, record->name());
  }
  const auto adjustment = static_cast<std::int64_t>(word_of(bytes, 8));
  if (first == 0) return "nullptr";
  std::string out = (first & 1) != 0
                        ? fmt::format("virtual function at vtable offset {} of {}", first - 1, record->name())
                        : fmt::format("{:#x}{}", first, symbol(first));
  if (adjustment != 0) out += fmt::format(", this adjusted by {}", adjustment);
  return out;
}

std::string Printer::reference(const Value& value, std::size_t depth) const {
  const Type* target = value.type->strip()->target();
  if (const Part* removed = implicit_pointer_at(value)) {
    Value referee = variable_value(view_, removed->pointee, sym::type_of(removed->pointee), false);
    const auto part = part_of(referee, static_cast<std::uint64_t>(removed->pointee_offset), target);
    return part ? text(*part, depth) : problem_text(part.error());
  }
  const auto address = pointer_bits(*view_.memory, value);
  if (!address) return problem_text(address.error());
  std::string referee = text(in_memory(target, LoadAddr{*address}), depth);
  return options_.format.no_address ? referee : fmt::format("@{:#x}: {}", *address, referee);
}

void Printer::fields(const Value& value, std::size_t depth, std::size_t& shown, std::string& out) const {
  const Printer members = below();
  const Type* whole = value.type->strip()->complete(search_order(*view_.modules, nullptr));
  for (const Member& member : whole->members()) {
    if (member.kind == Member::Kind::static_ || member.artificial || member.name.starts_with("_vptr")) continue;
    const bool base = member.kind != Member::Kind::field;
    if (base && member.type->strip()->members().empty()) continue;  // an empty base says nothing
    if (++shown > max_members) {
      if (!out.ends_with("...")) out += "...";
      return;
    }
    const auto part = member_of(view_, value, member);
    if (!out.empty() && out != "{") out += ", ";
    const bool anonymous = member.name.empty() && member.type->strip()->kind() == TypeKind::record;
    if (!anonymous) out += member.name + "=";
    if (!part) {
      out += problem_text(part.error());
    } else if (anonymous) {
      std::string inner = "{";
      fields(*part, depth, shown, inner);
      out += inner + "}";
    } else {
      out += members.text(*part, depth + 1);
    }
  }
}

std::string Printer::record(const Value& value, std::size_t depth) const {
  const Type* whole = value.type->strip()->complete(search_order(*view_.modules, nullptr));
  if (whole->declaration()) return "<incomplete type>";
  if (whole->members().empty()) return "{}";
  if (depth >= options_.limits.summary_depth) return "{...}";
  // Nothing of it can be read: say so once, and not for every member.
  if (value.place == Value::Place::memory && whole->size().value_or(0) > 0) {
    std::byte probe{};
    if (view_.memory->read_some(value.address, std::span(&probe, 1)) == 0)
      return value.address.value == 0
                 ? "<error: null pointer: there is nothing to read at 0x0>"
                 : fmt::format("<error: cannot read {} bytes at {:#x}>", *whole->size(), value.address.value);
  }
  std::string out = "{";
  std::size_t shown = 0;
  fields(value, depth, shown, out);
  return out + "}";
}

std::string summary(const FrameView& frame, const Value& value, const Options& options) {
  return Printer(frame, options).text(value);
}

std::string summary_within(const FrameView& frame, const Value& value, const Options& options, std::size_t depth) {
  return Printer(frame, options).text(value, depth);
}

std::string type_name(const Value& value) { return value.type->name(); }

std::optional<LoadAddr> address_of(const Value& value) {
  if (value.place != Value::Place::memory || value.bit_size != 0) return std::nullopt;
  return value.address;
}

}  // namespace trapline::eval
