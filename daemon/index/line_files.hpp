#pragma once
// The source files that a line table's header names (DWARF 5 section 6.2.4; versions 2 to 5), and paths as text.
#include <functional>
#include <string>
#include <string_view>

#include "daemon/index/debug_sections.hpp"

namespace trapline::index {

// Calls `take` with each path: absolute where the unit's folder is known, without "." and "..". Damage ends it.
void each_line_file(const Sections& sections, std::uint64_t offset, std::string_view unit_name,
                    std::string_view unit_folder, const std::function<void(std::string)>& take);

// "/a/./b//../c" -> "/a/c". A relative path stays relative; ".." that leads out of it is kept.
std::string clean_path(std::string_view path);
std::string_view base_name(std::string_view path);

}  // namespace trapline::index
