#include "daemon/util/rooted.hpp"

#include <unistd.h>
#include <climits>
#include <deque>
#include <string_view>
#include <vector>

namespace trapline::util {
namespace {

constexpr int most_links = 40;  // MAXSYMLINKS of the kernel (path_resolution(7)); more are a loop

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    auto end = path.find('/', at);
    if (end == std::string_view::npos) end = path.size();
    if (end > at && path.substr(at, end - at) != ".") parts.emplace_back(path.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::string joined(const std::string& root, const std::vector<std::string>& parts) {
  std::string path = root;
  for (const auto& part : parts) path += "/" + part;
  return path;
}

}  // namespace

std::string path_in_root(const std::string& root, const std::string& path) {
  if (root.empty()) return path;
  std::vector<std::string> done;
  auto first = parts_of(path);
  std::deque<std::string> left(first.begin(), first.end());
  for (int links = 0; !left.empty();) {
    auto part = std::move(left.front());
    left.pop_front();
    if (part == "..") {
      if (!done.empty()) done.pop_back();
      continue;
    }
    done.push_back(std::move(part));
    char target[PATH_MAX];
    const auto size = ::readlink(joined(root, done).c_str(), target, sizeof target);
    if (size <= 0) continue;  // no link, or not there
    if (++links > most_links) return root + path;
    const std::string_view text(target, static_cast<std::size_t>(size));
    if (text.front() == '/')
      done.clear();
    else
      done.pop_back();
    const auto more = parts_of(text);
    left.insert(left.begin(), more.begin(), more.end());
  }
  return joined(root, done);
}

}  // namespace trapline::util
