#pragma once
// One split unit as libdw can read it: an ELF image in memory made of the unit's parts of a .dwo or .dwp file and of
// what the program keeps for it (.debug_addr). Inside the room.
//
// libdw knows no .dwp files, and finds .dwo files only where the compiler left them. It reads any ELF image, though, so
// each unit gets one. The image is not a copy: the file is mapped privately as a whole, a section header table that
// names just the unit's parts lies behind it, and the ELF header in its first page leads there. A .dwp file of a
// gigabyte thus costs address space, and memory for what is looked at.
//
// libdw holds the end of an expression against the end of the unit, so the unit must lie behind its location lists in
// memory: its pages are mapped a second time, behind the file (and behind a second mapping of .debug_loc).
//
// A program may have tens of thousands of .dwo files, and a process 65,530 maps (vm.max_map_count), which malloc needs
// too: past some thousand images the bytes are read instead.
#include <elfutils/libdw.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/util/fd.hpp"
#include "daemon/util/lost_pages.hpp"
#include "proto/words/result.hpp"

namespace trapline::sym {

struct FilePart {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// A .dwo or .dwp file: where its sections lie, by their names without ".dwo". Bytes are decompressed.
class SplitFile {
 public:
  // Errors: not_found, os, bad_debug_info (no x86-64 ELF file, or none with a .debug_info.dwo or .debug_types.dwo).
  static Result<std::unique_ptr<SplitFile>> open(const std::string& path);
  const std::string& path() const { return path_; }
  int descriptor() const { return fd_.get(); }
  std::uint64_t size() const { return size_; }
  // More than one: type units of a .dwo lie in sections of their own.
  std::span<const FilePart> parts(const std::string& name) const;
  // Of the first part of that name; empty where it is not there.
  std::vector<std::byte> read(const std::string& name) const;

 private:
  std::string path_;
  util::Fd fd_;
  std::uint64_t size_ = 0;
  std::map<std::string, std::vector<FilePart>> parts_;
};

class UnitImage {
 public:
  using Parts = std::map<std::string, std::vector<FilePart>>;  // sections to be, by name
  enum class Storage : std::uint8_t { mapped, read };
  // `addresses`: what .debug_addr shall hold. Errors: os, bad_debug_info (libdw refuses it).
  static Result<std::unique_ptr<UnitImage>> make(const SplitFile& file, const Parts& parts,
                                                 std::span<const std::byte> addresses, Storage storage);
  ~UnitImage();
  UnitImage(const UnitImage&) = delete;
  UnitImage& operator=(const UnitImage&) = delete;
  Dwarf* dwarf() const { return dwarf_; }
  std::span<const std::byte> section(const std::string& name) const;
  // Expressions of DWARF 4's location lists have two bytes of length in front; libdw takes none but those with a
  // ULEB128. A copy of the section (made of the pages that are written to) has it there instead.
  // Null: `length_at` is not one in .debug_loc.
  const std::byte* with_uleb_length(std::uint64_t length_at) const;

 private:
  UnitImage() = default;
  Result<void> map(const SplitFile& file, const Parts& parts, std::span<const std::byte> addresses, Storage storage);
  // The file's bytes from `from` on, at `at` in the image.
  bool put_file(const SplitFile& file, std::uint64_t at, std::uint64_t from, std::uint64_t size, Storage storage);

  struct Placed {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };
  std::byte* base_ = nullptr;
  std::size_t size_ = 0;
  std::vector<util::LostPages> pages_;
  std::map<std::string, Placed> sections_;
  std::byte* locations_ = nullptr;  // the second mapping of .debug_loc
  Elf* elf_ = nullptr;
  Dwarf* dwarf_ = nullptr;
};

}  // namespace trapline::sym
