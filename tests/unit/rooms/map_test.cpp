// A stale map is worse than none: the README's list of rooms is the list of folders.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "tests/unit/rooms/rooms.hpp"

using namespace trapline::rooms;

namespace {

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The folders that hold a source of ours, and their parents.
std::set<std::string> folders_with_sources() {
  std::set<std::string> folders;
  for (const auto& file : read_sources(TRAPLINE_SOURCE_ROOT, {"proto", "dap", "daemon", "client"}))
    for (auto folder = std::filesystem::path(file.path).parent_path(); !folder.empty(); folder = folder.parent_path())
      folders.insert(folder.generic_string());
  return folders;
}

// The map must show what is a room, or holds rooms; folders within a room it may show.
bool must_be_shown(const std::string& folder) {
  for (const auto& room : table())
    if (room.path == folder || room.path.starts_with(folder + "/")) return true;
  return room_of(table(), folder) == nullptr;
}

// Parts of the map that hold no rooms: tests, bench and packaging are listed as a whole.
bool is_room_folder(const std::string& folder) {
  for (const std::string top : {"proto", "dap", "daemon", "client"})
    if (folder == top || folder.starts_with(top + "/")) return true;
  return false;
}

}  // namespace

TEST_CASE("a map is read with its indentation") {
  const auto map = folders_in_map(
      "# T\n## Map of rooms\nprose/\n```\nproto/  both ends\n  words/ leaf\n  control.hpp verbs\n"
      "dap/\ntests/ unit/ live/\n```\nlater/\n");
  CHECK(map == std::set<std::string>{"proto", "proto/words", "dap", "tests"});
}

TEST_CASE("the README's map of rooms equals the folders") {
  std::set<std::string> mapped;
  for (const auto& folder : folders_in_map(slurp(TRAPLINE_SOURCE_ROOT "/README.md")))
    if (is_room_folder(folder))
      mapped.insert(folder);
    else
      CHECK_MESSAGE(std::filesystem::is_directory(TRAPLINE_SOURCE_ROOT "/" + folder),
                    "in the map, not there: ", folder);
  const auto real = folders_with_sources();
  for (const auto& folder : mapped) CHECK_MESSAGE(real.contains(folder), "in the map, without a source: ", folder);
  for (const auto& folder : real)
    if (must_be_shown(folder)) CHECK_MESSAGE(mapped.contains(folder), "a folder the map does not show: ", folder);
}
