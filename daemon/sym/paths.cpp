// Paths of source files, as text: they name files of the machine that compiled, which need not exist here.
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sym/debug_info.hpp"

namespace trapline::sym {

std::string clean_path(std::string_view path) {
  const bool absolute = path.starts_with('/');
  std::vector<std::string_view> kept;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == ".." && !kept.empty() && kept.back() != "..") {
      kept.pop_back();
      continue;
    }
    if (part == ".." && absolute) continue;  // "/.." is "/"
    kept.push_back(part);
  }
  std::string out;
  for (const auto part : kept) {
    if (absolute || !out.empty()) out += '/';
    out += part;
  }
  return out.empty() && absolute ? "/" : out;
}

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool path_fits(std::string_view path, std::string_view suffix) {
  if (suffix.empty() || !path.ends_with(suffix)) return false;
  if (path.size() == suffix.size()) return true;
  return !suffix.starts_with('/') && path[path.size() - suffix.size() - 1] == '/';
}

}  // namespace trapline::sym
