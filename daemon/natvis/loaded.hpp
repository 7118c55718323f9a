#pragma once
// Inside the room only: whether the modules are still those whose types are held. Their ids tell: what is unloaded may
// leave its address to the next module, and a type of the old one would be read as one of the new.
#include <span>
#include <vector>

#include "daemon/sym/module.hpp"

namespace trapline::natvis {

class Loaded {
 public:
  // True where others are loaded, or in another order, than when last asked.
  bool changed(std::span<const sym::Module* const> modules) {
    std::vector<ModuleId> ids;
    ids.reserve(modules.size());
    for (const sym::Module* module : modules) ids.push_back(module->id());
    if (ids == ids_) return false;
    ids_.swap(ids);
    return true;
  }

 private:
  std::vector<ModuleId> ids_;
};

}  // namespace trapline::natvis
