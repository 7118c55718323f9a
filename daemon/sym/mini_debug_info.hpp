#pragma once
// MiniDebugInfo: the symbols that distributions leave in stripped files, as an ELF file within .gnu_debugdata,
// compressed with xz (gdb manual, "Debugging information in a special section"). Inside the room.
#include <memory>

#include "daemon/sym/elf_file.hpp"

namespace trapline::sym {

// Null: the file has none, or it is damaged or unreasonably large (beyond 256 MB; glibc's takes 100 KB).
std::unique_ptr<ElfFile> mini_debug_info(const ElfFile& program);

}  // namespace trapline::sym
