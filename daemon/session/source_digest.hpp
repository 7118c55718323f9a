#pragma once
// Whether the source that a person looks at is the one that was compiled. Compilers that write DWARF 5 may put the MD5
// of each file into the line table (clang does, gcc 12 does not). Thread: the loop's.
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace trapline::session {

class SourceDigests {
 public:
  // MD5 of a file as 32 hex digits; none where it is not there, not a plain file, or over 64 MiB. Kept until the file's
  // time, size or inode change.
  std::optional<std::string> md5(const std::string& path);

 private:
  struct Known {
    std::uint64_t inode = 0, size = 0;
    std::int64_t seconds = 0, nanoseconds = 0;
    std::string md5;
  };
  std::map<std::string, Known> known_;
};

}  // namespace trapline::session
