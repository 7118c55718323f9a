// What stands in an <Expand>.
#include "daemon/natvis/document_reader.hpp"

namespace trapline::natvis {

std::unique_ptr<Expand> DocumentReader::read_expand(const pugi::xml_node& node, int depth) {
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

bool DocumentReader::named(const pugi::xml_node& node, Item& item) {
  const auto name = node.attribute("Name");
  if (!name) {
    complain(node, "it has no Name");
    return false;
  }
  return interpolated(node, name.value(), item.name);
}

bool DocumentReader::read_item(const pugi::xml_node& node, Item& item, int depth) {
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

bool DocumentReader::read_synthetic(const pugi::xml_node& node, Item& item, int depth) {
  item.kind = Item::Kind::synthetic;
  if (depth > 16) {
    complain(node, "<Synthetic> within <Synthetic> goes too deep");
    return false;
  }
  if (!named(node, item)) return false;
  for (const pugi::xml_node& child : node.children()) {
    if (local_name(child) == "DisplayString") read_display(child, item.displays);
    if (local_name(child) == "StringView") {
      StringView view{guard_of(child), {}};
      if (expression(child, view.expression)) item.string_views.push_back(std::move(view));
    }
  }
  if (const auto expand = child_named(node, "Expand")) item.expand = read_expand(expand, depth + 1);
  return true;
}

bool DocumentReader::read_array(const pugi::xml_node& node, Item& item) {
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

}  // namespace trapline::natvis
