#pragma once
// Paths of a process that has another root than we have: "/proc/PID/root" + path is its file, but a symbolic link that
// lies there and is absolute would be followed from our root (path_resolution(7)).
#include <string>

namespace trapline::util {

// The file that `path` names for a process whose root is `root` ("/proc/PID/root"), as a path of ours in which no link
// is left to follow; ".." does not lead out of the root. What does not exist stays as it is written. With an empty root
// the path itself. (openat2(2) with RESOLVE_IN_ROOT opens such a file, but gives no path: indexes, libdw and the
// check for a changed file open by path later.)
std::string path_in_root(const std::string& root, const std::string& path);

}  // namespace trapline::util
