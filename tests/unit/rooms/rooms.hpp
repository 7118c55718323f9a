#pragma once
// The walls of the house as data, and the reader of #include lines that holds the sources against them.
//
// A room is a folder (`daemon/os`), or one file where the folder is shared (`proto/control.hpp`, `daemon/main.cpp`).
// Source: the table "who may depend on whom" of the README.
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace trapline::rooms {

struct Room {
  std::string_view path;                   // prefix of a file's path from the repository root
  std::vector<std::string_view> may_use;   // rooms, besides itself
  std::vector<std::string_view> packages;  // names of PackageRule, besides those open to everyone
};

// A header of another project. `prefix` is matched against what stands between the angle brackets.
struct PackageRule {
  std::string_view package;
  std::string_view prefix;
};

struct SourceFile {
  std::string path;  // from the repository root
  std::string text;
};

struct Offence {
  std::string file;
  int line = 0;
  std::string text;  // the line as it stands
  std::string why;
};

struct Findings {
  std::vector<Offence> offences;
  std::map<std::string, std::map<std::string, std::string>> uses;  // room -> room -> one "file:line" that says so
};

const std::vector<Room>& table();
const std::vector<PackageRule>& package_rules();

// The room of a path, nullptr where it belongs to none. The longest prefix wins.
const Room* room_of(const std::vector<Room>& rooms, std::string_view path);

Findings check_includes(const std::vector<Room>& rooms, const std::vector<PackageRule>& packages,
                        const std::vector<SourceFile>& files);

// One cycle as a list of rooms whose last one uses the first; empty where there is none.
std::vector<std::string> find_cycle(const Findings& findings);

// All .hpp and .cpp below `folders`, paths from `root`, sorted.
std::vector<SourceFile> read_sources(const std::string& root, const std::vector<std::string_view>& folders);

// The folders that the README's map names ("## Map of rooms", first fenced block), with their parents' paths.
std::set<std::string> folders_in_map(const std::string& readme);

}  // namespace trapline::rooms
