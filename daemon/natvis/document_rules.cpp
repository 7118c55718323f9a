// What natvis allows where (natvis.xsd of Visual Studio), and what is ours. A misspelt attribute would else be one that
// is not there.
#include <array>

#include "daemon/natvis/document_reader.hpp"
#include "daemon/sym/variable.hpp"

namespace trapline::natvis {

namespace {

struct Rule {
  std::string_view element;
  std::string_view attributes;  // a blank between them
  std::string_view children;    // "": none that are looked at here; "*": whoever reads the element says
  bool common = false;          // the attributes that elements have in common too
};

constexpr std::string_view common_attributes =
    "Condition Optional IncludeView ExcludeView ModuleName ModuleVersionMin ModuleVersionMax Symbol SymbolName";

// LegacyAddin, Export and Encoding name code of Visual Studio; Category, SourceId, LanguageId, Id and SideEffect too.
constexpr std::array rules{
    Rule{"Type", "Name IncludeView ExcludeView Priority Inheritable", "*"},
    Rule{"AlternativeType", "Name Priority Inheritable", ""},
    Rule{"Version", "Name Min Max", ""},
    Rule{"Intrinsic", "Name Category ReturnType Expression SourceId LanguageId Id SideEffect Varargs", "*", true},
    Rule{"Parameter", "Name Type", ""},
    Rule{"DisplayString", "LegacyAddin Export Encoding", "", true},
    Rule{"StringView", "", "", true},
    Rule{"SmartPointer", "Usage DefaultExpansion", "", true},
    Rule{"MostDerivedType", "IgnoreVTable", "", true},
    Rule{"Expand", "HideRawView", "*"},
    Rule{"Item", "Name", "", true},
    Rule{"ExpandedItem", "", "", true},
    Rule{"Synthetic", "Name Expression", "CustomVisualizer DisplayString StringView Expand", true},
    Rule{"ArrayItems", "", "Direction Rank Size LowerBound ValuePointer", true},
    Rule{"IndexListItems", "", "Size ValueNode", true},
    Rule{"LinkedListItems", "", "Size HeadPointer NextPointer ValueNode", true},
    Rule{"TreeItems", "", "Size HeadPointer LeftPointer RightPointer ValueNode", true},
    Rule{"CustomListItems", "MaxItemsPerView", "*", true},
    Rule{"Size", "", "", true},
    Rule{"ValuePointer", "", "", true},
    Rule{"ValueNode", "Name", "", true},
    Rule{"HeadPointer", "", ""},
    Rule{"NextPointer", "", ""},
    Rule{"LeftPointer", "", ""},
    Rule{"RightPointer", "", ""},
    Rule{"Direction", "", ""},
    Rule{"Rank", "", ""},
    Rule{"LowerBound", "", ""},
    Rule{"Variable", "Name InitialValue", ""},
    Rule{"Skip", "Value", "*"},
    Rule{"Loop", "Condition", "*"},
    Rule{"If", "Condition", "*"},
    Rule{"Elseif", "Condition", "*"},
    Rule{"Else", "", "*"},
    Rule{"Exec", "Condition", ""},
    Rule{"Break", "Condition", ""},
};

template <class Each>
void each_word(std::string_view words, const Each& each) {
  while (!words.empty()) {
    const std::size_t end = words.find(' ');
    each(words.substr(0, end));
    if (end == std::string_view::npos) break;
    words.remove_prefix(end + 1);
  }
}

bool has_word(std::string_view words, std::string_view word) {
  bool found = false;
  each_word(words, [&](std::string_view each) { found = found || each == word; });
  return found;
}

std::string nearest(std::string_view words, std::string_view word) {
  std::string best;
  std::size_t least = 4;
  each_word(words, [&](std::string_view each) {
    const std::size_t distance = sym::edit_distance(each, word, 3);
    if (distance >= least) return;
    least = distance;
    best = fmt::format("; did you mean `{}`?", each);
  });
  return best;
}

}  // namespace

void DocumentReader::check_rules(const pugi::xml_node& node, int depth) {
  const auto rule = std::ranges::find(rules, local_name(node), &Rule::element);
  if (rule == rules.end() || depth > 100) return;  // unknown elements are told of where they are read
  const std::string known =
      rule->common ? fmt::format("{} {}", rule->attributes, common_attributes) : std::string(rule->attributes);
  for (const pugi::xml_attribute& attribute : node.attributes()) {
    const std::string_view name = attribute.name();
    if (name.find(':') != std::string_view::npos || name == "xmlns" || has_word(known, name)) continue;
    complain(node, fmt::format("unknown attribute `{}`{}", name, nearest(known, name)));
  }
  for (const pugi::xml_node& child : node.children()) {
    if (child.type() != pugi::node_element) continue;
    if (rule->children != "*" && !has_word(rule->children, local_name(child)))
      complain(child, "unknown element" + nearest(rule->children, local_name(child)));
    check_rules(child, depth + 1);
  }
}

}  // namespace trapline::natvis
