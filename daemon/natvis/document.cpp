// XML -> model. An element that cannot be read is left out and complained of with its line; the rest of the file
// counts.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <pugixml.hpp>

#include "daemon/natvis/model.hpp"

namespace trapline::natvis {

namespace {

std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

bool is_true(std::string_view text) { return text == "true" || text == "1" || text == "True"; }

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

class DocumentReader {
 public:
  DocumentReader(std::string_view text, std::vector<Complaint>& complaints) : complaints_(complaints) {
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '\n') newlines_.push_back(i);
  }

  Document read(std::string_view text) {
    Document out;
    pugi::xml_document xml;
    const auto parsed = xml.load_buffer(text.data(), text.size(), pugi::parse_default);
    if (!parsed) {
      complain_at(static_cast<std::size_t>(parsed.offset), "file",
                  fmt::format("not well-formed XML: {}", parsed.description()));
      return out;
    }
    const pugi::xml_node root = xml.document_element();
    if (local_name(root) != "AutoVisualizer") {
      complain(root, fmt::format("the file begins with <{}>; <AutoVisualizer> is expected", root.name()));
      return out;
    }
    for (const pugi::xml_node& node : root.children()) {
      if (node.type() != pugi::node_element) continue;
      const std::string_view name = local_name(node);
      if (name == "Type") {
        if (auto type = read_type(node)) out.types.push_back(std::move(type));
      } else if (name == "Intrinsic") {
        read_intrinsic(node, out.intrinsics);
      } else if (name != "Version" && name != "UIVisualizer" && name != "HResult" && name != "LocalizedStrings") {
        complain(node, "unknown element");
      }
    }
    return out;
  }

 private:
  int line_of(std::size_t offset) const {
    return static_cast<int>(std::ranges::lower_bound(newlines_, offset) - newlines_.begin()) + 1;
  }
  int line_of(const pugi::xml_node& node) const {
    const auto offset = node.offset_debug();
    return offset < 0 ? 0 : line_of(static_cast<std::size_t>(offset));
  }
  // Where the text of an element begins: a long <Expand> names the line of the expression.
  static pugi::xml_node text_node(const pugi::xml_node& node) {
    for (const pugi::xml_node& child : node.children())
      if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) return child;
    return node;
  }
  void complain_at(std::size_t offset, std::string element, std::string reason) {
    complaints_.push_back({line_of(offset), std::move(element), std::move(reason)});
  }
  void complain(const pugi::xml_node& node, std::string reason) {
    const pugi::xml_node named = node.type() == pugi::node_element ? node : node.parent();
    std::string element = fmt::format("<{}>", named.name());
    for (pugi::xml_node up = named; up; up = up.parent())
      if (local_name(up) == "Type" && up != named) element += fmt::format(" of {}", up.attribute("Name").value());
    if (local_name(named) == "Type") element = fmt::format("<Type Name=\"{}\">", named.attribute("Name").value());
    complaints_.push_back({line_of(node), std::move(element), std::move(reason)});
  }

  bool expression(const pugi::xml_node& node, Expression& out) {
    out = parse_expression(node.text().get(), line_of(text_node(node)));
    if (out.empty()) complain(node, "it holds no expression");
    return !out.empty();
  }
  bool child_expression(const pugi::xml_node& node, std::string_view name, Expression& out, bool needed) {
    const pugi::xml_node child = child_named(node, name);
    if (!child) {
      if (needed) complain(node, fmt::format("it needs <{}>", name));
      return !needed;
    }
    return expression(child, out);
  }
  static pugi::xml_node child_named(const pugi::xml_node& node, std::string_view name) {
    for (const pugi::xml_node& child : node.children())
      if (child.type() == pugi::node_element && local_name(child) == name) return child;
    return {};
  }
  bool interpolated(const pugi::xml_node& node, std::string_view text, Interpolated& out) {
    if (const auto wrong = parse_interpolated(text, line_of(node), out)) {
      complain(node, *wrong);
      return false;
    }
    return true;
  }

  Guard guard_of(const pugi::xml_node& node) {
    Guard guard;
    if (const auto condition = node.attribute("Condition"))
      guard.condition = parse_expression(condition.value(), line_of(node));
    if (const auto symbol = node.attribute("Symbol")) {
      guard.symbol = parse_expression(symbol.value(), line_of(node));
      guard.symbol_name = node.attribute("SymbolName").value();
      if (guard.symbol_name.empty()) complain(node, "Symbol is an address, and SymbolName what stands there");
    }
    guard.optional = is_true(node.attribute("Optional").value());
    guard.include_views = views(node.attribute("IncludeView").value());
    guard.exclude_views = views(node.attribute("ExcludeView").value());
    return guard;
  }

  std::vector<Alternative> alternatives(const pugi::xml_node& node, std::string_view name) {
    std::vector<Alternative> out;
    for (const pugi::xml_node& child : node.children()) {
      if (child.type() != pugi::node_element || local_name(child) != name) continue;
      Alternative each;
      each.guard = guard_of(child);
      if (!expression(child, each.expression)) continue;
      if (const auto label = child.attribute("Name"))
        if (!interpolated(child, label.value(), each.name)) continue;
      out.push_back(std::move(each));
    }
    return out;
  }

  std::unique_ptr<TypeVisual> read_type(const pugi::xml_node& node) {
    auto type = std::make_unique<TypeVisual>();
    type->line = line_of(node);
    type->written = node.attribute("Name").value();
    if (type->written.empty()) {
      complain(node, "it has no Name");
      return nullptr;
    }
    type->names.push_back(parse_name(type->written));
    static constexpr std::array<std::string_view, 5> priorities{"Low", "MediumLow", "Medium", "MediumHigh", "High"};
    if (const std::string_view priority = node.attribute("Priority").value(); !priority.empty()) {
      const auto found = std::ranges::find(priorities, priority);
      if (found == priorities.end())
        complain(node, fmt::format("Priority `{}`: Low, MediumLow, Medium, MediumHigh and High are known", priority));
      else
        type->priority = static_cast<int>(found - priorities.begin());
    }
    if (const auto inheritable = node.attribute("Inheritable")) type->inheritable = is_true(inheritable.value());
    for (const pugi::xml_node& child : node.children())
      if (child.type() == pugi::node_element) read_part(child, *type);
    return type;
  }

  void read_part(const pugi::xml_node& node, TypeVisual& type) {
    const std::string_view name = local_name(node);
    if (name == "AlternativeType") {
      const std::string_view other = node.attribute("Name").value();
      if (other.empty())
        complain(node, "it has no Name");
      else
        type.names.push_back(parse_name(other));
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
      read_smart_pointer(node, type.intrinsics);
    } else if (name != "Version" && name != "UIVisualizer" && name != "CustomVisualizer" && name != "MostDerivedType") {
      complain(node, "unknown element");
    }
  }

  void read_display(const pugi::xml_node& node, std::vector<DisplayString>& out) {
    DisplayString display;
    display.guard = guard_of(node);
    display.line = line_of(node);
    if (interpolated(text_node(node), node.text().get(), display.text)) out.push_back(std::move(display));
  }

  void read_intrinsic(const pugi::xml_node& node, std::vector<IntrinsicText>& out) {
    IntrinsicText intrinsic;
    intrinsic.name = node.attribute("Name").value();
    intrinsic.optional = is_true(node.attribute("Optional").value());
    intrinsic.body = parse_expression(node.attribute("Expression").value(), line_of(node));
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

  // <SmartPointer> says by one expression what operator->, operator* and operator[] are.
  void read_smart_pointer(const pugi::xml_node& node, std::vector<IntrinsicText>& out) {
    Expression pointer;
    if (!expression(node, pointer)) return;
    const std::string_view usage = node.attribute("Usage").value();
    if (usage != "Minimal" && usage != "Indexable" && usage != "Full")
      return complain(node, fmt::format("Usage `{}`: Minimal, Indexable and Full are known", usage));
    const auto add = [&](std::string name, std::string text, std::vector<IntrinsicText::Parameter> parameters) {
      Expression body;
      body.text = std::move(text);
      body.line = pointer.line;
      out.push_back({std::move(name), std::move(body), std::move(parameters), true});
    };
    add("operator->", pointer.text, {});
    add("operator*", fmt::format("*({})", pointer.text), {});
    if (usage != "Minimal") add("operator[]", fmt::format("({})[__index]", pointer.text), {{"__index", "long"}});
  }

  std::unique_ptr<Expand> read_expand(const pugi::xml_node& node, int depth) {
    auto out = std::make_unique<Expand>();
    out->line = line_of(node);
    out->hide_raw_view = is_true(node.attribute("HideRawView").value());
    for (const pugi::xml_node& child : node.children()) {
      if (child.type() != pugi::node_element) continue;
      Item item;
      item.line = line_of(child);
      item.guard = guard_of(child);
      if (read_item(child, item, depth)) out->items.push_back(std::move(item));
    }
    return out;
  }

  bool named(const pugi::xml_node& node, Item& item) {
    const auto name = node.attribute("Name");
    if (!name) {
      complain(node, "it has no Name");
      return false;
    }
    return interpolated(node, name.value(), item.name);
  }

  bool read_item(const pugi::xml_node& node, Item& item, int depth) {
    const std::string_view name = local_name(node);
    if (name == "Item") return named(node, item) && expression(node, item.value);
    if (name == "ExpandedItem") {
      item.kind = Item::Kind::expanded;
      return expression(node, item.value);
    }
    if (name == "Synthetic") return read_synthetic(node, item, depth);
    if (name == "ArrayItems") return read_array(node, item);
    if (name == "CustomListItems") return read_custom(node, item);
    if (name == "UIVisualizer") return false;
    const bool tree = name == "TreeItems", list = name == "LinkedListItems";
    if (!tree && !list && name != "IndexListItems") {
      complain(node, "unknown element");
      return false;
    }
    item.kind = tree ? Item::Kind::tree : list ? Item::Kind::linked_list : Item::Kind::index_list;
    item.sizes = alternatives(node, "Size");
    item.values = alternatives(node, "ValueNode");
    if (item.values.empty()) {
      complain(node, "it needs <ValueNode>");
      return false;
    }
    if (item.kind == Item::Kind::index_list) {
      if (item.sizes.empty()) complain(node, "it needs <Size>");
      return !item.sizes.empty();
    }
    return child_expression(node, "HeadPointer", item.head, true) &&
           child_expression(node, tree ? "LeftPointer" : "NextPointer", item.next, true) &&
           (!tree || child_expression(node, "RightPointer", item.right, true));
  }

  bool read_synthetic(const pugi::xml_node& node, Item& item, int depth) {
    item.kind = Item::Kind::synthetic;
    if (depth > 16) {
      complain(node, "<Synthetic> within <Synthetic> goes too deep");
      return false;
    }
    if (!named(node, item)) return false;
    if (const auto value = child_named(node, "DisplayString")) {
      for (const pugi::xml_node& child : node.children())
        if (local_name(child) == "DisplayString") read_display(child, item.displays);
      (void)value;
    }
    if (const auto expand = child_named(node, "Expand")) item.expand = read_expand(expand, depth + 1);
    return true;
  }

  bool read_array(const pugi::xml_node& node, Item& item) {
    item.kind = Item::Kind::array;
    item.sizes = alternatives(node, "Size");
    item.values = alternatives(node, "ValuePointer");
    if (item.sizes.empty() || item.values.empty()) {
      complain(node, "it needs <Size> and <ValuePointer>");
      return false;
    }
    if (const auto direction = child_named(node, "Direction")) {
      const std::string_view text = direction.text().get();
      if (text != "Forward" && text != "Backward")
        complain(direction, fmt::format("`{}`: Forward and Backward are known", text));
      item.backward = text == "Backward";
    }
    return child_expression(node, "Rank", item.rank, false) &&
           child_expression(node, "LowerBound", item.lower_bound, false);
  }

  // ---- CustomListItems

  bool read_custom(const pugi::xml_node& node, Item& item) {
    item.kind = Item::Kind::custom_list;
    item.sizes = alternatives(node, "Size");
    for (const pugi::xml_node& child : node.children()) {
      if (child.type() != pugi::node_element || local_name(child) != "Variable") continue;
      const auto name = child.attribute("Name"), initial = child.attribute("InitialValue");
      if (!name || !initial) {
        complain(child, "it needs Name and InitialValue");
        return false;
      }
      item.variables.push_back({name.value(), parse_expression(initial.value(), line_of(child))});
    }
    std::vector<std::size_t>* no_loop = nullptr;
    return block(node, item, no_loop, 0);
  }

  std::size_t emit(Item& item, Instruction::Kind kind, std::string_view expression, const pugi::xml_node& node) {
    Instruction each;
    each.kind = kind;
    if (!expression.empty())
      each.expression = std::make_unique<Expression>(parse_expression(expression, line_of(node)));
    item.code.push_back(std::move(each));
    return item.code.size() - 1;
  }

  // `breaks`: jumps out of the loop around, to be aimed by it; outside of loops <Break> ends the list.
  bool block(const pugi::xml_node& node, Item& item, std::vector<std::size_t>* breaks, int depth) {
    if (depth > 64) {
      complain(node, "it nests too deep");
      return false;
    }
    std::vector<std::size_t> to_end;  // of an If - Elseif - Else
    std::optional<std::size_t> otherwise;
    const auto close = [&] {
      if (otherwise) item.code[*otherwise].target = item.code.size();
      for (const std::size_t jump : to_end) item.code[jump].target = item.code.size();
      otherwise.reset();
      to_end.clear();
    };
    for (const pugi::xml_node& child : node.children()) {
      if (child.type() != pugi::node_element) continue;
      const std::string_view name = local_name(child);
      const std::string_view condition = child.attribute("Condition").value();
      const bool continues = name == "Elseif" || name == "Else";
      if (!continues) close();
      if (name == "Variable" || name == "Size" || name == "Skip") continue;
      if (continues && !otherwise && to_end.empty()) {
        complain(child, "it stands after no <If>");
        return false;
      }
      if (name == "If" || name == "Elseif" || name == "Else") {
        if (continues) {
          to_end.push_back(emit(item, Instruction::Kind::jump, "", child));
          if (otherwise) item.code[*otherwise].target = item.code.size();
          otherwise.reset();
        }
        if (name != "Else") {
          if (condition.empty()) {
            complain(child, "it needs Condition");
            return false;
          }
          otherwise = emit(item, Instruction::Kind::jump_unless, condition, child);
        }
        if (!block(child, item, breaks, depth + 1)) return false;
      } else if (name == "Loop") {
        std::vector<std::size_t> out;
        const std::size_t begin = item.code.size();
        if (!condition.empty()) out.push_back(emit(item, Instruction::Kind::jump_unless, condition, child));
        if (!block(child, item, &out, depth + 1)) return false;
        item.code[emit(item, Instruction::Kind::jump, "", child)].target = begin;
        for (const std::size_t jump : out) item.code[jump].target = item.code.size();
      } else if (!statement(child, name, condition, item, breaks)) {
        return false;
      }
    }
    close();
    return true;
  }

  bool statement(const pugi::xml_node& node, std::string_view name, std::string_view condition, Item& item,
                 std::vector<std::size_t>* breaks) {
    std::optional<std::size_t> over;
    if (!condition.empty()) over = emit(item, Instruction::Kind::jump_unless, condition, node);
    if (name == "Break") {
      const std::size_t jump = emit(item, Instruction::Kind::jump, "", node);
      if (breaks != nullptr)
        breaks->push_back(jump);
      else
        item.code[jump].target = static_cast<std::size_t>(-1);
    } else if (name == "Exec" || name == "Item") {
      const std::string_view text = node.text().get();
      if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
        complain(node, "it holds no expression");
        return false;
      }
      const std::size_t at = emit(item, name == "Item" ? Instruction::Kind::item : Instruction::Kind::run, text, node);
      if (const auto label = node.attribute("Name"))
        if (!interpolated(node, label.value(), item.code[at].name)) return false;
    } else {
      complain(node, "unknown element in <CustomListItems>");
      return false;
    }
    if (over) item.code[*over].target = item.code.size();
    return true;
  }

  std::vector<std::size_t> newlines_;
  std::vector<Complaint>& complaints_;
};

}  // namespace

Document parse_document(std::string_view text, std::vector<Complaint>& complaints) {
  return DocumentReader(text, complaints).read(text);
}

}  // namespace trapline::natvis
