// The classes of the psABI for types that no compiler is asked about here (live_session asks gcc and clang), and where
// arguments go.
#include "daemon/eval/psabi.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "daemon/sym/type.hpp"

namespace trapline::eval {
namespace {

using sym::Builtin;
using sym::builtin;
using enum AbiClass;
using Classes = std::vector<AbiClass>;

sym::Member field(const char* name, const sym::Type* type, std::uint64_t offset) {
  sym::Member member;
  member.name = name;
  member.type = type;
  member.offset = offset;
  return member;
}

const sym::Type* record(std::uint64_t size, std::vector<sym::Member> members,
                        sym::RecordKey key = sym::RecordKey::struct_) {
  return sym::make_record("R", key, size, std::move(members));
}

Classes classes_of(const sym::Type* type) {
  const auto passing = classify(type, {});
  REQUIRE(passing);
  return passing->classes;
}

CallArgument argument(const sym::Type* type, std::uint64_t value) {
  CallArgument made{.type = type, .bytes = std::vector<std::byte>(type->size().value()), .as_object = false};
  std::memcpy(made.bytes.data(), &value, std::min<std::size_t>(8, made.bytes.size()));
  return made;
}

}  // namespace

TEST_CASE("scalars have the classes of the table") {
  CHECK(classes_of(builtin(Builtin::void_)).empty());
  CHECK(classes_of(builtin(Builtin::bool_)) == Classes{integer});
  CHECK(classes_of(builtin(Builtin::long_)) == Classes{integer});
  CHECK(classes_of(builtin(Builtin::int128)) == Classes{integer, integer});
  CHECK(classes_of(builtin(Builtin::float_)) == Classes{sse});
  CHECK(classes_of(builtin(Builtin::double_)) == Classes{sse});
  CHECK(classes_of(builtin(Builtin::float128)) == Classes{sse, sse_up});
  CHECK(classes_of(builtin(Builtin::long_double)) == Classes{x87, x87_up});
  CHECK(classes_of(builtin(Builtin::complex_float)) == Classes{sse});
  CHECK(classes_of(builtin(Builtin::complex_double)) == Classes{sse, sse});
  CHECK(classes_of(builtin(Builtin::complex_long_double))[0] == complex_x87);
  CHECK(classes_of(builtin(Builtin::char_)->pointer_to()) == Classes{integer});
}

TEST_CASE("classes are merged eightbyte by eightbyte, and cleaned up afterwards") {
  const auto* i = builtin(Builtin::int_);
  const auto* f = builtin(Builtin::float_);
  const auto* d = builtin(Builtin::double_);
  const auto* l = builtin(Builtin::long_);
  const auto* ld = builtin(Builtin::long_double);
  CHECK(classes_of(record(8, {field("a", i, 0), field("b", f, 4)})) == Classes{integer});
  CHECK(classes_of(record(16, {field("a", f, 0), field("b", f, 4), field("c", i, 8)})) == Classes{sse, integer});
  CHECK(classes_of(record(12, {field("a", f, 0), field("b", f, 4), field("c", f, 8)})) == Classes{sse, sse});
  CHECK(classes_of(record(8, {field("a", d, 0), field("b", l, 0)}, sym::RecordKey::union_)) == Classes{integer});
  CHECK(classes_of(record(16, {field("a", ld, 0)})) == Classes{x87, x87_up});
  CHECK(classes_of(record(16, {field("a", ld, 0), field("b", i, 0)}, sym::RecordKey::union_)) ==
        Classes{memory, memory});
  CHECK(classes_of(record(24, {field("a", d, 0), field("b", d, 8), field("c", d, 16)})) ==
        Classes{memory, memory, memory});
  CHECK(classes_of(record(9, {field("a", builtin(Builtin::char_), 0), field("b", l, 1)})) == Classes{memory, memory});
  CHECK(classes_of(record(1, {})).empty());
  CHECK(classes_of(record(16, {field("a", f->array_of(3), 0)})) == Classes{sse, sse});
  auto bits = field("a", builtin(Builtin::unsigned_long), 3);
  bits.bit_size = 60;
  bits.bit_offset = 1;
  CHECK(classes_of(record(16, {bits})) == Classes{integer, integer});
}

TEST_CASE("arguments fill registers, and the stack when those are used up") {
  const auto* i = builtin(Builtin::int_);
  const auto* d = builtin(Builtin::double_);
  std::vector<CallArgument> arguments;
  for (std::uint64_t n = 1; n <= 8; ++n) arguments.push_back(argument(i, n));
  for (std::uint64_t n = 1; n <= 9; ++n) arguments.push_back(argument(d, 100 + n));
  arguments.push_back(argument(builtin(Builtin::long_double), 7));
  const auto plan = plan_call(LoadAddr{0x1000}, builtin(Builtin::void_), arguments, {});
  REQUIRE(plan);
  CHECK(plan->frame.integers == std::array<std::uint64_t, 6>{1, 2, 3, 4, 5, 6});
  CHECK(plan->frame.vectors_used == 8);
  const auto on_stack = [&](std::size_t at) {
    std::uint64_t word = 0;
    std::memcpy(&word, plan->frame.stack.data() + at, 8);
    return word;
  };
  CHECK(plan->frame.stack.size() == 48);
  CHECK(on_stack(0) == 7);
  CHECK(on_stack(8) == 8);
  CHECK(on_stack(16) == 109);
  CHECK(on_stack(32) == 7);  // 16 byte aligned
}

TEST_CASE("a struct that does not fit the registers that are left goes onto the stack as a whole") {
  const auto* l = builtin(Builtin::long_);
  const auto* two = record(16, {field("a", l, 0), field("b", l, 8)});
  std::vector<CallArgument> arguments;
  for (std::uint64_t n = 1; n <= 5; ++n) arguments.push_back(argument(l, n));
  arguments.push_back(argument(two, 77));
  arguments.push_back(argument(l, 6));
  const auto plan = plan_call(LoadAddr{0x1000}, builtin(Builtin::void_), arguments, {});
  REQUIRE(plan);
  CHECK(plan->frame.integers[5] == 6);
  CHECK(plan->frame.stack.size() == 16);
}

TEST_CASE("narrow integers are extended by their sign, and a result in memory has its place") {
  const auto* s = builtin(Builtin::short_);
  const auto* big = record(40, {field("a", builtin(Builtin::long_)->array_of(5), 0)});
  const std::vector<CallArgument> arguments{argument(s, 0xfffe), argument(builtin(Builtin::unsigned_short), 0xfffe)};
  const auto plan = plan_call(LoadAddr{0x1000}, big, arguments, {});
  REQUIRE(plan);
  CHECK(plan->result_in_memory);
  REQUIRE(plan->frame.pointers.size() == 1);
  CHECK(plan->frame.pointers[0].at == 0);  // rdi is the hidden pointer
  CHECK(plan->frame.integers[1] == ~std::uint64_t{1});
  CHECK(plan->frame.integers[2] == 0xfffe);
  CHECK(plan->frame.objects.size() == 40);
}

}  // namespace trapline::eval
