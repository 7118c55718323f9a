#pragma once
// One ELF file opened with libelf: what is mapped where, its sections, its bytes. Inside the room only.
// The file is mapped, not read: a debug file of a gigabyte costs what is looked at. Of a file that is truncated in
// place meanwhile (`cp` over a shared library) the rest reads as zeros, and lost() tells; linkers and package managers
// write aside and rename.
#include <gelf.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sym/module.hpp"
#include "daemon/util/fd.hpp"
#include "daemon/util/lost_pages.hpp"
#include "proto/words/result.hpp"

namespace trapline::sym {

class InflatedElf;

struct Section {
  std::string name;
  std::size_t index = 0;
  FileRange range;  // addresses; empty where the section is not mapped
  std::uint64_t flags = 0;
  std::uint32_t type = 0;
};

class ElfFile {
 public:
  enum class Accept : std::uint8_t { mapped_files, any_type };  // dwz files are of no fixed ELF type
  // Errors: not_found, os, bad_debug_info (no 64-bit x86-64 ELF program or library).
  static Result<std::unique_ptr<ElfFile>> open(const std::string& path, Accept accept = Accept::mapped_files);
  static Result<std::unique_ptr<ElfFile>> from_image(std::vector<std::byte> image, std::string name);
  ~ElfFile();
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;

  Elf* elf() const { return elf_; }
  // The same with its sections readable for libdw: zstd is no matter for libelf. Made when first asked for.
  Elf* inflated() const;
  const std::string& inflate_problem() const { return inflate_problem_; }
  const std::string& path() const { return path_; }
  // And of the size and time of change that it had when it was opened.
  bool is_still_at_its_path() const;
  bool lost() const { return pages_.lost(); }
  const GElf_Ehdr& header() const { return header_; }
  std::span<const Segment> segments() const { return segments_; }
  FileRange thread_local_block() const { return tls_; }  // PT_TLS; empty: none
  std::span<const Section> sections() const { return sections_; }
  const Section* section(std::string_view name) const;
  // Contents, decompressed; empty where the section is missing, has no bytes in the file, or is damaged.
  std::span<const std::byte> contents(std::string_view name) const;
  std::uint64_t stored_size(std::string_view name) const;  // of a section in the file, as it is there
  std::span<const std::byte> contents(std::size_t section_index) const;
  int descriptor() const { return fd_.get(); }  // -1 for from_image
  std::span<const std::byte> bytes_at(std::uint64_t at, std::size_t count) const;
  // The pages of the mapped file that were touched are this process' no longer; they come back when they are touched
  // again.
  void release_pages() const;
  bool executable_at(std::uint64_t at) const;
  std::string build_id() const;  // hex
  bool has_dwarf() const;        // a .debug_info (or .debug_line: assembler) with bytes in it

 private:
  ElfFile() = default;
  Result<void> read_headers(Accept accept);
  std::span<const std::byte> map() const;
  void read_segments();
  void read_sections();

  std::string path_;
  util::Fd fd_;                   // stays open: libdw finds the folder of dwz files through it
  std::vector<std::byte> image_;  // of from_image
  Elf* elf_ = nullptr;
  util::LostPages pages_;  // of the map that libelf made
  struct stat opened_ {};
  GElf_Ehdr header_{};
  std::vector<Segment> segments_;  // PT_LOAD, ascending
  FileRange tls_;
  mutable bool inflate_tried_ = false;
  mutable std::unique_ptr<InflatedElf> inflated_;  // null: no need to
  mutable std::string inflate_problem_;
  std::vector<Section> sections_;
};

}  // namespace trapline::sym
