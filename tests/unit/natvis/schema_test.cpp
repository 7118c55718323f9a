// Natvis as its schema has it: each element and attribute works, is left aside on purpose, or is refused with its line.
#include "tests/unit/natvis/support.hpp"

using namespace trapline;
using namespace trapline::natvis;

namespace {

// struct Node { Node* left; Node* right; int value; }; struct Thing { int x; Node* head; long n; int* data; };
struct Shapes {
  const sym::Type *node, *thing, *derived, *base;
  Shapes() {
    const sym::Type* link = sym::builtin(sym::Builtin::void_)->pointer_to();
    node = sym::make_record("Node", sym::RecordKey::struct_, 24,
                            {field("left", link, 0), field("right", link, 8), field("value", int_type(), 16)});
    thing = sym::make_record("Thing", sym::RecordKey::struct_, 32,
                             {field("x", int_type(), 0), field("head", node->pointer_to(), 8),
                              field("n", long_type(), 16), field("data", int_type()->pointer_to(), 24)});
    base = sym::make_record("Base", sym::RecordKey::struct_, 4, {field("kind", int_type(), 0)});
    derived = sym::make_record("Derived<int>", sym::RecordKey::struct_, 8,
                               {natvis::base(base, 0), field("more", int_type(), 4)});
  }
};
const Shapes& shapes() {
  static const Shapes all;
  return all;
}

void fill(Desk& desk) {
  desk.memory.set(0x1000, 7);
  desk.memory.set(0x1008, std::uint64_t{0x3000});
  desk.memory.set(0x1010, std::int64_t{3});
  desk.memory.set(0x1018, std::uint64_t{0x2000});
  for (int i = 0; i < 8; ++i) desk.memory.set(0x2000 + static_cast<std::uint64_t>(i) * 4, i * 10);
  for (int i = 0; i < 3; ++i) {
    const auto at = 0x3000 + static_cast<std::uint64_t>(i) * 32;
    desk.memory.set(at, std::uint64_t{0});
    desk.memory.set(at + 8, i < 2 ? at + 32 : std::uint64_t{0});
    desk.memory.set(at + 16, 100 + i);
  }
}

std::string whole(Desk& desk, const sym::Type* type) {
  fill(desk);
  std::string out = desk.show(type, 0x1000) + " | " + desk.listed(type, 0x1000);
  if (const std::string said = desk.complaints(); !said.empty()) out += " | " + said;
  return out;
}

// Of a Thing: its line and children.
std::string seen(std::string_view parts) {
  Desk desk(fmt::format(R"(<Type Name="Thing">{}</Type>)", parts));
  return whole(desk, shapes().thing);
}

std::string complained(std::string_view types) {
  Desk desk(types);
  fill(desk);
  desk.show(shapes().thing, 0x1000);
  return desk.complaints();
}

std::string items(std::string_view within) {
  return seen(fmt::format(R"(<DisplayString>.</DisplayString><Expand HideRawView="true">{}</Expand>)", within));
}

}  // namespace

TEST_CASE("elements of a Type") {
  static constexpr std::pair<std::string_view, std::string_view> table[] = {
      {"<DisplayString>{{{x}}}</DisplayString><Expand HideRawView='true'/>", "{7} | "},
      {"<DisplayString Condition='x == 1'>one</DisplayString><DisplayString>{x,x}</DisplayString><Expand "
       "HideRawView='1'/>",
       "0x7 | "},
      {"<DisplayString LegacyAddin='a.dll' Export='f'>y</DisplayString><Expand HideRawView='true'/>", "y | "},
      {"<DisplayString Optional='true'>{nothing}</DisplayString><DisplayString>y</DisplayString><Expand "
       "HideRawView='true'/>",
       "y | "},
      {"<UIVisualizer ServiceId='{A452AFEA-3DF6-46BB-9177-C0B08F318025}' Id='1'/><DisplayString>y</DisplayString>"
       "<Expand HideRawView='true'/>",
       "y | "},
      {"<CustomVisualizer VisualizerId='{A452AFEA-3DF6-46BB-9177-C0B08F318025}'/><DisplayString>y</DisplayString>"
       "<Expand HideRawView='true'/>",
       "y | "},
      {"<Intrinsic Name='twice' Expression='v * 2'><Parameter Name='v' Type='int'/></Intrinsic>"
       "<DisplayString>{twice(x)}</DisplayString><Expand HideRawView='true'/>",
       "14 | "},
      {"<Intrinsic Name='low' Expression='300' ReturnType='unsigned char'/>"
       "<DisplayString>{low(),d}</DisplayString><Expand HideRawView='true'/>",
       "44 | "},
      {"<Intrinsic Name='f' Optional='true' Expression='nothing'/><Intrinsic Name='f' Expression='x'/>"
       "<DisplayString>{f()}</DisplayString><Expand HideRawView='true'/>",
       "7 | "},
      {"<DisplayString>y</DisplayString><Expand/>", "y | [Raw View]={x=7, head=0x3000, n=3, data=0x2000}"},
      // A module's name: types that are of none are of none that is called so.
      {"<DisplayString ModuleName='libother.so'>n</DisplayString><DisplayString>y</DisplayString>"
       "<Expand HideRawView='true'><Item Name='a' ModuleName='libother.so'>x</Item></Expand>",
       "y | "},
  };
  for (const auto& [parts, expected] : table) {
    CAPTURE(std::string(parts));
    CHECK(seen(parts) == expected);
  }
}

TEST_CASE("names, priorities, views and modules of types") {
  const auto shown = [](std::string_view types, std::string_view view = "") {
    Desk desk(types);
    fill(desk);
    auto value = eval::in_memory(shapes().derived, LoadAddr{0x1000});
    value.view_name = view;
    std::string out = desk.show(value);
    if (const std::string said = desk.complaints(); !said.empty()) out += " | " + said;
    return out;
  };
  const std::string low = "<Type Name='Derived&lt;*>' Priority='Low'><DisplayString>low</DisplayString></Type>";
  CHECK(shown(low) == "low");
  CHECK(shown(low + "<Type Name='Other'><AlternativeType Name='Derived&lt;*>'/><DisplayString>other</DisplayString>"
                    "</Type>") == "other");
  CHECK(shown(low + "<Type Name='Other'><AlternativeType Name='Derived&lt;*>' Priority='Low'/><DisplayString>other"
                    "</DisplayString></Type>") == "low");
  CHECK(shown("<Type Name='Base'><DisplayString>base {kind}</DisplayString></Type>") == "base 7");
  CHECK(shown("<Type Name='Other'><AlternativeType Name='Base' Inheritable='false'/><DisplayString>no</DisplayString>"
              "</Type>") == "{Base=no, more=0}");
  CHECK(shown("<Type Name='Other' Inheritable='false'><AlternativeType Name='Base' Inheritable='true'/>"
              "<DisplayString>yes</DisplayString></Type>") == "yes");
  CHECK(shown(low + "<Type Name='Derived&lt;*>' IncludeView='short'><DisplayString>in</DisplayString></Type>") ==
        "low");
  CHECK(shown(low + "<Type Name='Derived&lt;*>' IncludeView='short'><DisplayString>in</DisplayString></Type>",
              "short") == "in");
  CHECK(shown(low + "<Type Name='Derived&lt;*>' ExcludeView='short;other'><DisplayString>in</DisplayString></Type>",
              "other") == "low");
  CHECK(shown(low + "<Type Name='Derived&lt;*>'><Version Name='libx.so' Min='1.0'/><DisplayString>in</DisplayString>"
                    "</Type>") == "low");
}

TEST_CASE("MostDerivedType: an object without a vtable that tells its own type") {
  Desk desk(R"(<Type Name="Thing"><MostDerivedType Condition="x == 7">head</MostDerivedType>
    <DisplayString>thing</DisplayString></Type>
    <Type Name="Node"><MostDerivedType>this</MostDerivedType><DisplayString>node {value}</DisplayString>
    <Expand HideRawView="true"><Item Name="v">value</Item></Expand></Type>)");
  CHECK(whole(desk, shapes().thing) == "(Node) node 100 | v=100");
  desk.memory.set(0x1000, 8);
  desk.engine.forget_memory();
  CHECK(desk.show(shapes().thing, 0x1000) == "thing");
  Desk wrong("<Type Name='Thing'><MostDerivedType>tail</MostDerivedType><DisplayString>thing</DisplayString></Type>");
  fill(wrong);
  CHECK(wrong.show(shapes().thing, 0x1000) == "{x=7, head=0x3000, n=3, data=0x2000}");
  CHECK(wrong.complaints().find("`tail`") != std::string::npos);
}

TEST_CASE("SmartPointer: what the type does not say, the pointer does") {
  CHECK(seen("<SmartPointer Usage='Minimal'>head</SmartPointer>") ==
        "0x3000 | left=0x0 right=0x3020 value=100 [Raw View]={x=7, head=0x3000, n=3, data=0x2000}");
  CHECK(seen("<SmartPointer Usage='Full' DefaultExpansion='false'>data</SmartPointer>").starts_with("0x2000 | x=7"));
  CHECK(seen("<SmartPointer Usage='Minimal'>data</SmartPointer><DisplayString>own</DisplayString><Expand "
             "HideRawView='true'/>") == "own | ");
  CHECK(seen("<SmartPointer Usage='Some'>data</SmartPointer>").find("Usage `Some`") != std::string::npos);
  Desk desk("<Type Name='Thing'><SmartPointer Usage='Indexable'>data</SmartPointer></Type>");
  fill(desk);
  CHECK(desk.evaluate(shapes().thing, 0x1000, "*v") == "int 0");
  CHECK(desk.evaluate(shapes().thing, 0x1000, "v[2]") == "int 20");
}

TEST_CASE("elements of an Expand") {
  static constexpr std::pair<std::string_view, std::string_view> table[] = {
      {"<Item Name='a {x}'>x + 1</Item>", ". | a 7=8"},
      {"<Item Name='a' Condition='x == 1'>x</Item><Item Name='b' IncludeView='v'>x</Item><Item Name='c' "
       "ExcludeView='v'>x</Item>",
       ". | c=7"},
      {"<ExpandedItem>*head</ExpandedItem>", ". | left=0x0 right=0x3020 value=100"},
      {"<Synthetic Name='s' Expression='x'><DisplayString>sum {x + n}</DisplayString></Synthetic>", ". | s=sum 10"},
      {"<ArrayItems><Size>n</Size><ValuePointer>data</ValuePointer></ArrayItems>", ". | [0]=0 [1]=10 [2]=20"},
      {"<ArrayItems><Size IncludeView='v'>1</Size><Size Condition='x == 7'>2</Size><Size>3</Size><ValuePointer "
       "Condition='x == 1'>head</ValuePointer><ValuePointer>data</ValuePointer></ArrayItems>",
       ". | [0]=0 [1]=10"},
      {"<ArrayItems><Direction>Backward</Direction><Rank>2</Rank><Size>$i + 2</Size><LowerBound>$i</LowerBound>"
       "<ValuePointer>data</ValuePointer></ArrayItems>",
       ". | [0,1]=0 [1,1]=10 [0,2]=20 [1,2]=30 [0,3]=40 [1,3]=50"},
      {"<IndexListItems><Size>n</Size><ValueNode Condition='$i == 1'>-1</ValueNode><ValueNode>data[$i]</ValueNode>"
       "</IndexListItems>",
       ". | [0]=0 [1]=-1 [2]=20"},
      {"<LinkedListItems><HeadPointer>head</HeadPointer><NextPointer>right</NextPointer><ValueNode Name='n{value}'>"
       "value</ValueNode></LinkedListItems>",
       ". | n100=100 n101=101 n102=102"},
      {"<LinkedListItems><Size>1</Size><HeadPointer>head</HeadPointer><NextPointer>right</NextPointer><ValueNode/>"
       "</LinkedListItems>",
       ". | [0]={left=0x0, right=0x3020, value=100}"},
      {"<LinkedListItems><Size>1</Size><HeadPointer>head</HeadPointer><NextPointer>right</NextPointer><ValueNode>this"
       "</ValueNode></LinkedListItems>",
       ". | [0]=0x3000"},
      {"<TreeItems><Size>3</Size><HeadPointer>head</HeadPointer><LeftPointer>left</LeftPointer><RightPointer>right"
       "</RightPointer><ValueNode>value</ValueNode></TreeItems>",
       ". | [0]=100 [1]=101 [2]=102"},
      {"<TreeItems><HeadPointer>head</HeadPointer><LeftPointer>left</LeftPointer><RightPointer>right</RightPointer>"
       "<ValueNode Condition='value != 102'>value</ValueNode></TreeItems>",
       ". | [0]=100 [1]=101"},
      {"<CustomListItems MaxItemsPerView='10'><Variable Name='i' InitialValue='0'/><Size>n</Size><Loop><Break "
       "Condition='i == n'/><Item Name='i{i}'>data[i]</Item><Exec>++i</Exec></Loop></CustomListItems>",
       ". | i0=0 i1=10 i2=20"},
      {"<CustomListItems><Variable Name='i' InitialValue='5'/><Loop Condition='i'><If Condition='i == 5'><Item>5"
       "</Item></If><Elseif Condition='i == 4'><Item Condition='x == 1'>4</Item></Elseif><Elseif Condition='i == 3'>"
       "<Item>3</Item></Elseif><Else><Break/></Else><Exec Condition='i'>i -= 1</Exec></Loop></CustomListItems>",
       ". | [0]=5 [1]=3"},
      {"<CustomListItems><Item>1</Item><Break/><Item>2</Item></CustomListItems>", ". | [0]=1"},
  };
  for (const auto& [parts, expected] : table) {
    CAPTURE(std::string(parts));
    CHECK(items(parts) == expected);
  }
}

TEST_CASE("Skip passes elements by") {
  const auto listed = [](std::string_view skip, std::uint64_t start) {
    Desk desk(fmt::format(R"(<Type Name="Thing"><Expand HideRawView="true"><CustomListItems>
      <Variable Name="i" InitialValue="(long)0"/><Variable Name="walked" InitialValue="(long)0"/><Size>n</Size>
      {}<Loop Condition="i &lt; n"><Item Name="{{i}}: {{walked}}">i</Item><Exec>i++</Exec><Exec>walked++</Exec></Loop>
      </CustomListItems></Expand></Type>)",
                          skip));
    fill(desk);
    desk.memory.set(0x1010, std::int64_t{1'000'000});
    std::string out = desk.listed(shapes().thing, 0x1000, start, 2);
    const std::string said = desk.complaints();
    return said.empty() ? out : said;
  };
  CHECK(listed("", 500) == "500: 500=500 501: 501=501");
  CHECK(listed("<Skip Value='count'><Exec>i += count</Exec></Skip>", 500'000) == "500000: 0=500000 500001: 1=500001");
  CHECK(listed("<Skip Value='count'><Exec>i += count</Exec></Skip>", 3) == "3: 3=3 4: 4=4");  // not worth it
  CHECK(listed("<Skip Value='count'><If Condition='count > 100'><Exec>count = 100</Exec></If><Exec>i += count</Exec>"
               "</Skip>",
               500) == "500: 400=500 501: 401=501");  // as far as it went
  CHECK(listed("<Skip Value='count'><Exec>count = 0</Exec></Skip>", 500) == "500: 500=500 501: 501=501");
  CHECK(listed("<Skip><Exec>i++</Exec></Skip>", 0).find("it needs Value") != std::string::npos);
  CHECK(listed("<Skip Value='c'><Item>1</Item></Skip>", 0).find("none of its own") != std::string::npos);
}

TEST_CASE("what is misspelt or misplaced is told with its line") {
  static constexpr std::pair<std::string_view, std::string_view> table[] = {
      {"<Type Name='Thing'>\n<DisplayString Conditon='x'>y</DisplayString></Type>",
       "test.natvis:3: <DisplayString> of Thing: unknown attribute `Conditon`; did you mean `Condition`?\n"},
      {"<Type Nam='Thing'/>", "test.natvis:2: <Type Name=\"\">: it has no Name\n"},
      {"<Type Name='Thing' Color='red'><DisplayString>y</DisplayString></Type>",
       "test.natvis:2: <Type Name=\"Thing\">: unknown attribute `Color`\n"},
      {"<Type Name='Thing'><DisplayString>y</DisplayString>\n<Expnd/></Type>",
       "test.natvis:3: <Expnd> of Thing: unknown element\n"},
      {"<Type Name='Thing'><Expand><ArrayItems>\n<Sice>n</Sice><Size>n</Size><ValuePointer>data</ValuePointer>"
       "</ArrayItems></Expand></Type>",
       "test.natvis:3: <Sice> of Thing: unknown element; did you mean `Size`?\n"},
      {"<Type Name='Thing'><Expand><ArrayItems><Size>n</Size></ArrayItems></Expand></Type>",
       "test.natvis:2: <ArrayItems> of Thing: it needs <Size> and <ValuePointer>\n"},
      {"<Type Name='Thing'><Expand><TreeItems><HeadPointer>head</HeadPointer><ValueNode>value</ValueNode></TreeItems>"
       "</Expand></Type>",
       "test.natvis:2: <TreeItems> of Thing: it needs <LeftPointer>\n"},
      {"<Type Name='Thing' Priority='Highest'><DisplayString>y</DisplayString></Type>",
       "test.natvis:2: <Type Name=\"Thing\">: Priority `Highest`: Low, MediumLow, Medium, MediumHigh and High are "
       "known\n"},
      {"<Type Name='Thing'><DisplayString>{x</DisplayString></Type>",
       "test.natvis:2: <DisplayString> of Thing: `{` without `}`; a brace itself is written `{{`\n"},
      {"<Type Name='Thing'><Intrinsic Name='f' SourceId='{A452AFEA-3DF6-46BB-9177-C0B08F318025}' Id='1'/></Type>",
       "test.natvis:2: <Intrinsic> of Thing: it has no Expression\n"},
      {"<Type Name='Thing'><Expand><CustomListItems><Else><Item>1</Item></Else></CustomListItems></Expand></Type>",
       "test.natvis:2: <Else> of Thing: it stands after no <If>\n"},
      {"<Type Name='Thing'><Expand><CustomListItems><Loop><Whle/></Loop></CustomListItems></Expand></Type>",
       "test.natvis:2: <Whle> of Thing: unknown element in <CustomListItems>\n"},
  };
  for (const auto& [types, expected] : table) {
    CAPTURE(std::string(types));
    CHECK(complained(types) == expected);
  }
}
