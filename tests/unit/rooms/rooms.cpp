#include "tests/unit/rooms/rooms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <sstream>

namespace trapline::rooms {
namespace {

struct Include {
  std::string_view target;
  bool quoted = false;
};

// `#include "x"` and `#include <x>`, with any blanks a preprocessor allows. Anything else: nothing.
std::optional<Include> parse_include(std::string_view line) {
  const auto skip_blanks = [&line] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
  skip_blanks();
  if (!line.starts_with('#')) return std::nullopt;
  line.remove_prefix(1);
  skip_blanks();
  if (!line.starts_with("include")) return std::nullopt;
  line.remove_prefix(std::string_view("include").size());
  skip_blanks();
  if (line.empty() || (line[0] != '"' && line[0] != '<')) return std::nullopt;
  const bool quoted = line[0] == '"';
  line.remove_prefix(1);
  const auto end = line.find(quoted ? '"' : '>');
  if (end == std::string_view::npos) return std::nullopt;
  return Include{line.substr(0, end), quoted};
}

// `daemon/os` holds `daemon/os/x.hpp` and not `daemon/os_extra/x.hpp`; a room that is a file holds just that file.
bool holds(std::string_view room, std::string_view path) {
  return path == room || (path.starts_with(room) && path.size() > room.size() && path[room.size()] == '/');
}

std::string list_of(const std::vector<std::string_view>& names) {
  return names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", "));
}

std::string why_not_room(const std::vector<Room>& rooms, const Room& from, std::string_view target) {
  const Room* to = room_of(rooms, target);
  if (to == nullptr)
    return fmt::format("\"{}\" names no room; write the path from the repository root, and <> for other projects",
                       target);
  if (to == &from || std::ranges::find(from.may_use, to->path) != from.may_use.end()) return {};
  return fmt::format("{} may not use {}; it may use {}", from.path, to->path, list_of(from.may_use));
}

std::string why_not_package(const std::vector<PackageRule>& packages, const Room& from, std::string_view target) {
  const auto rule = std::ranges::find_if(packages, [&](const PackageRule& r) { return target.starts_with(r.prefix); });
  if (rule == packages.end() || std::ranges::find(from.packages, rule->package) != from.packages.end()) return {};
  return fmt::format("{} may not use {}; of the guarded packages it may use {}", from.path, rule->package,
                     list_of(from.packages));
}

}  // namespace

const Room* room_of(const std::vector<Room>& rooms, std::string_view path) {
  const Room* best = nullptr;
  for (const auto& room : rooms)
    if (holds(room.path, path) && (best == nullptr || room.path.size() > best->path.size())) best = &room;
  return best;
}

Findings check_includes(const std::vector<Room>& rooms, const std::vector<PackageRule>& packages,
                        const std::vector<SourceFile>& files) {
  Findings found;
  for (const auto& file : files) {
    const Room* from = room_of(rooms, file.path);
    if (from == nullptr) {
      found.offences.push_back({file.path, 0, "", "the file is in no room of the table"});
      continue;
    }
    std::istringstream lines(file.text);
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
      const auto include = parse_include(line);
      if (!include) continue;
      const auto why = include->quoted ? why_not_room(rooms, *from, include->target)
                                       : why_not_package(packages, *from, include->target);
      if (!why.empty()) found.offences.push_back({file.path, number, line, why});
      const Room* to = include->quoted ? room_of(rooms, include->target) : nullptr;
      if (to != nullptr && to != from)
        found.uses[std::string(from->path)].try_emplace(std::string(to->path), fmt::format("{}:{}", file.path, number));
    }
  }
  return found;
}

std::vector<std::string> find_cycle(const Findings& findings) {
  enum class Mark { open, done };
  std::map<std::string, Mark> marks;
  std::vector<std::string> path;
  std::vector<std::string> cycle;
  const std::function<bool(const std::string&)> visit = [&](const std::string& room) {
    if (const auto mark = marks.find(room); mark != marks.end()) {
      if (mark->second == Mark::done) return false;
      cycle.assign(std::ranges::find(path, room), path.end());
      return true;
    }
    marks[room] = Mark::open;
    path.push_back(room);
    if (const auto uses = findings.uses.find(room); uses != findings.uses.end())
      for (const auto& [next, where] : uses->second)
        if (visit(next)) return true;
    path.pop_back();
    marks[room] = Mark::done;
    return false;
  };
  for (const auto& [room, uses] : findings.uses)
    if (visit(room)) break;
  return cycle;
}

std::vector<SourceFile> read_sources(const std::string& root, const std::vector<std::string_view>& folders) {
  namespace fs = std::filesystem;
  std::vector<SourceFile> files;
  for (const auto folder : folders) {
    const fs::path top = fs::path(root) / folder;
    if (!fs::exists(top)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
      const auto extension = entry.path().extension();
      if (!entry.is_regular_file() || (extension != ".hpp" && extension != ".cpp")) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      files.push_back(
          {fs::relative(entry.path(), root).generic_string(), std::string(std::istreambuf_iterator<char>(in), {})});
    }
  }
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

std::set<std::string> folders_in_map(const std::string& readme) {
  std::set<std::string> folders;
  std::istringstream lines(readme);
  std::string line;
  while (std::getline(lines, line) && line != "## Map of rooms") {
  }
  while (std::getline(lines, line) && !line.starts_with("```")) {
  }
  std::vector<std::pair<std::size_t, std::string>> parents;  // indentation, path
  while (std::getline(lines, line) && !line.starts_with("```")) {
    const auto indent = line.find_first_not_of(' ');
    if (indent == std::string::npos) continue;
    const auto word = line.substr(indent, line.find(' ', indent) - indent);
    if (!word.ends_with('/')) continue;
    while (!parents.empty() && parents.back().first >= indent) parents.pop_back();
    const auto name = word.substr(0, word.size() - 1);
    parents.emplace_back(indent, parents.empty() ? name : parents.back().second + "/" + name);
    folders.insert(parents.back().second);
  }
  return folders;
}

}  // namespace trapline::rooms
