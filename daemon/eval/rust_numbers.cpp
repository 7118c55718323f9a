// Numbers and comparisons as Rust has them: no promotions, no conversions but `as`, overflow is an error.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "daemon/eval/rust_expression.hpp"
#include "daemon/eval/rust_view.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Encoding;
using sym::Type;
using sym::TypeKind;

namespace {

struct Primitive {
  std::string_view name;
  Encoding encoding;
  std::uint64_t size;
};
constexpr std::array<Primitive, 16> primitives{{{"i8", Encoding::signed_integer, 1},
                                                {"u8", Encoding::unsigned_integer, 1},
                                                {"i16", Encoding::signed_integer, 2},
                                                {"u16", Encoding::unsigned_integer, 2},
                                                {"i32", Encoding::signed_integer, 4},
                                                {"u32", Encoding::unsigned_integer, 4},
                                                {"i64", Encoding::signed_integer, 8},
                                                {"u64", Encoding::unsigned_integer, 8},
                                                {"isize", Encoding::signed_integer, 8},
                                                {"usize", Encoding::unsigned_integer, 8},
                                                {"i128", Encoding::signed_integer, 16},
                                                {"u128", Encoding::unsigned_integer, 16},
                                                {"f32", Encoding::floating, 4},
                                                {"f64", Encoding::floating, 8},
                                                {"bool", Encoding::boolean, 1},
                                                {"char", Encoding::utf, 4}}};

bool is_number(const Type* type) {
  return (is_integral(type) && !is_boolean(type) && type->encoding() != Encoding::utf) || is_floating(type);
}

std::uint64_t bits_of(const Type* type) { return type->strip()->size().value_or(8) * 8; }

// Whether an integer type holds it.
bool holds(const Type* type, Int128 value, bool huge) {
  const auto bits = bits_of(type);
  if (is_signed(type->strip())) {
    if (huge) return false;
    if (bits >= 128) return true;
    const Int128 limit = Int128{1} << (bits - 1);
    return -limit <= value && value < limit;
  }
  if (huge) return bits >= 128;
  return value >= 0 && (bits >= 128 || static_cast<UInt128>(value) >> bits == 0);
}

bool same_kind(const Type* a, const Type* b) {
  const Type* x = a->strip();
  const Type* y = b->strip();
  if (x->kind() == TypeKind::pointer && y->kind() == TypeKind::pointer) return true;
  return x->encoding() == y->encoding() && x->size() == y->size() && is_signed(x) == is_signed(y) &&
         (a->name() == b->name() || !is_integral(x) || is_enumeration(x));
}

Result<Number> number_of(const FrameView& frame, const Value& value) {
  if (value.is_problem()) return std::unexpected(value.problem);
  const Type* type = value.type->strip();
  if (!is_arithmetic(type) && !is_enumeration(type) && type->kind() != TypeKind::pointer)
    return fail(Errc::bad_expression, fmt::format("a `{}` is no number", value.type->name()));
  TL_TRY(const auto bytes, scalar_bytes(*frame.memory, value));
  return load_number(type->kind() == TypeKind::pointer ? sym::builtin(Builtin::unsigned_long) : type, bytes);
}

std::optional<Op> operation(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, Op>, 16> all{{{"+", Op::add},
                                                                 {"-", Op::subtract},
                                                                 {"*", Op::multiply},
                                                                 {"/", Op::divide},
                                                                 {"%", Op::remainder},
                                                                 {"<<", Op::shift_left},
                                                                 {">>", Op::shift_right},
                                                                 {"&", Op::bit_and},
                                                                 {"|", Op::bit_or},
                                                                 {"^", Op::bit_xor},
                                                                 {"==", Op::equal},
                                                                 {"!=", Op::not_equal},
                                                                 {"<", Op::less},
                                                                 {"<=", Op::less_equal},
                                                                 {">", Op::greater},
                                                                 {">=", Op::greater_equal}}};
  for (const auto& [word, op] : all)
    if (word == text) return op;
  return std::nullopt;
}

// Of 64 bits and less everything fits 128; of 128 bits the compiler's own checks say.
Result<Number> checked(Op op, const Type* type, const Number& a, const Number& b) {
  if (a.floating || is_comparison(op) || op == Op::bit_and || op == Op::bit_or || op == Op::bit_xor)
    return arithmetic(op, type->strip(), a, b);
  const auto overflow = [&] {
    return fail(Errc::bad_expression, fmt::format("`{}` overflows {}", text_of(op), type->name()));
  };
  if (op == Op::shift_left || op == Op::shift_right) {
    if (b.integer < 0 || b.integer >= static_cast<Int128>(bits_of(type))) return overflow();
    return arithmetic(op, type->strip(), a, b);
  }
  if (op == Op::divide || op == Op::remainder) {
    TL_TRY(const auto result, arithmetic(op, type->strip(), a, b));
    const bool least = is_signed(type->strip()) && b.integer == -1 && !holds(type, -a.integer, false);
    return least ? Result<Number>(overflow()) : result;
  }
  Int128 exact = 0;
  bool over = false;
  if (!is_signed(type->strip()) && bits_of(type) == 128) {
    UInt128 wide = 0;
    const auto x = static_cast<UInt128>(a.integer), y = static_cast<UInt128>(b.integer);
    over = op == Op::add        ? __builtin_add_overflow(x, y, &wide)
           : op == Op::subtract ? __builtin_sub_overflow(x, y, &wide)
                                : __builtin_mul_overflow(x, y, &wide);
    exact = static_cast<Int128>(wide);
  } else {
    over = op == Op::add        ? __builtin_add_overflow(a.integer, b.integer, &exact)
           : op == Op::subtract ? __builtin_sub_overflow(a.integer, b.integer, &exact)
                                : __builtin_mul_overflow(a.integer, b.integer, &exact);
    over = over || !holds(type, exact, false);
  }
  if (over) return overflow();
  return Number{.floating = false, .integer = exact, .real = 0};
}

// A literal takes the type of what stands beside it.
Result<Value> adapted(const FrameView& frame, const RustOperand& literal, const Type* type) {
  TL_TRY(const auto number, number_of(frame, literal.value));
  const Type* plain = type->strip();
  if (!is_number(plain) || number.floating != is_floating(plain)) return literal.value;
  if (!number.floating && !holds(type, number.integer, false))
    return fail(Errc::bad_expression, fmt::format("{} is no {}", text_of(number.integer), type->name()));
  return rust_from(type, number);
}

// Text of both, where both are text that was read whole.
std::optional<std::pair<std::string, std::string>> texts(const FrameView& frame, const Value& a, const Value& b) {
  const auto text = [&](const Value& value) -> std::optional<std::string> {
    const Type* type = value.type->strip();
    if (type->kind() == TypeKind::array && type->target()->strip() == sym::builtin(Builtin::char_))
      return rust_quoted(value.bytes, false);
    const auto view = rust_content(frame, value);
    if (!view || view->shape != RustView::Shape::word || !view->word.starts_with('"')) return std::nullopt;
    return view->word;
  };
  auto one = text(a), other = text(b);
  if (!one || !other || one->ends_with("\"...") || other->ends_with("\"...")) return std::nullopt;
  return std::pair(*std::move(one), *std::move(other));
}

}  // namespace

const Type* rust_primitive(std::string_view name) {
  static const auto made = [] {
    std::array<const Type*, primitives.size()> types{};
    for (std::size_t i = 0; i < primitives.size(); ++i)
      types[i] = sym::make_rust_primitive(std::string(primitives[i].name), primitives[i].encoding, primitives[i].size);
    return types;
  }();
  for (std::size_t i = 0; i < primitives.size(); ++i)
    if (primitives[i].name == name) return made[i];
  return nullptr;
}

Value rust_from(const Type* type, const Number& number) { return computed(type, store_number(type->strip(), number)); }

Value rust_peeled(const FrameView& frame, Value value) {
  for (int hops = 0; hops < 16; ++hops) {
    auto view = rust_view(frame, value);
    if (!view || view->shape != RustView::Shape::inner) return value;
    value = std::move(view->parts[0].second);
  }
  return value;
}

Result<RustOperand> rust_number_literal(std::string_view text, bool floating) {
  std::string digits;
  for (const char c : text)
    if (c != '_') digits += c;
  std::string suffix;
  const bool prefixed =
      digits.size() > 1 && digits[0] == '0' && std::string_view("xob").find(digits[1]) != std::string_view::npos;
  const int base = !prefixed ? 10 : digits[1] == 'x' ? 16 : digits[1] == 'o' ? 8 : 2;
  for (const auto& [name, encoding, size] : primitives)
    if (digits.ends_with(name) && digits.size() > name.size() && !(base == 16 && name[0] == 'f')) suffix = name;
  digits.resize(digits.size() - suffix.size());
  const Type* type = suffix.empty() ? nullptr : rust_primitive(suffix);
  if (floating || (type != nullptr && is_floating(type->strip()))) {
    Quad real = 0;
    if (!parse_quad(digits, real)) return fail(Errc::bad_expression, fmt::format("`{}` is no number", text));
    const Type* chosen = type ? type : rust_primitive("f64");
    return RustOperand{rust_from(chosen, {.floating = true, .integer = 0, .real = real}), type == nullptr};
  }
  UInt128 value = 0;
  std::string_view rest = digits;
  if (prefixed) rest.remove_prefix(2);
  for (const char c : rest) {
    const int digit = std::isdigit(static_cast<unsigned char>(c)) != 0 ? c - '0'
                      : std::isxdigit(static_cast<unsigned char>(c)) != 0
                          ? std::tolower(static_cast<unsigned char>(c)) - 'a' + 10
                          : 99;
    if (digit >= base) return fail(Errc::bad_expression, fmt::format("`{}` is no number", text));
    if (value > (~UInt128{0} - static_cast<unsigned>(digit)) / static_cast<unsigned>(base))
      return fail(Errc::bad_expression, fmt::format("`{}` is larger than any integer", text));
    value = value * static_cast<unsigned>(base) + static_cast<unsigned>(digit);
  }
  if (rest.empty()) return fail(Errc::bad_expression, fmt::format("`{}` is no number", text));
  const bool huge = value >> 127 != 0;
  const auto integer = static_cast<Int128>(value);
  if (type == nullptr)
    for (const auto* name : {"i32", "i64", "i128", "u128"})
      if (type == nullptr && holds(rust_primitive(name), integer, huge)) type = rust_primitive(name);
  if (!is_number(type) || !holds(type, integer, huge))
    return fail(Errc::bad_expression, fmt::format("`{}` is no {}", text, type->name()));
  return RustOperand{rust_from(type, {.floating = false, .integer = integer, .real = 0}), suffix.empty()};
}

Result<bool> rust_truth(const FrameView& frame, const Value& value) {
  const Value plain = rust_peeled(frame, value);
  if (plain.is_problem()) return std::unexpected(plain.problem);
  if (!is_boolean(plain.type->strip()))
    return fail(Errc::bad_expression, fmt::format("a `{}` is no bool", plain.type->name()));
  TL_TRY(const auto number, number_of(frame, plain));
  return number.integer != 0;
}

Result<RustOperand> rust_negate(const FrameView& frame, std::string_view op, const RustOperand& a) {
  const Value value = rust_peeled(frame, a.value);
  TL_TRY(const auto number, number_of(frame, value));
  const Type* type = value.type->strip();
  if (op == "!") {
    if (is_boolean(type))
      return RustOperand{rust_from(value.type, {.floating = false, .integer = number.integer == 0, .real = 0})};
    if (!is_number(type) || is_floating(type))
      return fail(Errc::bad_expression, fmt::format("`!` of a `{}`", value.type->name()));
    return RustOperand{rust_from(value.type, complement(type, number)), a.untyped};
  }
  if (number.floating) return RustOperand{rust_from(value.type, negate(type, number)), a.untyped};
  if (!is_signed(type) || is_boolean(type))
    return fail(Errc::bad_expression, fmt::format("`-` of a `{}`", value.type->name()));
  if (!holds(value.type, -number.integer, false))
    return fail(Errc::bad_expression, fmt::format("`-` overflows {}", value.type->name()));
  return RustOperand{rust_from(value.type, {.floating = false, .integer = -number.integer, .real = 0}), a.untyped};
}

Result<RustOperand> rust_binary(const FrameView& frame, std::string_view op, RustOperand a, RustOperand b) {
  const auto operation_of = operation(op);
  if (!operation_of) return fail(Errc::bad_expression, fmt::format("`{}` is no operator", op));
  const bool comparison = is_comparison(*operation_of);
  a.value = rust_peeled(frame, std::move(a.value));
  b.value = rust_peeled(frame, std::move(b.value));
  const auto truth = [&](bool yes) {
    return RustOperand{rust_from(rust_primitive("bool"), {.floating = false, .integer = yes, .real = 0})};
  };
  if (comparison)
    if (const auto both = texts(frame, a.value, b.value)) {
      const int order = both->first.compare(both->second);
      switch (*operation_of) {
        case Op::equal: return truth(order == 0);
        case Op::not_equal: return truth(order != 0);
        default: return fail(Errc::bad_expression, "text is compared with `==` and `!=` only");
      }
    }
  if (a.untyped && !b.untyped) {
    TL_TRY(a.value, adapted(frame, a, b.value.type));
  }
  const bool shift = *operation_of == Op::shift_left || *operation_of == Op::shift_right;
  if (b.untyped && !a.untyped && !shift) {
    TL_TRY(b.value, adapted(frame, b, a.value.type));
  }
  if (a.untyped && b.untyped && bits_of(a.value.type) != bits_of(b.value.type)) {
    const Type* wider = bits_of(a.value.type) > bits_of(b.value.type) ? a.value.type : b.value.type;
    TL_TRY(a.value, adapted(frame, a, wider));
    TL_TRY(b.value, adapted(frame, b, wider));
  }
  TL_TRY(const auto x, number_of(frame, a.value));
  TL_TRY(const auto y, number_of(frame, b.value));
  const Type* type = a.value.type->strip();
  if (!shift && !same_kind(a.value.type, b.value.type))
    return fail_hint(Errc::bad_expression,
                     fmt::format("`{}` of a `{}` and a `{}`", op, a.value.type->name(), b.value.type->name()),
                     "Rust converts nothing by itself: write `as`");
  if (type->kind() == TypeKind::pointer) type = sym::builtin(Builtin::unsigned_long);
  const bool bits_of_bool = is_boolean(type) && (op == "&" || op == "|" || op == "^");
  if (!comparison && !bits_of_bool &&
      (!is_number(type) || (is_floating(type) && (shift || op == "&" || op == "|" || op == "^"))))
    return fail(Errc::bad_expression, fmt::format("`{}` of a `{}`", op, a.value.type->name()));
  if (is_enumeration(type)) type = type->target()->strip();
  if (comparison) {
    TL_TRY(const auto result, arithmetic(*operation_of, type, x, y));
    return truth(result.integer != 0);
  }
  TL_TRY(const auto result, checked(*operation_of, a.value.type, x, y));
  return RustOperand{rust_from(a.value.type, result), a.untyped && b.untyped};
}

// Integers are cut or extended, floating values saturate, and no number of none is 0 (Rust's reference, "as").
Result<Value> rust_cast(const FrameView& frame, const Value& value, const Type* to) {
  const Type* plain = to->strip();
  if (plain->kind() == TypeKind::pointer) {
    TL_TRY(const auto bits, number_of(frame, value));
    return rust_from(to, bits);
  }
  const Type* from = value.type->strip();
  TL_TRY(Number number, number_of(frame, from->kind() == TypeKind::pointer ? value : rust_peeled(frame, value)));
  if (number.floating && is_integral(plain)) {
    const auto bits = bits_of(plain);
    const bool with_sign = is_signed(plain);
    const Quad low = with_sign ? -static_cast<Quad>(UInt128{1} << (bits - 1)) : Quad{0};
    const UInt128 top = bits >= 128 ? ~UInt128{0} : (UInt128{1} << bits) - 1;
    const UInt128 most = with_sign ? top >> 1 : top;
    if (number.real != number.real)
      number.integer = 0;
    else if (number.real <= low)
      number.integer = with_sign ? -static_cast<Int128>(most) - 1 : 0;
    else if (number.real >= static_cast<Quad>(most))
      number.integer = static_cast<Int128>(most);
    else
      number.integer = static_cast<Int128>(number.real);
    number.floating = false;
    return rust_from(to, number);
  }
  if (is_boolean(plain) && !is_boolean(from))
    return fail_hint(Errc::bad_expression, fmt::format("a `{}` as bool", value.type->name()), "compare it with 0");
  if (is_floating(plain)) {
    TL_TRY(number, convert_number(number, plain, from->kind() == TypeKind::base ? from : nullptr));
    return rust_from(to, number);
  }
  return rust_from(to, number);  // cut to its size
}

}  // namespace trapline::eval
