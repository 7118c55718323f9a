#include "daemon/session/hit_condition.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

namespace trapline::session {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

Result<HitCondition> HitCondition::parse(std::string_view text) {
  HitCondition condition;
  auto rest = trimmed(text);
  if (rest.empty()) return condition;
  // Longest first: "<=" must not be read as "<".
  static constexpr std::array<std::pair<std::string_view, Test>, 8> operators{{{"==", Test::equal},
                                                                               {"<=", Test::less_equal},
                                                                               {">=", Test::greater_equal},
                                                                               {"=", Test::equal},
                                                                               {"<", Test::less},
                                                                               {">", Test::greater},
                                                                               {"%", Test::every},
                                                                               {"", Test::equal}}};
  for (const auto& [sign, test] : operators) {
    if (!rest.starts_with(sign)) continue;
    rest = trimmed(rest.substr(sign.size()));
    condition.test_ = test;
    break;
  }
  const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), condition.count_);
  if (problem != std::errc{} || end != rest.data() + rest.size())
    return fail_hint(Errc::bad_request, fmt::format("hit condition `{}`: no number after the operator", text),
                     "write 5, == 5, > 5, >= 5, < 5, <= 5 or % 5");
  if (condition.test_ == Test::every && condition.count_ == 0)
    return fail_hint(Errc::bad_request, fmt::format("hit condition `{}`: every 0th hit is never", text),
                     "write % 1 or more");
  return condition;
}

bool HitCondition::due(std::uint64_t hit) const {
  switch (test_) {
    case Test::always: return true;
    case Test::equal: return hit == count_;
    case Test::less: return hit < count_;
    case Test::less_equal: return hit <= count_;
    case Test::greater: return hit > count_;
    case Test::greater_equal: return hit >= count_;
    case Test::every: return hit % count_ == 0;
  }
  return true;
}

}  // namespace trapline::session
