// <CustomListItems>: its elements as straight code.
#include "daemon/natvis/document_reader.hpp"

namespace trapline::natvis {

bool DocumentReader::read_custom(const pugi::xml_node& node, Item& item) {
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
  if (const auto skip = child_named(node, "Skip")) {
    Item passes;
    if (!block(skip, passes, no_loop, 0)) return false;
    item.skip_variable = skip.attribute("Value").value();
    item.skip = std::move(passes.code);
    if (item.skip_variable.empty()) {
      complain(skip, "it needs Value, the variable that says how many elements to pass by");
      return false;
    }
    if (std::ranges::any_of(item.skip, [](const Instruction& i) { return i.kind == Instruction::Kind::item; })) {
      complain(skip, "it passes elements by and has none of its own");
      return false;
    }
  }
  return block(node, item, no_loop, 0);
}

std::size_t DocumentReader::emit(Item& item, Instruction::Kind kind, std::string_view expression,
                                 const pugi::xml_node& node) {
  Instruction each;
  each.kind = kind;
  if (!expression.empty()) each.expression = std::make_unique<Expression>(parse_expression(expression, line_of(node)));
  item.code.push_back(std::move(each));
  return item.code.size() - 1;
}

// `breaks`: jumps out of the loop around, to be aimed by it; outside of loops <Break> ends the list.
bool DocumentReader::block(const pugi::xml_node& node, Item& item, std::vector<std::size_t>* breaks, int depth) {
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

bool DocumentReader::statement(const pugi::xml_node& node, std::string_view name, std::string_view condition,
                               Item& item, std::vector<std::size_t>* breaks) {
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

}  // namespace trapline::natvis
