#pragma once
// Functions by address: the concrete subprograms of each unit, and the calls that were inlined into each. Both are read
// when first asked for and kept. Inside the room.
#include <elfutils/libdw.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "daemon/sym/debug_info.hpp"

namespace trapline::sym {

struct ConcreteFunction {
  Dwarf_Die die{};
  std::uint64_t entry = 0;
  std::vector<FileRange> ranges;  // more than one: parts that the compiler moved away as rarely run
};

// An inlined call, or a lexical block with addresses of its own. Nodes stand in preorder: a node's parent comes before
// it.
struct InlineNode {
  Dwarf_Die die{};
  std::vector<FileRange> ranges;
  int parent = -1;   // -1: directly in the concrete function
  bool call = true;  // else a block
  bool contains(std::uint64_t at) const;
};
using InlineTree = std::vector<InlineNode>;

class FunctionTable {
 public:
  explicit FunctionTable(DebugInfo& info) : info_(info) {}
  const ConcreteFunction* at(std::uint64_t address);
  const InlineTree& inlined_into(const ConcreteFunction& function);
  // The innermost call or block of the tree that holds the address; -1: the function's own code.
  static int innermost(const InlineTree& tree, std::uint64_t address);
  // The node itself, or the nearest around it, that is a call; -1: the function.
  static int enclosing_call(const InlineTree& tree, int node);
  // Every inlined instance, in one unit, of the function whose abstract DIE this is.
  std::vector<Dwarf_Die> instances_of(const Dwarf_Die& abstract, const Unit& unit);

 private:
  struct UnitFunctions {
    std::deque<ConcreteFunction> list;  // pointers into it are handed out
    IntervalIndex<const ConcreteFunction*> by_address;
    bool nested_too = false;
    bool inlined_read = false;
    std::unordered_multimap<void*, Dwarf_Die> inlined;  // by the address of their origin
  };
  UnitFunctions& of(const Unit& unit);
  void collect(UnitFunctions& functions, const Dwarf_Die& parent, int depth);
  void collect_inlined(UnitFunctions& functions, const Dwarf_Die& parent, int depth);
  void add_inlined(InlineTree& tree, const Dwarf_Die& parent, int parent_node, int depth);

  DebugInfo& info_;
  std::unordered_map<const Unit*, UnitFunctions> units_;
  std::unordered_map<const ConcreteFunction*, InlineTree> trees_;
};

// C and C++ define members outside of the class: its DIE holds declarations only, which are most of all DIEs.
bool members_are_defined_outside(int language);

}  // namespace trapline::sym
