#include "daemon/eval/overload.hpp"

#include <algorithm>

#include "daemon/eval/binder_impl.hpp"
#include "daemon/eval/number.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Type;
using sym::TypeKind;

namespace {

bool is_number(const Type* type) { return is_arithmetic(type) || is_enumeration(type); }

// `T *` to `const T *` and the like: may qualifiers be added on the way from one pointee to the other?
bool only_adds_qualifiers(const Type* from, const Type* to) {
  return same_type(from->strip(), to->strip()) && (!from->is_const() || to->is_const());
}

std::optional<Conversion> to_number(const Type* from, const Type* to) {
  if (is_enumeration(to)) {
    if (same_type(from->strip(), to->strip())) return Conversion{};
    return std::nullopt;
  }
  if (is_enumeration(from)) {
    if (from->strip()->scoped()) return std::nullopt;
    const bool promotes = same_type(promoted(from), to->strip());
    return Conversion{.rank = promotes ? Rank::promotion : Rank::conversion, .worse = 0};
  }
  if (same_type(from->strip(), to->strip())) return Conversion{};
  const bool float_to_double = is_floating(from) && is_floating(to) && from->size() == 4 && to->size() == 8;
  if (float_to_double || (is_integral(from) && same_type(promoted(from), to->strip())))
    return Conversion{.rank = Rank::promotion, .worse = 0};
  return Conversion{.rank = Rank::conversion, .worse = 0};
}

std::optional<Conversion> to_pointer(const Node& argument, const Type* to, const Classes& classes) {
  const Type* from = argument.type->strip();
  const Type* target = to->strip()->target();
  if (from->kind() == TypeKind::function)
    return same_type(from, target->strip()) ? std::optional(Conversion{}) : std::nullopt;
  const bool decays = from->kind() == TypeKind::array && !from->vector();
  if (!decays && from->kind() != TypeKind::pointer)
    return is_null_constant(argument) ? std::optional(Conversion{.rank = Rank::conversion, .worse = 0}) : std::nullopt;
  const Type* source = from->target();
  const bool adds_const = target->is_const() && !source->is_const();
  if (only_adds_qualifiers(source, target))
    return Conversion{.rank = Rank::exact, .worse = static_cast<std::uint8_t>(adds_const)};
  // C's: nobody writes to a literal, and old interfaces do not say so.
  if (argument.kind == NodeKind::string && same_type(source->strip(), target->strip()))
    return Conversion{.rank = Rank::conversion, .worse = 90};
  if (source->is_const() && !target->is_const()) return std::nullopt;
  if (target->strip()->kind() == TypeKind::void_ && source->strip()->kind() != TypeKind::function)
    return Conversion{.rank = Rank::conversion, .worse = 60};  // a base's pointer is better
  if (is_record(source) && is_record(target))
    if (const auto steps = classes.steps_to_base(source, target); steps > 0)
      return Conversion{.rank = Rank::conversion,
                        .worse = static_cast<std::uint8_t>(std::min<std::size_t>(steps * 2 + adds_const, 50))};
  return std::nullopt;
}

std::optional<Conversion> by_value(const Node& argument, const Type* to, const Classes& classes) {
  const Type* from = argument.type->strip();
  const Type* plain = to->strip();
  switch (plain->kind()) {
    case TypeKind::pointer: return to_pointer(argument, to, classes);
    case TypeKind::record:
      if (argument.kind == NodeKind::string && classes.holds_text && classes.holds_text(plain, from->target()))
        return Conversion{.rank = Rank::user, .worse = 0};
      if (from->kind() != TypeKind::record) return std::nullopt;
      if (same_type(classes.complete(from), classes.complete(plain))) return Conversion{};
      if (const auto steps = classes.steps_to_base(from, plain); steps > 0)
        return Conversion{.rank = Rank::conversion,
                          .worse = static_cast<std::uint8_t>(std::min<std::size_t>(steps, 50))};
      return std::nullopt;
    case TypeKind::null_pointer: return is_null_constant(argument) ? std::optional(Conversion{}) : std::nullopt;
    case TypeKind::data_member_pointer:
    case TypeKind::function_member_pointer:
      if (same_type(from, plain)) return Conversion{};
      return is_null_constant(argument) ? std::optional(Conversion{.rank = Rank::conversion, .worse = 0})
                                        : std::nullopt;
    default: break;
  }
  if (is_boolean(plain) && (is_pointer(from) || from->kind() == TypeKind::array || from->kind() == TypeKind::function))
    return Conversion{.rank = Rank::conversion, .worse = 100};
  if (is_number(from) && is_number(plain)) return to_number(from, plain);
  return same_type(from, plain) ? std::optional(Conversion{}) : std::nullopt;
}

std::optional<Conversion> to_reference(const Node& argument, const Type* to, const Classes& classes) {
  const Type* reference = to->strip();
  const Type* referee = reference->target();
  const bool rvalue_reference = reference->kind() == TypeKind::rvalue_reference;
  const bool bit_field =
      argument.kind == NodeKind::member && argument.member != nullptr && argument.member->bit_size != 0;
  const bool lvalue = argument.lvalue || argument.kind == NodeKind::string;
  const bool is_const = argument.type->is_const();
  const Type* from = classes.complete(argument.type->strip());
  const Type* plain = classes.complete(referee->strip());
  const bool same = same_type(from, plain);
  const std::size_t steps = !same && is_record(from) && is_record(plain) ? classes.steps_to_base(from, plain) : 0;
  if ((same || steps > 0) && !bit_field) {
    if (rvalue_reference ? lvalue && argument.kind != NodeKind::function : !lvalue && !referee->is_const())
      return std::nullopt;
    if (is_const && !referee->is_const()) return std::nullopt;
    const auto added =
        static_cast<std::uint8_t>((referee->is_const() && !is_const ? 1 : 0) + (!lvalue && !rvalue_reference ? 1 : 0));
    if (same) return Conversion{.rank = Rank::exact, .worse = added};
    return Conversion{.rank = Rank::conversion,
                      .worse = static_cast<std::uint8_t>(std::min<std::size_t>(steps * 4, 50) + added)};
  }
  // A temporary of the wanted type.
  if (!rvalue_reference && !referee->is_const()) return std::nullopt;
  if (is_record(plain) && argument.kind != NodeKind::string) return std::nullopt;
  auto made = by_value(argument, referee, classes);
  if (made && !rvalue_reference) made->worse = static_cast<std::uint8_t>(made->worse + 1);
  return made;
}

}  // namespace

std::optional<Conversion> conversion_to(const Node& argument, const Type* parameter, const Classes& classes) {
  return parameter->is_reference() ? to_reference(argument, parameter, classes)
                                   : by_value(argument, parameter, classes);
}

Conversion ellipsis_conversion() { return {.rank = Rank::ellipsis, .worse = 0}; }

std::optional<std::size_t> best_of(std::span<const std::vector<Conversion>> all) {
  const auto better = [&](std::size_t a, std::size_t b) {
    bool some = false;
    for (std::size_t i = 0; i < all[a].size(); ++i) {
      if (all[b][i] < all[a][i]) return false;
      some = some || all[a][i] < all[b][i];
    }
    return some;
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    bool best = true;
    for (std::size_t other = 0; best && other < all.size(); ++other) best = other == i || better(i, other);
    if (best) return i;
  }
  return std::nullopt;
}

}  // namespace trapline::eval
