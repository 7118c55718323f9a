// Files: what is read of them, and what is said of what cannot be read.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "daemon/natvis/model.hpp"

using namespace trapline::natvis;

namespace {

struct Read {
  Document document;
  std::vector<Complaint> complaints;
  std::string said() const {
    std::string out;
    for (const Complaint& each : complaints) out += fmt::format("{}: {}: {}\n", each.line, each.element, each.reason);
    return out;
  }
};

Read read(std::string_view text) {
  Read out;
  out.document = parse_document(text, out.complaints);
  return out;
}

}  // namespace

TEST_CASE("a file as VS Code's users write it") {
  const auto got = read(R"(<?xml version="1.0" encoding="utf-8"?>
<AutoVisualizer xmlns="http://schemas.microsoft.com/vstudio/debugger/natvis/2010">
  <Version Name="x" Min="1.0"/>
  <Intrinsic Name="twice" Expression="x*2"><Parameter Name="x" Type="int"/></Intrinsic>
  <Type Name="Foo&lt;*&gt;" Priority="High" Inheritable="false">
    <AlternativeType Name="Bar"/>
    <DisplayString Condition="n == 0">empty</DisplayString>
    <DisplayString IncludeView="simple">{{{n,x}}}</DisplayString>
    <StringView>text,s8</StringView>
    <SmartPointer Usage="Indexable">p</SmartPointer>
    <UIVisualizer ServiceId="{x}" Id="1"/>
    <Expand HideRawView="true">
      <Item Name="[n]" Optional="true">n,d</Item>
      <ArrayItems><Size>n</Size><ValuePointer>p</ValuePointer></ArrayItems>
    </Expand>
  </Type>
</AutoVisualizer>)");
  CHECK(got.said() == "");
  REQUIRE(got.document.types.size() == 1);
  CHECK(got.document.intrinsics.size() == 1);
  const TypeVisual& type = *got.document.types[0];
  CHECK(type.names.size() == 2);
  CHECK(type.names[0].priority == 4);
  CHECK_FALSE(type.names[0].inheritable);
  CHECK(type.line == 5);
  REQUIRE(type.displays.size() == 2);
  CHECK(type.displays[0].guard.condition.text == "n == 0");
  const auto& segments = type.displays[1].text.segments;
  REQUIRE(segments.size() == 3);
  CHECK(segments[0].literal == "{");
  CHECK(segments[1].expression->text == "n");
  CHECK(segments[1].expression->format.radix == trapline::eval::Format::Radix::hexadecimal);
  CHECK(segments[2].literal == "}");
  CHECK(type.intrinsics.size() == 3);  // operator-> operator* operator[]
  REQUIRE(type.expand);
  CHECK(type.expand->hide_raw_view);
  REQUIRE(type.expand->items.size() == 2);
  CHECK(type.expand->items[0].guard.optional);
  CHECK(type.expand->items[1].kind == Item::Kind::array);
  CHECK(type.expand->items[1].line == 14);
}

TEST_CASE("errors name line, element and reason, and the rest of the file counts") {
  const auto got = read(R"(<AutoVisualizer>
  <Type>
  </Type>
  <Type Name="A">
    <DisplayString>{x</DisplayString>
    <DisplayString>x}</DisplayString>
    <DisplayString>{}</DisplayString>
    <Colour/>
    <Expand>
      <Item>x</Item>
      <ArrayItems><Size>1</Size></ArrayItems>
      <LinkedListItems><HeadPointer>h</HeadPointer><ValueNode>v</ValueNode></LinkedListItems>
      <CustomListItems><Else/></CustomListItems>
      <Item Name="good">x</Item>
    </Expand>
  </Type>
  <Type Name="B" Priority="Highest"><SmartPointer Usage="Odd">p</SmartPointer></Type>
</AutoVisualizer>)");
  CHECK(got.said() == R"(2: <Type Name="">: it has no Name
5: <DisplayString> of A: `{` without `}`; a brace itself is written `{{`
6: <DisplayString> of A: `}` without `{`; a brace itself is written `}}`
7: <DisplayString> of A: `{}` holds no expression
8: <Colour> of A: unknown element
10: <Item> of A: it has no Name
11: <ArrayItems> of A: it needs <Size> and <ValuePointer>
12: <LinkedListItems> of A: it needs <NextPointer>
13: <Else> of A: it stands after no <If>
17: <Type Name="B">: Priority `Highest`: Low, MediumLow, Medium, MediumHigh and High are known
17: <SmartPointer> of B: Usage `Odd`: Minimal, Indexable and Full are known
)");
  REQUIRE(got.document.types.size() == 2);
  CHECK(got.document.types[0]->expand->items.size() == 1);
}

TEST_CASE("what is no XML, or other XML") {
  CHECK(read("<AutoVisualizer>\n<Type Name=\"x\">\n</Typo>").said().starts_with("3: file: not well-formed XML"));
  CHECK(read("<Other/>").said() == "1: <Other>: the file begins with <Other>; <AutoVisualizer> is expected\n");
  CHECK(read("").said().starts_with("1: file: not well-formed XML"));
  CHECK(read("no xml at all").complaints.size() == 1);
}

TEST_CASE("a custom list becomes straight code") {
  const auto got = read(R"(<AutoVisualizer><Type Name="A"><Expand><CustomListItems>
    <Variable Name="i" InitialValue="0"/>
    <Size>n</Size>
    <Loop>
      <If Condition="i == n"><Break/></If>
      <Elseif Condition="odd"><Item>i</Item></Elseif>
      <Else><Exec>i++</Exec></Else>
      <Exec Condition="odd">i += 2</Exec>
    </Loop>
  </CustomListItems></Expand></Type></AutoVisualizer>)");
  CHECK(got.said() == "");
  const Item& item = got.document.types[0]->expand->items[0];
  std::string code;
  for (const Instruction& each : item.code) {
    static constexpr const char* names[] = {"run", "jump", "unless", "item"};
    code += fmt::format("{}{}{} ", names[static_cast<int>(each.kind)],
                        each.expression ? "(" + each.expression->text + ")" : "",
                        each.kind == Instruction::Kind::jump || each.kind == Instruction::Kind::jump_unless
                            ? fmt::format("->{}", each.target)
                            : "");
  }
  CHECK(code ==
        "unless(i == n)->3 jump->10 jump->7 unless(odd)->6 item(i) jump->7 run(i++) unless(odd)->9 run(i += 2) "
        "jump->0 ");
}
