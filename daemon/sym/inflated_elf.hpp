#pragma once
// An ELF file whose zstd-compressed sections libelf (before 0.189) cannot read: the same file with those sections
// inflated behind it and named by a section header table of its own. Inside the room.
#include <gelf.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "daemon/util/lost_pages.hpp"
#include "proto/words/result.hpp"

namespace trapline::sym {

bool has_zstd_sections(Elf* elf);

class InflatedElf {
 public:
  // `descriptor`: of the file that `original` reads; -1 where it is in memory. Errors: unsupported (no libzstd),
  // bad_debug_info (damaged, or larger than anything real), os.
  static Result<std::unique_ptr<InflatedElf>> make(Elf* original, int descriptor, const std::string& path);
  ~InflatedElf();
  InflatedElf(const InflatedElf&) = delete;
  InflatedElf& operator=(const InflatedElf&) = delete;
  Elf* elf() const { return elf_; }

 private:
  InflatedElf() = default;
  std::byte* base_ = nullptr;
  std::size_t size_ = 0;
  util::LostPages pages_;  // of the file
  Elf* elf_ = nullptr;
};

}  // namespace trapline::sym
