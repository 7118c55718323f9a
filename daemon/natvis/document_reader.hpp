#pragma once
// Inside the room only: XML -> model, the reader's parts. document.cpp: the file and its types; document_items.cpp:
// what stands in an <Expand>; document_custom.cpp: <CustomListItems>.
#include <fmt/format.h>

#include <algorithm>
#include <pugixml.hpp>

#include "daemon/natvis/model.hpp"

namespace trapline::natvis {

inline std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

inline bool is_true(std::string_view text) { return text == "true" || text == "1" || text == "True"; }

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

  Guard guard_of(const pugi::xml_node& node);
  std::vector<Alternative> alternatives(const pugi::xml_node& node, std::string_view name);
  std::unique_ptr<TypeVisual> read_type(const pugi::xml_node& node);
  void read_part(const pugi::xml_node& node, TypeVisual& type);
  void read_display(const pugi::xml_node& node, std::vector<DisplayString>& out);
  void read_intrinsic(const pugi::xml_node& node, std::vector<IntrinsicText>& out);
  void read_smart_pointer(const pugi::xml_node& node, TypeVisual& type);
  static void complete_smart_pointer(TypeVisual& type);
  TypeVisual::Named named_type(const pugi::xml_node& node, TypeVisual::Named out);
  // Attributes and elements that natvis does not know, in all that lies below `node`.
  void check_rules(const pugi::xml_node& node, int depth);
  std::unique_ptr<Expand> read_expand(const pugi::xml_node& node, int depth);
  bool named(const pugi::xml_node& node, Item& item);
  bool read_item(const pugi::xml_node& node, Item& item, int depth);
  bool read_synthetic(const pugi::xml_node& node, Item& item, int depth);
  bool read_array(const pugi::xml_node& node, Item& item);
  // ---- <CustomListItems>
  bool read_custom(const pugi::xml_node& node, Item& item);
  std::size_t emit(Item& item, Instruction::Kind kind, std::string_view expression, const pugi::xml_node& node);
  bool block(const pugi::xml_node& node, Item& item, std::vector<std::size_t>* breaks, int depth);
  bool statement(const pugi::xml_node& node, std::string_view name, std::string_view condition, Item& item,
                 std::vector<std::size_t>* breaks);

  std::vector<std::size_t> newlines_;
  std::vector<Complaint>& complaints_;
};

}  // namespace trapline::natvis
