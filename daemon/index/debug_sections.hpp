#pragma once
// The debug sections of an ELF file, read by ourselves: the jobs of the pool share nothing with libelf and libdw, which
// are not thread-safe per handle. The file is mapped; compressed sections are inflated into memory of their own.
// Thread: open() from any; a const DebugFile may be read by several threads at once.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/index/cursor.hpp"
#include "daemon/util/lost_pages.hpp"
#include "proto/words/result.hpp"

namespace trapline::index {

struct Sections {
  Data info, types, abbrev, str, line_str, str_offsets, addr, ranges, rnglists, aranges, line;
};

struct CodeRange {  // half open, ELF virtual addresses
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// A whole file, mapped. Unmapped with it.
class FileMap {
 public:
  // Errors: not_found, os, bad_debug_info (no regular file, or an empty one).
  static Result<FileMap> open(const std::string& path);
  FileMap() = default;
  FileMap(FileMap&& other) noexcept { *this = std::move(other); }
  FileMap& operator=(FileMap&& other) noexcept;
  ~FileMap();
  Data bytes() const { return bytes_; }
  bool lost() const { return pages_.lost(); }  // it was truncated: what was read may be zeros

 private:
  Data bytes_;
  util::LostPages pages_;
};

class DebugFile {
 public:
  // Errors: not_found, os (it cannot be read), bad_debug_info (no 64-bit little-endian ELF file, or a section that
  // cannot be inflated: the reason is in the message).
  static Result<std::shared_ptr<const DebugFile>> open(const std::string& path);
  // From bytes: for tests, and files that are in memory. They are copied.
  static Result<std::shared_ptr<const DebugFile>> from_bytes(Data bytes, std::string name);
  // Sections that somebody else holds, longer than the result lives.
  static std::shared_ptr<const DebugFile> from_sections(const Sections& sections, std::vector<CodeRange> code,
                                                        std::string name);
  ~DebugFile();
  DebugFile(const DebugFile&) = delete;
  DebugFile& operator=(const DebugFile&) = delete;

  const std::string& path() const { return path_; }
  const std::string& build_id() const { return build_id_; }  // hex; may be empty
  const Sections& sections() const { return sections_; }
  const std::vector<CodeRange>& code() const { return code_; }  // executable segments, ascending
  // What the debug information of this file is told apart by: two files of one build-id need not hold the same DIEs at
  // the same offsets (strip, dwz). Sizes of the sections, and a sample of their bytes as they are in the file.
  std::uint64_t fingerprint() const { return fingerprint_; }
  bool lost() const { return map_.lost(); }  // truncated since it was opened: what was read of it is worth nothing

 private:
  DebugFile() = default;
  Result<void> read(Data file);
  Result<Data> contents(Data file, const void* section_header);
  void read_notes(Data notes);

  std::string path_;
  std::string build_id_;
  Sections sections_;
  std::vector<CodeRange> code_;
  std::uint64_t fingerprint_ = 0;
  FileMap map_;
  std::vector<std::byte> image_;
  struct Inflated {
    void* at = nullptr;
    std::size_t size = 0;
  };
  std::vector<Inflated> inflated_;
};

// What the answer to "is this file's index in the cache?" needs, without inflating anything.
struct FileIdentity {
  std::string build_id;  // hex; may be empty
  std::uint64_t fingerprint = 0;
  std::uint64_t debug_bytes = 0;  // of .debug_info and .debug_types, inflated
};
Result<FileIdentity> identify(const std::string& path);

}  // namespace trapline::index
