#pragma once
// Finds the separate debug file of a program (gdb manual, "Debugging Information in Separate Files"). Inside the room.
#include <memory>
#include <string>

#include "daemon/sym/elf_file.hpp"
#include "daemon/sym/module.hpp"

namespace trapline::sym {

struct DebugFileSearch {
  std::unique_ptr<ElfFile> file;  // null: none that fits
  std::string problem;            // a file was there, but is not this program's (says why)
};

// Tried in this order, under options.root first: DIR/.build-id/xx/yyyy.debug; what debuginfod fetched before; then the
// name of .gnu_debuglink beside the program, in .debug/ there, and in DIR/path. A candidate must carry the same
// build-id, or the link's CRC-32.
DebugFileSearch find_debug_file(const ElfFile& program, const std::string& path, const SearchOptions& options);

// What .gnu_debugaltlink says; both empty: there is none.
struct AlternateLink {
  std::string link;      // absolute, or relative to the debug file's folder
  std::string build_id;  // hexadecimal
};
AlternateLink alternate_named_by(const ElfFile& debug_file);

// The dwz file that .gnu_debugaltlink names: by build-id (what debuginfod fetched too), else the name (relative to the
// debug file's folder). Null: none.
std::unique_ptr<ElfFile> find_alternate(const std::string& link, const std::string& build_id,
                                        const std::string& debug_file_path, const SearchOptions& options);

}  // namespace trapline::sym
