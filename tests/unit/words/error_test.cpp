#include <doctest/doctest.h>

#include "proto/words/addr.hpp"
#include "proto/words/result.hpp"

namespace trapline {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(Errc::bad_request, "odd");
  return n / 2;
}

Result<int> quarter(int n) {
  TL_TRY(const int once, half(n));
  TL_TRY(const int twice, half(once));
  return twice;
}

TEST_CASE("TL_TRY names the value, or returns the error with the place where it was made") {
  CHECK(quarter(8).value() == 2);
  const auto odd = quarter(6);
  REQUIRE(!odd);
  CHECK(odd.error().code == Errc::bad_request);
  CHECK(std::string(odd.error().where.function_name()).find("half") != std::string::npos);
}

TEST_CASE("every error names who has to act") {
  CHECK(blame_for(Errc::bad_expression) == Blame::user);
  CHECK(blame_for(Errc::no_permission) == Blame::environment);
  CHECK(blame_for(Errc::thread_gone) == Blame::nobody);
  CHECK(blame_for(Errc::internal) == Blame::us);
  CHECK(name_of(Errc::already_traced) == "already_traced");
}

TEST_CASE("a range is half open") {
  const LoadRange range{LoadAddr{0x1000}, LoadAddr{0x2000}};
  CHECK(range.contains(LoadAddr{0x1000}));
  CHECK(range.contains(LoadAddr{0x1fff}));
  CHECK_FALSE(range.contains(LoadAddr{0x2000}));
  CHECK(range.size() == ByteCount{0x1000});
}

}  // namespace
}  // namespace trapline
