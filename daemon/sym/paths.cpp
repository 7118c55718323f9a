// Paths of source files, as text: they name files of the machine that compiled, which need not exist here.
#include <string_view>

#include "daemon/sym/debug_info.hpp"

namespace trapline::sym {

bool path_fits(std::string_view path, std::string_view suffix) {
  if (suffix.empty() || !path.ends_with(suffix)) return false;
  if (path.size() == suffix.size()) return true;
  return !suffix.starts_with('/') && path[path.size() - suffix.size() - 1] == '/';
}

}  // namespace trapline::sym
