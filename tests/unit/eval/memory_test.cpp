// Pointers, structs, arrays and bit-fields over memory that the test lays out.
#include "tests/unit/eval/support.hpp"

namespace trapline::eval {
namespace {

using sym::Builtin;
using sym::Member;
using sym::builtin;

struct Node {
  int value;
  unsigned low : 3, middle : 7;
  Node* next;
  char name[8];
  union {
    int whole;
    unsigned char part[4];
  };
};
struct Base {
  long b;
};
struct Other {
  short o;
};
struct Derived : Base, Other {
  int d;
};

Member field(std::string name, const sym::Type* type, std::uint64_t offset, std::uint32_t bits = 0, std::uint32_t bit = 0) {
  Member member;
  member.name = std::move(name);
  member.type = type;
  member.offset = offset;
  member.bit_size = bits;
  member.bit_offset = bit;
  return member;
}

Member base(const sym::Type* type, std::uint64_t offset) {
  Member member = field(type->short_name(), type, offset);
  member.kind = Member::Kind::base;
  return member;
}

struct Laid : World {
  Laid() {
    // A self reference needs the record before its pointer: one level of void * and a cast would do, but a second record
    // of the same name shows that types are compared by name.
    const auto* inner = sym::make_record("Node", sym::RecordKey::struct_, sizeof(Node), {field("value", builtin(Builtin::int_), 0), field("next", builtin(Builtin::void_)->pointer_to(), 8)});
    const auto* anonymous = sym::make_record("", sym::RecordKey::union_, 4, {field("whole", builtin(Builtin::int_), 0), field("part", builtin(Builtin::unsigned_char)->array_of(4), 0)});
    const auto* node = sym::make_record("Node", sym::RecordKey::struct_, sizeof(Node),
                                        {field("value", builtin(Builtin::int_), 0), field("low", builtin(Builtin::unsigned_int), 4, 3, 0), field("middle", builtin(Builtin::int_), 4, 7, 3),
                                         field("next", inner->pointer_to(), 8), field("name", builtin(Builtin::char_)->array_of(8), 16), field("", anonymous, 24)});
    const auto* base_type = sym::make_record("Base", sym::RecordKey::struct_, 8, {field("b", builtin(Builtin::long_), 0)});
    const auto* other_type = sym::make_record("Other", sym::RecordKey::struct_, 2, {field("o", builtin(Builtin::short_), 0)});
    const auto* derived = sym::make_record("Derived", sym::RecordKey::struct_, sizeof(Derived), {base(base_type, 0), base(other_type, 8), field("d", builtin(Builtin::int_), 12)});
    scope.types = {{"Node", node}, {"Base", base_type}, {"Other", other_type}, {"Derived", derived}};
    const auto* color = sym::make_enumeration("Color", builtin(Builtin::unsigned_int), {{"red", 0}, {"green", 5}}, true);
    scope.types["Color"] = color;
    scope.enumerators["Color::red"] = {color, 0};
    scope.enumerators["Color::green"] = {color, 5};
    Node first{}, second{};
    first.value = 41;
    first.low = 5;
    first.middle = 0x55;
    first.next = reinterpret_cast<Node*>(0x2000);
    std::strcpy(first.name, "first");
    first.whole = 0x04030201;
    second.value = -7;
    memory.set(0x1000, first);
    memory.set(0x2000, second);
    Derived object{};
    object.b = 11;
    object.o = 22;
    object.d = 33;
    memory.set(0x3000, object);
    const int numbers[20] = {1, 2, 3, 4};
    memory.set(0x4000, numbers);
    const char* const words = "hello\tworld";
    memory.put(0x5000, std::as_bytes(std::span(words, 12)));
    memory.set(0x6000, std::uint64_t{0x5000});
    const double doubles[3] = {0.5, 1.5, 2.5};
    memory.set(0x7000, doubles);
  }
};

#define NODE "((Node*)0x1000)"

TEST_CASE("members, through pointers, arrays and anonymous unions") {
  Laid world;
  CHECK(world.show(NODE "->value") == "41");
  CHECK(world.show("(*" NODE ").value") == "41");
  CHECK(world.show("{Node} 0x1000") == "{value=41, low=5, middle=-43, next=0x2000, name=\"first\", {whole=67305985, part={...}}}");
  CHECK(world.show(NODE "->low") == "5");
  CHECK(world.show(NODE "->middle") == "-43");  // seven bits with sign: 0x55
  CHECK(world.show(NODE "->low + " NODE "->value * 2") == "87");
  CHECK(world.show(NODE "->name") == "\"first\"");
  CHECK(world.show(NODE "->name[1]") == "105 'i'");
  CHECK(world.show(NODE "->whole") == "67305985");
  CHECK(world.show(NODE "->part[2]") == "3 '\\003'");
  CHECK(world.show(NODE "->part") == "{1 '\\001', 2 '\\002', 3 '\\003', 4 '\\004'}");
  CHECK(world.show(NODE "->next->value") == "-7");
  CHECK(world.type(NODE "->next") == "Node *");
  CHECK(world.show("&" NODE "->next") == "0x1008");
  CHECK(world.type("&" NODE "->next") == "Node **");
  CHECK(world.show("&((Node*)0)->name") == "0x10");  // offsetof reads nothing
  CHECK(world.show("sizeof(Node)") == "32");
  CHECK(world.show("sizeof(" NODE "->name)") == "8");
  CHECK(world.show(NODE ".value") == "41");  // a dot after a pointer can only mean the arrow
}

TEST_CASE("what is wrong with a member is said with the nearest name") {
  Laid world;
  CHECK(world.problem(NODE "->valeu") == "no member `valeu` in Node; did you mean `value`?");
  CHECK(world.problem("((Node*)0)->value") == "no error: <error: null pointer: there is nothing to read at 0x0>");
  CHECK(world.problem("((Node*)0)->value + 1") == "`((Node*)0)->value + 1`: null pointer: there is nothing to read at 0x0");
  CHECK(world.problem("*(int*)0x99 + 1") == "`*(int*)0x99 + 1`: cannot read 4 bytes at 0x99");
  CHECK(world.problem("&" NODE "->low") == "`&" NODE "->low`: a bit-field has no address");
  CHECK(world.problem("*5") == "`5` is no pointer but `int`");
  CHECK(world.hint("*5") == "*(T*)5 reads a T at this address");
  CHECK(world.problem("*(void*)0x1000") == "`(void*)0x1000` points to void");
  CHECK(world.problem("{Node}0x1000 + 1") == "`{Node}0x1000 + 1`: there is no `+` for `Node` and `int`, and the program has no such function that fits");
  CHECK(world.problem("1.5 & 1") == "`1.5 & 1`: there is no `&` for `double` and `int`");
  CHECK(world.problem("&1") == "`&1`: only what lies in memory has an address; this is a computed value");
}

TEST_CASE("bases: conversion up and down, of objects and of pointers") {
  Laid world;
  CHECK(world.show("((Derived*)0x3000)->b") == "11");
  CHECK(world.show("((Derived*)0x3000)->o") == "22");
  CHECK(world.show("*(Derived*)0x3000") == "{Base={...}, Other={...}, d=33}");
  CHECK(world.show("(Other*)(Derived*)0x3000") == "0x3008");
  CHECK(world.show("static_cast<Other*>((Derived*)0x3000)->o") == "22");
  CHECK(world.show("(Derived*)(Other*)0x3008") == "0x3000");
  CHECK(world.show("((Derived&)*(Other*)0x3008).d") == "33");
  CHECK(world.show("((Other&)*(Derived*)0x3000).o") == "22");
  CHECK(world.show("reinterpret_cast<Other*>((Derived*)0x3000)") == "0x3000");
  CHECK(world.show("(Other*)(Derived*)0") == "0x0");  // a null pointer stays one
  CHECK(world.show("((Derived*)0x3000)->Other::o") == "22");
  CHECK(world.show("(Derived*)0x3000 == (Other*)0x3008") == "true");
  CHECK(world.problem("static_cast<Node*>((Derived*)0x3000)") == "`static_cast<Node*>((Derived*)0x3000)`: Derived and Node are not related");
  CHECK(world.problem("dynamic_cast<Derived*>((Base*)0x3000)") == "`dynamic_cast<Derived*>((Base*)0x3000)`: Base is not polymorphic, so its objects do not tell what they are");
  CHECK(world.show("dynamic_cast<Base*>((Derived*)0x3000)") == "0x3000");
}

TEST_CASE("pointers count in elements") {
  Laid world;
  CHECK(world.show("*((int*)0x4000 + 2)") == "3");
  CHECK(world.show("((int*)0x4000)[3]") == "4");
  CHECK(world.show("3[(int*)0x4000]") == "4");
  CHECK(world.show("(int*)0x4010 - (int*)0x4000") == "4");
  CHECK(world.type("(int*)0x4010 - (int*)0x4000") == "long");
  CHECK(world.show("(int*)0x4000 < (int*)0x4010") == "true");
  CHECK(world.show("(int*)0x4000 == 0x4000") == "true");
  CHECK(world.show("(int*)0 == nullptr") == "true");
  CHECK(world.show("!(int*)0") == "true");
  CHECK(world.show("(int*)0x10 ? 1 : 2") == "1");
  CHECK(world.show("*(int(*)[4])0x4000") == "{1, 2, 3, 4}");
  CHECK(world.show("(*(int(*)[2][2])0x4000)[1][0]") == "3");
  CHECK(world.show("*(int*)0x4000@4") == "{1, 2, 3, 4}");
  CHECK(world.show("*(int*)0x4000 @ 1 + 1") == "{1, 2}");
  CHECK(world.type("*(int*)0x4000@4") == "int[4]");
  CHECK(world.show("(*(int*)0x4000@20)[1]") == "2");
  CHECK(world.show("*(int*)0x4000@20") == "{1, 2, 3, 4, 0 <repeats 16 times>}");
  CHECK(world.problem("*(int*)0x4000@0") == "`*(int*)0x4000@0`: 0 elements: the number after @ must be positive");
  CHECK(world.show("(long)(int*)0x4000") == "16384");
  CHECK(world.show("*(double*)0x7008") == "1.5");
  CHECK(world.show("{double}0x7010 * 2") == "5");
  CHECK(world.problem("(int*)0x4000 * 2") == "`(int*)0x4000 * 2`: there is no `*` for `int *` and `int`");
  CHECK(world.problem("(int*)0x4000 - (long*)0x4000").ends_with("point to objects of different sizes"));
}

TEST_CASE("texts") {
  Laid world;
  CHECK(world.show("(char*)0x5000") == "0x5000 \"hello\\tworld\"");
  CHECK(world.show("*(char**)0x6000") == "0x5000 \"hello\\tworld\"");
  CHECK(world.show("*(char**)0x6000 == \"hello\\tworld\"") == "true");
  CHECK(world.show("*(char**)0x6000 != \"hello\"") == "true");
  CHECK(world.show(NODE "->name == \"first\"") == "true");
  CHECK(world.show(NODE "->name == \"firsts\"") == "false");
  CHECK(world.show("(char*)0x99") == "0x99 <error: nothing readable there>");
  Options brief;
  brief.limits.max_string = 5;
  CHECK(world.show("(char*)0x5000", brief) == "0x5000 \"hello\"...");
  CHECK(world.problem("(char*)\"abc\"").find("a string literal lies nowhere in the program") != std::string::npos);
}

TEST_CASE("enumerations") {
  Laid world;
  CHECK(world.show("Color::green") == "Color::green");
  CHECK(world.show("(Color)5") == "Color::green");
  CHECK(world.show("(Color)3") == "3");
  CHECK(world.show("(int)Color::green") == "5");
  CHECK(world.show("Color::green == Color::red") == "false");
  CHECK(world.type("Color::green") == "Color");
}

TEST_CASE("nothing is changed where only looking is allowed") {
  Laid world;
  CHECK(world.problem(NODE "->value = 1") == "`" NODE "->value = 1` would change the program, and this is a place for looking only");
  CHECK(world.problem(NODE "->value++").find("for looking only") != std::string::npos);
  CHECK(world.show(NODE "->value") == "41");
}

TEST_CASE("assignment, compound assignment, increments; bit-fields keep their neighbours") {
  Laid world;
  world.side_effects = true;
  CHECK(world.show(NODE "->value = 7") == "7");
  CHECK(world.show(NODE "->value += 3") == "10");
  CHECK(world.show(NODE "->value <<= 2") == "40");
  CHECK(world.show(NODE "->value /= 2.5") == "16");
  CHECK(world.show(NODE "->value++") == "16");
  CHECK(world.show("++" NODE "->value") == "18");
  CHECK(world.show("--" NODE "->value, " NODE "->value") == "17");
  CHECK(world.show(NODE "->low = 2") == "2");
  CHECK(world.show(NODE "->middle") == "-43");
  CHECK(world.show(NODE "->middle = 63") == "63");
  CHECK(world.show(NODE "->middle += 1") == "-64");
  CHECK(world.show(NODE "->low") == "2");
  CHECK(world.show(NODE "->low += 7") == "1");
  CHECK(world.show(NODE "->name = \"abc\"") == "\"abc\"");
  CHECK(world.problem(NODE "->name = \"much too long\"").find("does not fit into 8 bytes") != std::string::npos);
  CHECK(world.show("(" NODE "->next = (Node*)0x1000)->value") == "17");
  CHECK(world.show("*(double*)0x7000 = 3") == "3");
  CHECK(world.show("*(int**)0x6000 = (int*)0x4000") == "0x4000");
  CHECK(world.show("(*(int**)0x6000)++") == "0x4000");
  CHECK(world.show("**(int**)0x6000") == "2");
  CHECK(world.show("*(int**)0x6000 += 2") == "0x400c");
  CHECK(world.show("*(Color*)0x4000 = Color::green") == "Color::green");
  CHECK(world.show("*(Derived*)0x3000 = *(Derived*)0x3000") == "{Base={...}, Other={...}, d=33}");
  CHECK(world.problem("1 = 2") == "`1 = 2`: only a variable, a register or what a pointer points to can be assigned to");
  CHECK(world.problem("*(int*)0x99 = 1") == "`*(int*)0x99 = 1`: cannot write 4 bytes at 0x99");
  CHECK(world.problem("*(int*)0x4000 = (char*)0x5000").find("is a pointer, and the target is `int`") != std::string::npos);
}

TEST_CASE("setting a value from the text that was shown for it") {
  Laid world;
  const auto set = [&](std::string_view expression, std::string_view text) -> std::string {
    const auto target = world.run(expression);
    REQUIRE(target);
    const auto now = eval::assign(world.view(), *target, text);
    return now ? summary(world.view(), *now) : now.error().message;
  };
  CHECK(set(NODE "->value", "12 * 2") == "24");
  CHECK(set(NODE "->name[0]", "70 'F'") == "70 'F'");
  CHECK(set(NODE "->name[0]", "'g'") == "103 'g'");
  CHECK(set("*(char**)0x6000", "0x5001 \"ello\\tworld\"") == "0x5001 \"ello\\tworld\"");
  CHECK(set("*(Color*)0x4000", "green") == "Color::green");
  CHECK(set("*(double*)0x7000", "nan") == "nan");
  CHECK(set("*(double*)0x7000", "-inf") == "-inf");
  CHECK(set("*(bool*)0x4000", "true") == "true");
  CHECK(set("1 + 1", "3") == "it is a value that the compiler computes and keeps nowhere, so there is nothing to set");
}

TEST_CASE("children: names, expressions that mean the same again, and the price of a page") {
  Laid world;
  const auto value = world.run(NODE);
  REQUIRE(value);
  CHECK(child_count(world.view(), *value).named == 6);
  const auto all = children(world.view(), *value, "list->head", 0, 0);
  REQUIRE(all);
  REQUIRE(all->size() == 6);
  CHECK((*all)[0].name == "value");
  CHECK((*all)[0].evaluate_name == "list->head->value");
  CHECK((*all)[5].name == "<anonymous union>");
  CHECK((*all)[5].evaluate_name == "(*list->head)");
  const auto inner = children(world.view(), (*all)[5].value, (*all)[5].evaluate_name, 0, 0);
  REQUIRE(inner);
  CHECK((*inner)[0].evaluate_name == "(*list->head).whole");
  const auto again = children(world.view(), *value, NODE, 5, 1);
  REQUIRE(again);
  CHECK(world.show((*again)[0].evaluate_name + ".whole") == "67305985");

  const auto derived = world.run("*(Derived*)0x3000");
  REQUIRE(derived);
  const auto parts = children(world.view(), *derived, "*d", 0, 0);
  REQUIRE(parts);
  CHECK((*parts)[0].name == "Base");
  CHECK((*parts)[0].base_class);
  CHECK((*parts)[0].evaluate_name == "((Base&)(*d))");
  CHECK((*parts)[2].evaluate_name == "(*d).d");

  const auto huge = world.run("*(int(*)[100000000])0x4000");
  REQUIRE(huge);
  CHECK(child_count(world.view(), *huge).indexed == 100000000);
  world.memory.reads = 0;
  const auto page = children(world.view(), *huge, "huge", 2, 3);
  REQUIRE(page);
  REQUIRE(page->size() == 3);
  CHECK((*page)[0].name == "[2]");
  CHECK((*page)[0].evaluate_name == "huge[2]");
  CHECK(summary(world.view(), (*page)[1].value) == "4");
  CHECK(world.memory.reads <= 4);
  CHECK_FALSE(children(world.view(), *huge, "huge", 0, 0));
  CHECK(children(world.view(), *huge, "huge", 99999999, 10)->size() == 1);
  CHECK(children(world.view(), *huge, "huge", 100000000, 10)->empty());

  const auto pointer = world.run("(int*)0x4000");
  REQUIRE(pointer);
  CHECK(child_count(world.view(), *pointer).named == 1);
  const auto pointee = children(world.view(), *pointer, "p + 1", 0, 0);
  REQUIRE(pointee);
  CHECK((*pointee)[0].evaluate_name == "*(p + 1)");
  CHECK(child_count(world.view(), *world.run("(int*)0")).named == 0);
  CHECK(child_count(world.view(), *world.run("(void*)0x4000")).named == 0);
}

TEST_CASE("pieces of one register are set together, and what the register holds besides stays") {
  World world;
  arch::RegisterFile machine;
  machine.general.rax = 0x1111111122222222;
  auto frame = world.view();
  frame.machine = &machine;
  frame.write_registers = [&](const arch::RegisterFile& file) -> Result<void> {
    machine = file;
    return {};
  };
  const auto whole = arch::read_register(machine, "rax");
  REQUIRE(whole.has_value());
  const auto piece = [&](std::uint64_t size, std::uint64_t offset) {
    Part part;
    part.kind = Part::Kind::bytes;
    part.bit_size = size;
    part.bit_offset = offset;
    part.bytes = *whole;
    part.register_name = "rax";
    return part;
  };
  Value value;
  value.type = builtin(Builtin::int_);
  value.place = Value::Place::parts;
  value.register_writable = true;
  value.parts = std::make_shared<const std::vector<Part>>(std::vector{piece(16, 48), piece(16, 8)});
  const auto now = Interpreter(frame).store(value, std::vector{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}});
  REQUIRE(now.has_value());
  CHECK(machine.general.rax == 0x0201111122040322);
  const auto bytes = read_bytes(world.memory, *now, 0, 4);
  REQUIRE(bytes.has_value());
  CHECK(*bytes == std::vector{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}});
}

}  // namespace
}  // namespace trapline::eval
