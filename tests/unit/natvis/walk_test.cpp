// Lists, trees and custom lists: order, cost, and structures that are broken.
#include "tests/unit/natvis/support.hpp"

using namespace trapline;
using namespace trapline::natvis;

namespace {

// struct Node { Node* left; Node* right; int value; }; struct Set { Node* root; long size; }
struct Shapes {
  const sym::Type* node;
  const sym::Type* set;
  Shapes() {
    const sym::Type* link = sym::builtin(sym::Builtin::void_)->pointer_to();  // made types cannot name themselves
    node = sym::make_record("Node", sym::RecordKey::struct_, 24,
                            {field("left", link, 0), field("right", link, 8), field("value", int_type(), 16)});
    set = sym::make_record("Set", sym::RecordKey::struct_, 16,
                           {field("root", node->pointer_to(), 0), field("size", long_type(), 8)});
  }
};
const Shapes& shapes() {
  static const Shapes all;
  return all;
}

constexpr std::string_view tree = R"(<Type Name="Set"><DisplayString>{size}</DisplayString><Expand HideRawView="true">
  <TreeItems><Size>size</Size><HeadPointer>root</HeadPointer><LeftPointer>left</LeftPointer>
  <RightPointer>right</RightPointer><ValueNode>value</ValueNode></TreeItems></Expand></Type>)";
constexpr std::string_view list = R"(<Type Name="Set"><DisplayString>{size}</DisplayString><Expand HideRawView="true">
  <LinkedListItems><Size>size</Size><HeadPointer>root</HeadPointer><NextPointer>right</NextPointer>
  <ValueNode>value</ValueNode></LinkedListItems></Expand></Type>)";

constexpr std::uint64_t nodes = 0x100000;
std::uint64_t place(std::uint64_t i) { return nodes + i * 32; }

void put_node(Desk& desk, std::uint64_t i, std::uint64_t left, std::uint64_t right, int value) {
  desk.memory.set(place(i), left);
  desk.memory.set(place(i) + 8, right);
  desk.memory.set(place(i) + 16, value);
}

// A balanced tree of the values [first, end); its root.
std::uint64_t put_tree(Desk& desk, std::uint64_t first, std::uint64_t end) {
  if (first == end) return 0;
  const std::uint64_t middle = (first + end) / 2;
  put_node(desk, middle, put_tree(desk, first, middle), put_tree(desk, middle + 1, end), static_cast<int>(middle));
  return place(middle);
}

void put_set(Desk& desk, std::uint64_t root, std::int64_t size) {
  desk.memory.set(0x1000, root);
  desk.memory.set(0x1008, size);
}

std::uint64_t put_list(Desk& desk, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) put_node(desk, i, 0, i + 1 < count ? place(i + 1) : 0, static_cast<int>(i));
  return count == 0 ? 0 : place(0);
}

}  // namespace

TEST_CASE("a tree in order, any page, from either end") {
  Desk desk(tree);
  put_set(desk, put_tree(desk, 0, 5000), 5000);
  CHECK(desk.listed(shapes().set, 0x1000, 0, 4) == "[0]=0 [1]=1 [2]=2 [3]=3");
  CHECK(desk.listed(shapes().set, 0x1000, 4996) == "[4996]=4996 [4997]=4997 [4998]=4998 [4999]=4999");
  CHECK(desk.listed(shapes().set, 0x1000, 2600, 2) == "[2600]=2600 [2601]=2601");
  CHECK(desk.listed(shapes().set, 0x1000, 1100, 2) == "[1100]=1100 [1101]=1101");
  CHECK(desk.listed(shapes().set, 0x1000, 3999, 2) == "[3999]=3999 [4000]=4000");
  CHECK(desk.children(eval::in_memory(shapes().set, LoadAddr{0x1000})).size() == 5000);
  CHECK(desk.complaints() == "");
}

TEST_CASE("a page at either end of a large tree reads its own neighbourhood; the next page goes on") {
  Desk desk(tree);
  put_set(desk, put_tree(desk, 0, 100'000), 100'000);
  const auto value = eval::in_memory(shapes().set, LoadAddr{0x1000});
  desk.memory.reads = 0;
  CHECK(desk.children(value, 0, 100).size() == 100);
  CHECK(desk.memory.reads < 60);
  // From the right, once it is known that as many elements as the size says are there.
  desk.memory.reads = 0;
  CHECK(desk.children(value, 99'900, 100).back().name == "[99999]");
  CHECK(desk.memory.reads < 200);
  desk.memory.reads = 0;
  CHECK(desk.children(value, 99'800, 100).front().name == "[99800]");
  CHECK(desk.memory.reads < 60);
  // The middle is walked to once.
  CHECK(desk.children(value, 50'000, 100)[0].name == "[50000]");
  desk.memory.reads = 0;
  CHECK(desk.children(value, 50'100, 100)[0].name == "[50100]");
  CHECK(desk.children(value, 20'000, 100)[0].name == "[20000]");
  CHECK(desk.memory.reads < 60);
}

TEST_CASE("a tree that loops, ends early or leads nowhere") {
  Desk desk(tree);
  // 1 is the root, its right child's left child is 1 again.
  put_node(desk, 0, 0, 0, 0);
  put_node(desk, 1, place(0), place(2), 1);
  put_node(desk, 2, place(1), 0, 2);
  put_set(desk, place(1), 1000);
  CHECK(desk.listed(shapes().set, 0x1000, 0, 10) ==
        fmt::format("[0]=0 [1]=1 [2]=<error: corrupt: the tree comes back to the node at {:#x}>", place(1)));
  desk.engine.forget_memory();
  put_node(desk, 0, place(0), 0, 0);  // its own child
  put_set(desk, place(0), 3);
  CHECK(desk.listed(shapes().set, 0x1000).find("comes back to the node") != std::string::npos);
  desk.engine.forget_memory();
  put_set(desk, put_tree(desk, 0, 3), 5);
  CHECK(desk.listed(shapes().set, 0x1000, 0, 4) ==
        "[0]=0 [1]=1 [2]=2 [3]=<error: corrupt: the tree ends after 3 of 5 elements>");
  desk.engine.forget_memory();
  put_node(desk, 1, place(0), 0xdead0000, 1);
  CHECK(desk.listed(shapes().set, 0x1000, 0, 4).find("0xdead0000 cannot be read") != std::string::npos);
  desk.engine.forget_memory();
  put_set(desk, 0, 4);
  CHECK(desk.show(shapes().set, 0x1000) == "<not initialised?: its size is 4, and it has no first element>");
  desk.engine.forget_memory();
  put_set(desk, 0xdead0000, 4);
  CHECK(desk.show(shapes().set, 0x1000) ==
        "<not initialised?: its first element at 0xdead0000 is not in mapped memory>");
  CHECK(desk.listed(shapes().set, 0x1000) == "[Raw View]={root=0xdead0000, size=4}");
}

TEST_CASE("elements of a tree whose size lies are not numbered by it") {
  Desk desk(tree);
  put_set(desk, put_tree(desk, 0, 40), 30);  // more than it says
  CHECK(desk.listed(shapes().set, 0x1000, 28) == "[28]=28 [29]=29");
  desk.engine.forget_memory();
  put_set(desk, put_tree(desk, 0, 40), 50);  // fewer
  CHECK(desk.listed(shapes().set, 0x1000, 38, 3) ==
        "[38]=38 [39]=39 [40]=<error: corrupt: the tree ends after 40 of 50 elements>");
  CHECK(desk.listed(shapes().set, 0x1000, 48) == "[48]=<error: corrupt: the tree ends after 40 of 50 elements>");
  // Of a large one what is not counted yet is believed, and no longer than it takes to count it.
  desk.engine.forget_memory();
  put_set(desk, put_tree(desk, 0, 150'000), 140'000);
  desk.listed(shapes().set, 0x1000, 139'999);
  CHECK(desk.listed(shapes().set, 0x1000, 139'998) == "[139998]=139998 [139999]=139999");
}

TEST_CASE("lists: pages, loops, ends") {
  Desk desk(list);
  put_set(desk, put_list(desk, 3000), 3000);
  CHECK(desk.listed(shapes().set, 0x1000, 2998) == "[2998]=2998 [2999]=2999");
  CHECK(desk.listed(shapes().set, 0x1000, 130, 2) == "[130]=130 [131]=131");
  desk.memory.reads = 0;
  CHECK(desk.listed(shapes().set, 0x1000, 2990, 1) == "[2990]=2990");
  CHECK(desk.memory.reads <= 2);
  desk.engine.forget_memory();
  put_node(desk, 4, 0, place(2), 4);
  CHECK(
      desk.listed(shapes().set, 0x1000, 3, 10) ==
      fmt::format("[3]=3 [4]=4 [5]=<error: corrupt: the list loops: after 5 elements it is at {:#x} again>", place(2)));
  desk.engine.forget_memory();
  put_node(desk, 4, 0, 0, 4);
  CHECK(desk.listed(shapes().set, 0x1000, 3, 10) ==
        "[3]=3 [4]=4 [5]=<error: corrupt: the list ends after 5 of 3000 elements>");
}

TEST_CASE("a list without a size is counted; a loop in it is told at once") {
  constexpr std::string_view sizeless = R"(<Type Name="Set"><Expand HideRawView="true">
    <LinkedListItems><HeadPointer>root</HeadPointer><NextPointer>right</NextPointer>
    <ValueNode>value</ValueNode></LinkedListItems></Expand></Type>)";
  Desk desk(sizeless);
  put_set(desk, put_list(desk, 70), 0);
  CHECK(desk.count(shapes().set, 0x1000).indexed == 70);
  desk.engine.forget_memory();
  put_node(desk, 69, 0, place(0), 69);  // round: ends where it began
  CHECK(desk.count(shapes().set, 0x1000).indexed == 70);
  desk.engine.forget_memory();
  put_node(desk, 69, 0, place(5), 69);
  CHECK(desk.show(shapes().set, 0x1000) ==
        fmt::format("<corrupt: the list loops: after 70 elements it is at {:#x} again>", place(5)));
}

TEST_CASE("a custom list runs its own code, page by page") {
  Desk desk(R"(<Type Name="Set"><DisplayString>{size}</DisplayString><Expand HideRawView="true"><CustomListItems>
    <Variable Name="i" InitialValue="0"/>
    <Variable Name="odd" InitialValue="false"/>
    <Loop Condition="i &lt; size">
      <If Condition="odd"><Item Name="odd {i}">i * 10</Item></If>
      <Elseif Condition="i == 4"><Exec>i = i</Exec></Elseif>
      <Else><Item>i</Item></Else>
      <Break Condition="i == 300"/>
      <Exec>i++</Exec>
      <Exec>odd = !odd</Exec>
    </Loop></CustomListItems></Expand></Type>)");
  put_set(desk, 0, 6);
  CHECK(desk.complaints() == "");
  CHECK(desk.listed(shapes().set, 0x1000) == "[0]=0 odd 1=10 [2]=2 odd 3=30 odd 5=50");
  desk.engine.forget_memory();
  put_set(desk, 0, 1000);
  CHECK(desk.count(shapes().set, 0x1000).indexed == 300);
  CHECK(desk.listed(shapes().set, 0x1000, 297) == "[297]=298 odd 299=2990 [299]=300");
  CHECK(desk.listed(shapes().set, 0x1000, 1, 2) == "odd 1=10 [2]=2");
}

TEST_CASE("a custom list without end is given up") {
  Desk desk(R"(<Type Name="Set"><DisplayString>x</DisplayString><Expand HideRawView="true"><CustomListItems>
    <Variable Name="i" InitialValue="0"/><Loop><Exec>i++</Exec></Loop></CustomListItems></Expand></Type>)");
  put_set(desk, 0, 6);
  CHECK(desk.show(shapes().set, 0x1000).find("given up") != std::string::npos);
}
