// Display strings, children, operators, which visualiser is taken: over made types.
#include "daemon/natvis/loaded.hpp"
#include "tests/unit/natvis/support.hpp"

using namespace trapline;
using namespace trapline::natvis;

namespace {

// struct Vec<int> { int* first; long size; long capacity; }
const sym::Type* vec_type() {
  static const sym::Type* type = sym::make_record(
      "Vec<int>", sym::RecordKey::struct_, 24,
      {field("first", int_type()->pointer_to(), 0), field("size", long_type(), 8), field("capacity", long_type(), 16)});
  return type;
}

constexpr std::string_view vec = R"(<Type Name="Vec&lt;*&gt;">
    <Intrinsic Name="size" Expression="size"/>
    <Intrinsic Name="last" Expression="first[count() - 1]"/>
    <Intrinsic Name="count" Expression="size"/>
    <Intrinsic Name="operator[]" Expression="first[i]"><Parameter Name="i" Type="size_t"/></Intrinsic>
    <Intrinsic Name="operator bool" Expression="size != 0"/>
    <DisplayString Condition="size == 0">empty</DisplayString>
    <DisplayString>{{size={size} first={*first,x}}}</DisplayString>
    <Expand>
      <Item Name="[capacity]">capacity</Item>
      <ArrayItems><Size>size</Size><ValuePointer>($T1*)first</ValuePointer></ArrayItems>
    </Expand>
  </Type>)";

void put_vec(Desk& desk, std::uint64_t at, std::uint64_t elements, std::int64_t size) {
  desk.memory.set(at, elements);
  desk.memory.set(at + 8, size);
  desk.memory.set(at + 16, size + 1);
  for (int i = 0; i < size && i < 1000; ++i) desk.memory.set(elements + static_cast<std::uint64_t>(i) * 4, i + 10);
}

}  // namespace

TEST_CASE("a display string, its conditions, items and elements") {
  Desk desk(vec);
  put_vec(desk, 0x1000, 0x2000, 3);
  CHECK(desk.show(vec_type(), 0x1000) == "{size=3 first=0xa}");
  CHECK(desk.count(vec_type(), 0x1000).named == 2);
  CHECK(desk.count(vec_type(), 0x1000).indexed == 3);
  CHECK(desk.listed(vec_type(), 0x1000) ==
        "[capacity]=4 [Raw View]={first=0x2000, size=3, capacity=4} [0]=10 [1]=11 [2]=12");
  CHECK(desk.listed(vec_type(), 0x1000, 3, 1) == "[1]=11");
  put_vec(desk, 0x1100, 0, 0);
  CHECK(desk.show(vec_type(), 0x1100) == "empty");
  CHECK(desk.listed(vec_type(), 0x1100) == "[capacity]=1 [Raw View]={first=0x0, size=0, capacity=1}");
  CHECK(desk.complaints() == "");
}

TEST_CASE("a child's expression gives the child again") {
  Desk desk(vec);
  put_vec(desk, 0x1000, 0x2000, 3);
  const auto all = desk.children(eval::in_memory(vec_type(), LoadAddr{0x1000}));
  CHECK(all[0].evaluate_name == "*(long *)(0x1010)");
  CHECK(all[1].evaluate_name == "v,!");
  CHECK(all[3].evaluate_name == "v[1]");
  for (const auto& child : desk.children(eval::in_memory(vec_type(), LoadAddr{0x1000}), 0, 0, "*p"))
    CHECK((!child.evaluate_name.starts_with("*p[") && child.evaluate_name != "v[1]"));
}

TEST_CASE("operators and members as expressions, without code in the program") {
  Desk desk(vec);
  put_vec(desk, 0x1000, 0x2000, 3);
  CHECK(desk.evaluate(vec_type(), 0x1000, "v[2]") == "int 12");
  CHECK(desk.evaluate(vec_type(), 0x1000, "v[1] + v.size()") == "long 14");
  CHECK(desk.evaluate(vec_type(), 0x1000, "v.last()") == "int 12");
  CHECK(desk.evaluate(vec_type(), 0x1000, "(&v)->last()") == "int 12");
  CHECK(desk.evaluate(vec_type(), 0x1000, "v && !v") == "bool false");
  CHECK(desk.evaluate(vec_type(), 0x1000, "&v[1] == v.first + 1") == "bool true");
  CHECK(desk.evaluate(vec_type(), 0x1000, "v[v[0] - 9]") == "int 11");
  CHECK(desk.evaluate(vec_type(), 0x1000, "v.size(1)").find("size") != std::string::npos);
}

TEST_CASE("an operator[] that is no index is no child's expression") {
  // A flat map: its operator takes a key.
  Desk desk(R"(<Type Name="Vec&lt;*&gt;">
    <Intrinsic Name="operator[]" Expression="first[2 - key]"><Parameter Name="key" Type="int"/></Intrinsic>
    <Expand><ArrayItems><Size>size</Size><ValuePointer>first</ValuePointer></ArrayItems></Expand></Type>)");
  put_vec(desk, 0x1000, 0x2000, 3);
  const auto all = desk.children(eval::in_memory(vec_type(), LoadAddr{0x1000}));
  CHECK(all[1].name == "[0]");
  CHECK(all[1].evaluate_name == "*(int *)(0x2000)");
}

TEST_CASE("smart pointers") {
  const auto* type =
      sym::make_record("Ptr<Vec<int> >", sym::RecordKey::struct_, 8, {field("p", vec_type()->pointer_to(), 0)});
  Desk desk(std::string(vec) + R"(<Type Name="Ptr&lt;*&gt;"><SmartPointer Usage="Minimal">p</SmartPointer>
    <DisplayString Condition="p == 0">null</DisplayString><DisplayString>{*p}</DisplayString>
    <Expand><ExpandedItem Condition="p != 0">*p</ExpandedItem></Expand></Type>)");
  put_vec(desk, 0x1000, 0x2000, 3);
  desk.memory.set(0x3000, std::uint64_t{0x1000});
  desk.memory.set(0x3008, std::uint64_t{0});
  CHECK(desk.evaluate(type, 0x3000, "v->size") == "long 3");
  CHECK(desk.evaluate(type, 0x3000, "v->last()") == "int 12");
  CHECK(desk.evaluate(type, 0x3000, "(*v)[1]") == "int 11");
  CHECK(desk.evaluate(type, 0x3000, "v[0]").find("operator[]") != std::string::npos);
  CHECK(desk.show(type, 0x3000) == "{size=3 first=0xa}");
  CHECK(desk.evaluate(type, 0x3000, "v.p") == "Vec<int> * 0x1000 {size=3 first=0xa}");
  CHECK(desk.listed(type, 0x3000) == "[capacity]=4 [Raw View]={p=0x1000} [0]=10 [1]=11 [2]=12");
  CHECK(desk.show(type, 0x3008) == "null");
  CHECK(desk.listed(type, 0x3008) == "[Raw View]={p=0x0}");
}

TEST_CASE("exact beats wildcard, Priority counts, what does not bind falls through, later files win") {
  const auto* type = sym::make_record("A<int>", sym::RecordKey::struct_, 4, {field("x", int_type(), 0)});
  const auto shown = [&](std::string_view types) {
    Desk desk(types);
    desk.memory.set(0x1000, 5);
    return desk.show(type, 0x1000);
  };
  const std::string star = R"(<Type Name="A&lt;*&gt;"><DisplayString>star</DisplayString></Type>)";
  const std::string exact = R"(<Type Name="A&lt;int&gt;"><DisplayString>exact</DisplayString></Type>)";
  CHECK(shown(star + exact) == "exact");
  CHECK(shown(star + R"(<Type Name="A&lt;*&gt;" Priority="High"><DisplayString>high</DisplayString></Type>)") ==
        "high");
  CHECK(shown(R"(<Type Name="A&lt;int&gt;"><DisplayString>{nothing}</DisplayString></Type>)" + star) == "star");
  CHECK(shown(star + R"(<Type Name="A&lt;*&gt;"><DisplayString>second</DisplayString></Type>)") == "star");
  Desk desk(star);
  desk.memory.set(0x1000, 5);
  desk.engine.add_text("later.natvis", R"(<AutoVisualizer><Type Name="A&lt;*&gt;">
    <DisplayString>later {x}</DisplayString></Type></AutoVisualizer>)");
  CHECK(desk.show(type, 0x1000) == "later 5");
}

TEST_CASE("an expression that means nothing is told with file, line and reason") {
  const auto* type = sym::make_record("A", sym::RecordKey::struct_, 4, {field("count", int_type(), 0)});
  Desk desk("<Type Name=\"A\">\n<DisplayString>{cuont}</DisplayString></Type>");
  desk.memory.set(0x1000, 5);
  CHECK(desk.show(type, 0x1000) == "{count=5}");
  const std::string said = desk.complaints();
  CHECK(said.starts_with("test.natvis:3: in the visualiser of A, for A: "));
  CHECK(said.find("cuont") != std::string::npos);
  desk.show(type, 0x1000);
  CHECK(desk.complaints() == "");  // once
}

TEST_CASE("Optional drops an element, not the type") {
  const auto* type = sym::make_record("A", sym::RecordKey::struct_, 4, {field("x", int_type(), 0)});
  Desk desk(R"(<Type Name="A"><DisplayString Optional="true">{y}</DisplayString><DisplayString>x is {x}</DisplayString>
    <Expand><Item Name="y" Optional="true">y</Item><Item Name="x">x</Item></Expand></Type>)");
  desk.memory.set(0x1000, 5);
  CHECK(desk.show(type, 0x1000) == "x is 5");
  CHECK(desk.listed(type, 0x1000) == "x=5 [Raw View]={x=5}");
}

TEST_CASE("visualisers of bases are inherited, and look at the base's part") {
  const auto* derived =
      sym::make_record("Derived", sym::RecordKey::struct_, 40, {base(vec_type(), 8), field("size", int_type(), 32)});
  Desk desk(vec);
  put_vec(desk, 0x1008, 0x2000, 2);
  desk.memory.set(0x1000, std::uint64_t{0});
  desk.memory.set(0x1020, 77);  // hides the base's size
  CHECK(desk.show(derived, 0x1000) == "{size=2 first=0xa}");
  CHECK(desk.listed(derived, 0x1000) == "[capacity]=3 [Raw View]={Vec<int>={size=2 first=0xa}, size=77} [0]=10 [1]=11");
  CHECK(desk.evaluate(derived, 0x1000, "v[1]") == "int 11");
  CHECK(desk.evaluate(derived, 0x1000, "v.size()") == "long 2");
  Desk based(R"(<Type Name="Derived"><DisplayString>{((($B1*)this)->size)} {size}</DisplayString></Type>)");
  put_vec(based, 0x1008, 0x2000, 2);
  based.memory.set(0x1020, 77);
  CHECK(based.show(derived, 0x1000) == "2 77");
  Desk strict(R"(<Type Name="Vec&lt;*&gt;" Inheritable="false"><DisplayString>no</DisplayString></Type>)");
  put_vec(strict, 0x1008, 0x2000, 2);
  strict.memory.set(0x1020, 77);
  CHECK(strict.show(derived, 0x1000) != "no");
}

TEST_CASE("views, synthetic nodes, index lists, dimensions") {
  const auto* type = sym::make_record(
      "A", sym::RecordKey::struct_, 16,
      {field("rows", int_type(), 0), field("columns", int_type(), 4), field("cells", int_type()->pointer_to(), 8)});
  Desk desk(R"(<Type Name="A">
    <DisplayString IncludeView="short">{rows}</DisplayString>
    <DisplayString ExcludeView="short">{rows}x{columns}</DisplayString>
    <Expand HideRawView="true">
      <Item Name="again">*this,view(short)</Item>
      <Synthetic Name="squares"><DisplayString>{rows} of them</DisplayString>
        <Expand><IndexListItems><Size>rows</Size><ValueNode>$i*$i</ValueNode></IndexListItems></Expand></Synthetic>
      <ArrayItems><Direction>Forward</Direction><Rank>2</Rank><Size>$i == 0 ? rows : columns</Size>
        <LowerBound>1</LowerBound><ValuePointer>cells</ValuePointer></ArrayItems>
    </Expand></Type>)");
  desk.memory.set(0x1000, 2);
  desk.memory.set(0x1004, 3);
  desk.memory.set(0x1008, std::uint64_t{0x2000});
  for (int i = 0; i < 6; ++i) desk.memory.set(0x2000 + static_cast<std::uint64_t>(i) * 4, i);
  CHECK(desk.listed(type, 0x1000) == "again=2 squares=2 of them [1,1]=0 [1,2]=1 [1,3]=2 [2,1]=3 [2,2]=4 [2,3]=5");
  CHECK(desk.complaints() == "");
  const auto all = desk.children(eval::in_memory(type, LoadAddr{0x1000}));
  CHECK(desk.listed(all[1].value) == "[0]=0 [1]=1");
}

TEST_CASE("strings are as long as they say, with zeros in them") {
  const auto* type = sym::make_record("S", sym::RecordKey::struct_, 16,
                                      {field("text", char_type()->pointer_to(), 0), field("size", long_type(), 8)});
  Desk desk(
      R"(<Type Name="S"><DisplayString>{text,[size]}</DisplayString><StringView>text,[size]</StringView></Type>)");
  desk.memory.set(0x1000, std::uint64_t{0x2000});
  desk.memory.set(0x1008, std::int64_t{5});
  desk.memory.text(0x2000, std::string_view("ab\0cd more", 10));
  CHECK(desk.show(type, 0x1000) == "\"ab\\000cd\"");
  const auto whole = desk.engine.string(desk.view(), eval::in_memory(type, LoadAddr{0x1000}), 100);
  REQUIRE(whole);
  REQUIRE(*whole);
  CHECK(**whole == std::string_view("ab\0cd", 5));
  desk.memory.set(0x1008, std::int64_t{0});
  desk.engine.forget_memory();
  CHECK(desk.show(type, 0x1000) == "\"\"");
  for (const std::int64_t size : {std::int64_t{-1}, std::int64_t{1} << 50, std::int64_t{100000}}) {
    desk.memory.set(0x1008, size);
    desk.engine.forget_memory();
    CHECK(desk.show(type, 0x1000).starts_with("<not initialised?: "));
  }
}

TEST_CASE("sizes that cannot be are told, and what is there stays reachable") {
  Desk desk(vec);
  const auto shown = [&](std::uint64_t first, std::int64_t size) {
    desk.memory.set(0x1000, first);
    desk.memory.set(0x1008, size);
    desk.engine.forget_memory();
    return desk.show(vec_type(), 0x1000);
  };
  desk.memory.set(0x2000, 1);
  CHECK(shown(0x2000, -3) == "<not initialised?: its size is -3>");
  CHECK(shown(0x2000, INT64_MAX).starts_with("<not initialised?: its size is 9223372036854775807, more than"));
  CHECK(shown(0x2000, 1 << 20).find("are not all in mapped memory") != std::string::npos);
  CHECK(shown(0, 4) == "<not initialised?: its size is 4 and its elements lie at 0>");
  CHECK(shown(0xdead0000, 4).find("are not all in mapped memory") != std::string::npos);
  CHECK(desk.listed(vec_type(), 0x1000) == "[Raw View]={first=0xdead0000, size=4, capacity=0}");
  CHECK(shown(0x2000, 1) == "{size=1 first=0x1}");
}

TEST_CASE("a page of a huge vector costs the page") {
  Desk desk(vec);
  desk.memory.set(0x1000, std::uint64_t{0x100000000});
  desk.memory.set(0x1008, std::int64_t{100'000'000});
  desk.memory.set(0x1010, std::int64_t{100'000'000});
  desk.memory.set(0x100000000, 7);
  desk.memory.set(0x100000000 + 50'000'000ULL * 4, 8);
  desk.memory.set(0x100000000 + 99'999'999ULL * 4, 9);
  desk.memory.reads = 0;
  CHECK(desk.count(vec_type(), 0x1000).indexed == 100'000'000);
  CHECK(desk.children(eval::in_memory(vec_type(), LoadAddr{0x1000}), 2 + 50'000'000, 100)[0].name == "[50000000]");
  CHECK(desk.memory.reads < 20);
}

TEST_CASE("a <StringView> that leads back to itself is no string") {
  const auto* type = sym::make_record("S", sym::RecordKey::struct_, 8, {field("text", char_type()->pointer_to(), 0)});
  Desk desk(R"(<Type Name="S"><DisplayString>x</DisplayString><StringView>*this</StringView></Type>)");
  desk.memory.set(0x1000, std::uint64_t{0x2000});
  const auto text = desk.engine.string(desk.view(), eval::in_memory(type, LoadAddr{0x1000}), 100);
  REQUIRE(text);
  REQUIRE(!*text);
  CHECK(text->error().message == "<StringView> of S leads back to itself");
}

TEST_CASE("what is shown within what it is in ends, and says so") {
  const sym::Type* of = sym::make_record("E", sym::RecordKey::struct_, 4, {field("x", int_type(), 0)});
  for (int i = 0; i < 300; ++i)
    of =
        sym::make_record(fmt::format("W<{}>", i), sym::RecordKey::struct_, 4, {base(of, 0), field("y", int_type(), 0)});
  Desk desk(R"(<Type Name="W&lt;*>" Inheritable="false"><Expand HideRawView="true"><Item Name="y">y</Item>
    <ExpandedItem>*($B1*)this</ExpandedItem></Expand></Type>)");
  desk.memory.set(0x1000, 5);
  CHECK(desk.show(of, 0x1000) == "<error: more than 200 objects are shown within one another>");
  CHECK(desk.count(of, 0x1000).named == 1);
}

TEST_CASE("another module at the address of one that is gone is another module") {
  Loaded loaded;
  const auto open = [](std::uint32_t id) {
    auto module = sym::Module::open("/proc/self/exe", ModuleId{id}, {});
    REQUIRE(module);
    return *std::move(module);
  };
  auto first = open(1);
  const sym::Module* address = first.get();
  CHECK(loaded.changed(std::vector{address}));
  CHECK(!loaded.changed(std::vector{address}));
  first.reset();
  // The allocator gives the address again, now or soon.
  for (std::uint32_t id = 2; id < 100; ++id) {
    const auto next = open(id);
    CHECK(loaded.changed(std::vector<const sym::Module*>{next.get()}));
    if (next.get() == address) break;
  }
  CHECK(loaded.changed({}));
}
