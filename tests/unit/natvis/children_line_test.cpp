// What this engine adds to natvis: {$items} and {$values}, the first children in a line; $B1, the type of a base.
#include "tests/unit/natvis/support.hpp"

using namespace trapline;
using namespace trapline::natvis;

namespace {

const sym::Type* vec_type() {
  static const sym::Type* type =
      sym::make_record("Vec<int>", sym::RecordKey::struct_, 16,
                       {field("first", int_type()->pointer_to(), 0), field("size", long_type(), 8)});
  return type;
}

void put_vec(Desk& desk, std::uint64_t at, std::uint64_t elements, std::int64_t size) {
  desk.memory.set(at, elements);
  desk.memory.set(at + 8, size);
  for (int i = 0; i < size; ++i) desk.memory.set(elements + static_cast<std::uint64_t>(i) * 4, i + 10);
}

std::string vec(std::string_view line) {
  return fmt::format(R"(<Type Name="Vec&lt;*&gt;">
    <DisplayString>{}</DisplayString>
    <Expand>
      <Item Name="[last]">first[size - 1]</Item>
      <ArrayItems><Size>size</Size><ValuePointer>first</ValuePointer></ArrayItems>
    </Expand>
  </Type>)",
                     line);
}

}  // namespace

TEST_CASE("the first elements of a container stand in its line with their names") {
  Desk desk(vec("{{size={size}{$items}}}"));
  put_vec(desk, 0x1000, 0x2000, 3);
  put_vec(desk, 0x1100, 0x3000, 10);
  put_vec(desk, 0x1200, 0x4000, 11);
  put_vec(desk, 0x1300, 0x5000, 1);
  CHECK(desk.show(vec_type(), 0x1000) == "{size=3, [0]=10, [1]=11, [2]=12}");
  CHECK(desk.show(vec_type(), 0x1100).ends_with(", [9]=19}"));
  CHECK(desk.show(vec_type(), 0x1200).ends_with(", [9]=19, ...}"));
  CHECK(desk.show(vec_type(), 0x1300) == "{size=1, [0]=10}");
  CHECK(desk.complaints() == "");
}

TEST_CASE("the values of all children, without names and without the raw view") {
  Desk desk(vec("({$values})"));
  put_vec(desk, 0x1000, 0x2000, 3);
  CHECK(desk.show(vec_type(), 0x1000) == "(12, 10, 11, 12)");
  CHECK(desk.complaints() == "");
}

TEST_CASE("$B1 is the type of the first base, $B2 that of the second") {
  const auto part = [](const char* name) {
    return sym::make_record(name, sym::RecordKey::struct_, 4, {field("held", int_type(), 0)});
  };
  const sym::Type* both =
      sym::make_record("Both", sym::RecordKey::struct_, 8, {base(part("One"), 0), base(part("Two"), 4)});
  Desk desk(R"(<Type Name="Both">
    <DisplayString Optional="true">{(*($B3*)this).held}</DisplayString>
    <DisplayString>{(*($B1*)this).held} {(*($B2*)this).held}</DisplayString>
  </Type>)");
  desk.memory.set(0x1000, 5);
  desk.memory.set(0x1004, 6);
  CHECK(desk.show(both, 0x1000) == "5 6");
  CHECK(desk.complaints() == "");
}
