#pragma once
// Opened modules of this session process, so that a restart of the debuggee parses nothing twice. A file is the same as
// long as its device, inode, size and time of change are. Thread: the loop's.
#include <memory>
#include <string>
#include <vector>

#include "daemon/sym/module.hpp"
#include "proto/words/result.hpp"

namespace trapline::image {

using SharedModule = std::shared_ptr<const sym::Module>;

// `in_use`: modules that the caller has mapped already; a second mapping of the same file (dlmopen) gets a module, and
// an id, of its own.
Result<SharedModule> open_module(const std::string& path, const sym::SearchOptions& options,
                                 const std::vector<SharedModule>& in_use);
Result<SharedModule> open_image(std::vector<std::byte> image, std::string name);

// Keeps the modules of a debuggee that has gone until the next one goes.
void keep_for_restart(std::vector<SharedModule> modules);

}  // namespace trapline::image
