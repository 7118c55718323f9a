// Natvis text as anybody might have written it: damaged files are read, matched and run on a value, and nothing but an
// answer or a complaint may come of it. Short, with fixed starts.
#include "daemon/natvis/box.hpp"
#include "daemon/natvis/model.hpp"
#include "tests/fuzz/mutate.hpp"
#include "tests/unit/natvis/support.hpp"

using namespace trapline;
using namespace trapline::natvis;

namespace {

const std::vector<std::string>& seeds() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> out{
        R"(<AutoVisualizer><Type Name="V&lt;*&gt;"><DisplayString>{{{n,x} {*p,[n]} {s,s}}}</DisplayString><Expand>
<Item Name="[{n}]">n,d</Item><ArrayItems><Size>n</Size><ValuePointer>p</ValuePointer></ArrayItems>
<Synthetic Name="s"><DisplayString>x</DisplayString><Expand><ExpandedItem>*this,!</ExpandedItem></Expand></Synthetic>
</Expand></Type></AutoVisualizer>)",
        R"(<AutoVisualizer><Type Name="V&lt;*&gt;"><Intrinsic Name="f" Expression="f(x)+n"><Parameter Name="x" Type="$T1"/>
</Intrinsic><DisplayString>{f(2)}</DisplayString><Expand><CustomListItems><Variable Name="i" InitialValue="0"/>
<Loop Condition="i &lt; 20"><If Condition="i == 3"><Break/></If><Elseif Condition="i"><Item>p[i]</Item></Elseif><Else>
<Exec>i += 2</Exec></Else><Exec>i++</Exec></Loop></CustomListItems></Expand></Type></AutoVisualizer>)",
        R"(<AutoVisualizer><Type Name="V&lt;int&gt;"><Expand><TreeItems><Size>n</Size><HeadPointer>p</HeadPointer>
<LeftPointer>(int*)0</LeftPointer><RightPointer>this + 1</RightPointer><ValueNode Name="{*this}">*this</ValueNode>
</TreeItems><LinkedListItems><HeadPointer>p</HeadPointer><NextPointer>this + 1</NextPointer><ValueNode>*this</ValueNode>
</LinkedListItems><IndexListItems><Size>n</Size><ValueNode>p[$i]</ValueNode></IndexListItems></Expand></Type>
</AutoVisualizer>)"};
    for (const BoxFile& file : box()) out.emplace_back(file.text.substr(0, 6000));
    return out;
  }();
  return all;
}

}  // namespace

TEST_CASE("no natvis text brings the reader down") {
  const auto* type = sym::make_record(
      "V<int>", sym::RecordKey::struct_, 24,
      {field("p", int_type()->pointer_to(), 0), field("n", long_type(), 8), field("s", char_type()->pointer_to(), 16)});
  static constexpr std::string_view words[] = {"<Type Name=\"V&lt;*&gt;\">",
                                               "</Type>",
                                               "<Item>",
                                               "<Expand>",
                                               "</Expand>",
                                               "Condition=\"n\"",
                                               "Optional=\"true\"",
                                               "$T1",
                                               "$i",
                                               "{",
                                               "}",
                                               "{{",
                                               "[n]",
                                               ",view(a)",
                                               "<Loop>",
                                               "</Loop>",
                                               "<Break/>",
                                               "<Else>",
                                               "&lt;",
                                               "<!--",
                                               "<![CDATA[",
                                               "0x",
                                               "*this",
                                               "(char*)0",
                                               "9223372036854775807"};
  fuzz::Random random(20261121);
  for (int round = 0; round < 1500; ++round) {
    std::string text = seeds()[random() % seeds().size()];
    for (std::uint64_t n = random() % 4; n > 0; --n) text = fuzz::mutate(std::move(text), random, words);
    std::vector<Complaint> complaints;
    const Document document = parse_document(text, complaints);
    CAPTURE(text);
    for (const Complaint& each : complaints) CHECK(each.line >= 0);
    if (round % 4 != 0) continue;
    Desk desk("");
    desk.engine.add_text("fuzz.natvis", text);
    desk.memory.set(0x1000, std::uint64_t{0x2000});
    desk.memory.set(0x1008, std::int64_t{static_cast<std::int64_t>(random() % 64)});
    desk.memory.set(0x1010, std::uint64_t{0x2000});
    for (std::uint64_t i = 0; i < 64; ++i) desk.memory.set(0x2000 + i * 4, static_cast<int>(i));
    const auto value = eval::in_memory(type, LoadAddr{0x1000});
    CHECK(!desk.show(value).empty());
    const auto count = eval::child_count(desk.view(), value);
    if (const auto page = eval::children(desk.view(), value, "v", 0, 20)) CHECK(page->size() <= 21);
    (void)count;
  }
}
