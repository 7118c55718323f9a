#include "daemon/natvis/chain.hpp"

#include "daemon/eval/number.hpp"

namespace trapline::natvis {

using eval::Node;
using eval::NodeKind;
using sym::TypeKind;

namespace {

bool is_pointer(const sym::Type* type) { return type->strip()->kind() == TypeKind::pointer; }

void read_pointer(Chain& chain) {
  if (chain.load) chain.offsets.push_back(0);
  chain.load = false;
}

}  // namespace

std::optional<Chain> place_chain(const Node& node) {
  switch (node.kind) {
    case NodeKind::subject: return Chain{{0}, false};
    case NodeKind::member:
    case NodeKind::base: {
      if (node.member->offset_is_expression || node.member->bit_size != 0 ||
          node.member->kind == sym::Member::Kind::virtual_base || node.member->kind == sym::Member::Kind::static_)
        return std::nullopt;
      auto chain = place_chain(*node.kids[0]);
      if (chain) chain->offsets.back() += static_cast<std::int64_t>(node.member->offset);
      return chain;
    }
    case NodeKind::view: return node.lvalue ? place_chain(*node.kids[0]) : std::nullopt;
    case NodeKind::dereference: {
      auto chain = pointer_chain(*node.kids[0]);
      if (chain) read_pointer(*chain);
      return chain;
    }
    case NodeKind::follow: {
      auto chain = place_chain(*node.kids[0]);
      if (chain) chain->offsets.push_back(0);
      return chain;
    }
    default: return std::nullopt;
  }
}

std::optional<Chain> pointer_chain(const Node& node) {
  if (!is_pointer(node.type)) return std::nullopt;
  switch (node.kind) {
    case NodeKind::address_of:
    case NodeKind::decay: return place_chain(*node.kids[0]);
    case NodeKind::convert: return pointer_chain(*node.kids[0]);
    case NodeKind::pointer_offset: {
      const Node& by = *node.kids[1];
      if (by.kind != NodeKind::constant || !eval::is_integral(by.type)) return std::nullopt;
      auto chain = pointer_chain(*node.kids[0]);
      if (!chain) return std::nullopt;
      read_pointer(*chain);
      const auto steps = static_cast<std::int64_t>(eval::load_number(by.type, by.bytes).integer);
      chain->offsets.back() += (node.op == eval::Op::subtract ? -steps : steps) * node.offset;
      return chain;
    }
    default: break;
  }
  auto chain = place_chain(node);
  if (chain) chain->load = true;
  return chain;
}

Result<std::uint64_t> run(const Chain& chain, const util::Memory& memory, std::uint64_t subject) {
  std::uint64_t address = subject;
  for (std::size_t i = 0; i < chain.offsets.size(); ++i) {
    address += static_cast<std::uint64_t>(chain.offsets[i]);
    if (i + 1 < chain.offsets.size() || chain.load) {
      TL_TRY(address, memory.get<std::uint64_t>(LoadAddr{address}));
    }
  }
  return address;
}

}  // namespace trapline::natvis
