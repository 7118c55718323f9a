// Ranking of conversions. (Which function is taken, live_session asks the compilers.)
#include "daemon/eval/overload.hpp"

#include <doctest/doctest.h>

namespace trapline::eval {
namespace {

using sym::Builtin;
using sym::builtin;
using sym::Type;

const Classes& no_classes() {
  static const Classes classes{.complete = [](const Type* type) { return type->strip(); },
                               .steps_to_base = [](const Type*, const Type*) -> std::size_t { return 0; }};
  return classes;
}

std::optional<Rank> rank(const Type* from, const Type* to, bool lvalue = true) {
  Node node;
  node.kind = NodeKind::variable;
  node.type = from;
  node.lvalue = lvalue;
  const auto way = conversion_to(node, to, no_classes());
  return way ? std::optional(way->rank) : std::nullopt;
}

}  // namespace

TEST_CASE("exact, promotion, conversion, none") {
  const auto* i = builtin(Builtin::int_);
  const auto* c = builtin(Builtin::char_);
  const auto* d = builtin(Builtin::double_);
  CHECK(rank(i, i) == Rank::exact);
  CHECK(rank(i->const_of(), i) == Rank::exact);
  CHECK(rank(c, i) == Rank::promotion);
  CHECK(rank(builtin(Builtin::bool_), i) == Rank::promotion);
  CHECK(rank(builtin(Builtin::float_), d) == Rank::promotion);
  CHECK(rank(i, d) == Rank::conversion);
  CHECK(rank(d, i) == Rank::conversion);
  CHECK(rank(i, builtin(Builtin::long_)) == Rank::conversion);
  CHECK_FALSE(rank(i, i->pointer_to()).has_value());
  CHECK(rank(i->pointer_to(), builtin(Builtin::void_)->pointer_to()) == Rank::conversion);
  CHECK(rank(i->pointer_to(), i->const_of()->pointer_to()) == Rank::exact);
  CHECK_FALSE(rank(i->const_of()->pointer_to(), i->pointer_to()).has_value());
  CHECK(rank(i->pointer_to(), builtin(Builtin::bool_)) == Rank::conversion);
  CHECK(rank(c->array_of(4), c->pointer_to()) == Rank::exact);
}

TEST_CASE("references bind to what they may") {
  const auto* i = builtin(Builtin::int_);
  CHECK(rank(i, i->lvalue_reference_to()) == Rank::exact);
  CHECK_FALSE(rank(i, i->lvalue_reference_to(), false).has_value());
  CHECK_FALSE(rank(i->const_of(), i->lvalue_reference_to()).has_value());
  CHECK(rank(i, i->const_of()->lvalue_reference_to(), false) == Rank::exact);
  CHECK(rank(i, i->rvalue_reference_to(), false) == Rank::exact);
  CHECK_FALSE(rank(i, i->rvalue_reference_to(), true).has_value());
  CHECK(rank(i, builtin(Builtin::double_)->const_of()->lvalue_reference_to(), true) == Rank::conversion);
}

TEST_CASE("the best function is better than every other") {
  const Conversion exact{}, promotion{.rank = Rank::promotion, .worse = 0},
      conversion{.rank = Rank::conversion, .worse = 0};
  using Rows = std::vector<std::vector<Conversion>>;
  CHECK(best_of(Rows{{exact, conversion}, {exact, promotion}}) == 1);
  CHECK_FALSE(best_of(Rows{{exact, conversion}, {conversion, exact}}).has_value());
  CHECK_FALSE(best_of(Rows{{exact}, {exact}}).has_value());
  CHECK(best_of(Rows{{ellipsis_conversion()}, {conversion}}) == 1);
  CHECK(best_of(Rows{{conversion}}) == 0);
}

}  // namespace trapline::eval
