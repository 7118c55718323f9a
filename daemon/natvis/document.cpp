// XML -> model. An element that cannot be read is left out and complained of with its line; the rest of the file
// counts.
#include <array>

#include "daemon/natvis/document_reader.hpp"

namespace trapline::natvis {

namespace {

std::vector<std::string> views(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = text.find_first_of(";, ");
    if (end != 0) out.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace

Guard DocumentReader::guard_of(const pugi::xml_node& node) {
  Guard guard;
  if (const auto condition = node.attribute("Condition"))
    guard.condition = parse_expression(condition.value(), line_of(node));
  if (const auto symbol = node.attribute("Symbol")) {
    guard.symbol = parse_expression(symbol.value(), line_of(node));
    guard.symbol_name = node.attribute("SymbolName").value();
    if (guard.symbol_name.empty()) complain(node, "Symbol is an address, and SymbolName what stands there");
  }
  guard.optional = is_true(node.attribute("Optional").value());
  guard.module = node.attribute("ModuleName").value();
  guard.include_views = views(node.attribute("IncludeView").value());
  guard.exclude_views = views(node.attribute("ExcludeView").value());
  return guard;
}

std::vector<Alternative> DocumentReader::alternatives(const pugi::xml_node& node, std::string_view name) {
  std::vector<Alternative> out;
  for (const pugi::xml_node& child : node.children()) {
    if (child.type() != pugi::node_element || local_name(child) != name) continue;
    Alternative each;
    each.guard = guard_of(child);
    if (name == "ValueNode" && child.text().empty())
      each.expression = parse_expression("*this", line_of(child));  // the node itself
    else if (!expression(child, each.expression))
      continue;
    if (const auto label = child.attribute("Name"))
      if (!interpolated(child, label.value(), each.name)) continue;
    out.push_back(std::move(each));
  }
  return out;
}

std::unique_ptr<TypeVisual> DocumentReader::read_type(const pugi::xml_node& node) {
  auto type = std::make_unique<TypeVisual>();
  type->line = line_of(node);
  type->written = node.attribute("Name").value();
  if (type->written.empty()) {
    complain(node, "it has no Name");
    return nullptr;
  }
  check_rules(node, 0);
  type->guard = guard_of(node);
  type->names.push_back(named_type(node, {}));
  for (const pugi::xml_node& child : node.children())
    if (child.type() == pugi::node_element) read_part(child, *type);
  complete_smart_pointer(*type);
  return type;
}

// Name, Priority and Inheritable of <Type>, or of an <AlternativeType>, which goes by its <Type> where it says nothing.
TypeVisual::Named DocumentReader::named_type(const pugi::xml_node& node, TypeVisual::Named out) {
  out.pattern = parse_name(node.attribute("Name").value());
  static constexpr std::array<std::string_view, 5> priorities{"Low", "MediumLow", "Medium", "MediumHigh", "High"};
  if (const std::string_view priority = node.attribute("Priority").value(); !priority.empty()) {
    const auto found = std::ranges::find(priorities, priority);
    if (found == priorities.end())
      complain(node, fmt::format("Priority `{}`: Low, MediumLow, Medium, MediumHigh and High are known", priority));
    else
      out.priority = static_cast<int>(found - priorities.begin());
  }
  if (const auto inheritable = node.attribute("Inheritable")) out.inheritable = is_true(inheritable.value());
  return out;
}

void DocumentReader::read_part(const pugi::xml_node& node, TypeVisual& type) {
  const std::string_view name = local_name(node);
  if (name == "AlternativeType") {
    const std::string_view other = node.attribute("Name").value();
    if (other.empty())
      complain(node, "it has no Name");
    else
      type.names.push_back(named_type(node, type.names.front()));
  } else if (name == "DisplayString") {
    read_display(node, type.displays);
  } else if (name == "StringView") {
    StringView view{guard_of(node), {}};
    if (expression(node, view.expression)) type.string_views.push_back(std::move(view));
  } else if (name == "Expand") {
    if (type.expand)
      complain(node, "a type has one <Expand>; this second one is left out");
    else
      type.expand = read_expand(node, 0);
  } else if (name == "Intrinsic") {
    read_intrinsic(node, type.intrinsics);
  } else if (name == "SmartPointer") {
    read_smart_pointer(node, type);
  } else if (name == "Version") {
    // Modules of Linux have no version to be within Min and Max.
    type.guard.module = node.attribute("Name").value();
    if (type.guard.module.empty()) complain(node, "it has no Name");
  } else if (name == "MostDerivedType") {
    MostDerived most{guard_of(node), {}, is_true(node.attribute("IgnoreVTable").value())};
    if (expression(node, most.expression)) type.most_derived.push_back(std::move(most));
  } else if (name != "UIVisualizer" && name != "CustomVisualizer") {  // windows and code of Visual Studio
    complain(node, "unknown element");
  }
}

void DocumentReader::read_display(const pugi::xml_node& node, std::vector<DisplayString>& out) {
  DisplayString display;
  display.guard = guard_of(node);
  display.line = line_of(node);
  if (interpolated(text_node(node), node.text().get(), display.text)) out.push_back(std::move(display));
}

void DocumentReader::read_intrinsic(const pugi::xml_node& node, std::vector<IntrinsicText>& out) {
  IntrinsicText intrinsic;
  intrinsic.name = node.attribute("Name").value();
  intrinsic.optional = is_true(node.attribute("Optional").value());
  intrinsic.module = node.attribute("ModuleName").value();
  intrinsic.body = parse_expression(node.attribute("Expression").value(), line_of(node));
  if (const std::string_view type = node.attribute("ReturnType").value(); !type.empty() && !intrinsic.body.empty())
    intrinsic.body.text = fmt::format("({})({})", type, intrinsic.body.text);
  if (intrinsic.name.empty()) return complain(node, "it has no Name");
  if (intrinsic.body.empty()) return complain(node, "it has no Expression");
  for (const pugi::xml_node& child : node.children()) {
    if (child.type() != pugi::node_element) continue;
    const char* type = child.attribute("Type").value();
    if (local_name(child) != "Parameter" || *type == '\0')
      return complain(child, "an <Intrinsic> holds <Parameter Name=\"...\" Type=\"...\"/>");
    intrinsic.parameters.push_back({child.attribute("Name").value(), type});
  }
  out.push_back(std::move(intrinsic));
}

// <SmartPointer> says by one expression what operator->, operator* and operator[] are, and how the whole looks where
// nothing else in the type says so.
void DocumentReader::read_smart_pointer(const pugi::xml_node& node, TypeVisual& type) {
  Expression pointer;
  if (!expression(node, pointer)) return;
  const std::string_view usage = node.attribute("Usage").value();
  if (usage != "Minimal" && usage != "Indexable" && usage != "Full")
    return complain(node, fmt::format("Usage `{}`: Minimal, Indexable and Full are known", usage));
  const auto add = [&](std::string name, std::string text, std::vector<IntrinsicText::Parameter> parameters) {
    Expression body;
    body.text = std::move(text);
    body.line = pointer.line;
    type.intrinsics.push_back({std::move(name), std::move(body), std::move(parameters), true});
  };
  add("operator->", pointer.text, {});
  add("operator*", fmt::format("*({})", pointer.text), {});
  if (usage != "Minimal") add("operator[]", fmt::format("({})[__index]", pointer.text), {{"__index", "long"}});
  if (usage == "Full") add("operator bool", fmt::format("({}) != 0", pointer.text), {});
  type.pointer = std::move(pointer);
  type.pointer_expands = !node.attribute("DefaultExpansion") || is_true(node.attribute("DefaultExpansion").value());
}

// What a smart pointer's type does not say itself.
void DocumentReader::complete_smart_pointer(TypeVisual& type) {
  if (type.pointer.empty()) return;
  const auto always = [](const DisplayString& each) { return each.guard.condition.empty() && !each.guard.optional; };
  if (!std::ranges::any_of(type.displays, always)) {
    DisplayString display;
    display.line = type.pointer.line;
    display.text.segments.push_back({{}, std::make_unique<Expression>(type.pointer)});
    type.displays.push_back(std::move(display));
  }
  if (type.expand || !type.pointer_expands) return;
  type.expand = std::make_unique<Expand>();
  Item item;
  item.kind = Item::Kind::expanded;
  item.line = type.pointer.line;
  item.value = type.pointer;
  item.guard.condition = type.pointer;
  item.guard.condition.text = fmt::format("({}) != 0", type.pointer.text);
  type.expand->items.push_back(std::move(item));
}

Document parse_document(std::string_view text, std::vector<Complaint>& complaints) {
  return DocumentReader(text, complaints).read(text);
}

}  // namespace trapline::natvis
