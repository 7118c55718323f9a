#include "daemon/sym/inflated_elf.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "daemon/util/zstd.hpp"

namespace trapline::sym {
namespace {

constexpr std::uint32_t compressed_by_zstd = 2;  // ELFCOMPRESS_ZSTD, which older <elf.h> do not have
constexpr std::uint64_t page = 4096;
constexpr std::uint64_t max_inflated = std::uint64_t{16} << 30;
// Of one frame; more than zstd reaches with real debug information by far.
constexpr std::uint64_t max_ratio = 4096;

std::uint64_t up(std::uint64_t size, std::uint64_t to) { return (size + to - 1) / to * to; }

struct Packed {
  std::uint64_t offset = 0, size = 0;  // in the file, behind the Chdr
  std::uint64_t inflated = 0;
};

std::optional<Packed> packed_section(std::span<const char> file, const Elf64_Shdr& section) {
  if ((section.sh_flags & SHF_COMPRESSED) == 0 || section.sh_type == SHT_NOBITS) return std::nullopt;
  if (section.sh_offset > file.size() || section.sh_size > file.size() - section.sh_offset) return std::nullopt;
  Elf64_Chdr header;
  if (section.sh_size < sizeof header) return std::nullopt;
  std::memcpy(&header, file.data() + section.sh_offset, sizeof header);
  if (header.ch_type != compressed_by_zstd) return std::nullopt;
  return Packed{section.sh_offset + sizeof header, section.sh_size - sizeof header, header.ch_size};
}

std::span<const char> file_of(Elf* elf) {
  std::size_t size = 0;
  const char* raw = elf_rawfile(elf, &size);
  return raw ? std::span<const char>(raw, size) : std::span<const char>{};
}

std::vector<Elf64_Shdr> headers_of(Elf* elf) {
  std::size_t count = 0;
  std::vector<Elf64_Shdr> headers;
  if (elf_getshdrnum(elf, &count) != 0 || count > 65000) return headers;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Shdr header{};
    Elf_Scn* scn = elf_getscn(elf, i);
    if (scn) gelf_getshdr(scn, &header);
    headers.push_back(header);  // GElf_Shdr is Elf64_Shdr
  }
  return headers;
}

}  // namespace

bool has_zstd_sections(Elf* elf) {
  const auto file = file_of(elf);
  for (const auto& header : headers_of(elf))
    if (packed_section(file, header)) return true;
  return false;
}

Result<std::unique_ptr<InflatedElf>> InflatedElf::make(Elf* original, int descriptor, const std::string& path) {
  if (!util::has_zstd())
    return fail_hint(Errc::unsupported, path + ": its sections are compressed with zstd, and libzstd.so.1 is missing",
                     "install libzstd1");
  const auto file = file_of(original);
  auto headers = headers_of(original);
  const std::uint64_t whole = up(file.size(), page);
  std::uint64_t end = whole;
  for (const auto& header : headers)
    if (const auto packed = packed_section(file, header)) {
      const bool possible = packed->inflated <= max_inflated && packed->inflated / max_ratio <= packed->size;
      if (possible) end += up(packed->inflated, 16);
      if (!possible || end > whole + max_inflated)  // all of them together, too
        return fail(Errc::bad_debug_info, path + ": a compressed section claims a size that it cannot have");
    }
  std::unique_ptr<InflatedElf> made(new InflatedElf);
  made->size_ = up(end + headers.size() * sizeof(Elf64_Shdr), page);
  void* at = ::mmap(nullptr, made->size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return fail(Errc::os, fmt::format("{}: no room to inflate it", path), errno);
  made->base_ = static_cast<std::byte*>(at);
  if (descriptor < 0)
    std::memcpy(made->base_, file.data(), file.size());
  else if (::mmap(made->base_, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, descriptor, 0) ==
           MAP_FAILED)
    return fail(Errc::os, fmt::format("{}: cannot map it: {}", path, std::strerror(errno)), errno);
  else
    made->pages_ = util::LostPages(made->base_, whole);
  end = whole;
  for (auto& header : headers) {
    const auto packed = packed_section(file, header);
    if (!packed) continue;
    // What cannot be inflated is left out: an empty section, and not one of wrong bytes.
    const bool whole_section = util::inflate_zstd(std::as_bytes(file.subspan(packed->offset, packed->size)),
                                                  {made->base_ + end, packed->inflated});
    header.sh_offset = end;
    header.sh_size = whole_section ? packed->inflated : 0;
    header.sh_flags &= ~static_cast<std::uint64_t>(SHF_COMPRESSED);
    header.sh_addralign = 1;
    end += up(packed->inflated, 16);
  }
  std::memcpy(made->base_ + end, headers.data(), headers.size() * sizeof(Elf64_Shdr));
  Elf64_Ehdr elf;
  std::memcpy(&elf, made->base_, sizeof elf);
  elf.e_shoff = end;
  elf.e_shnum = static_cast<Elf64_Half>(headers.size());
  std::memcpy(made->base_, &elf, sizeof elf);
  made->elf_ = elf_memory(reinterpret_cast<char*>(made->base_), made->size_);
  if (!made->elf_) return fail(Errc::bad_debug_info, fmt::format("{}: {}", path, elf_errmsg(-1)));
  return made;
}

InflatedElf::~InflatedElf() {
  if (elf_) elf_end(elf_);
  pages_ = {};
  if (base_) ::munmap(base_, size_);
}

}  // namespace trapline::sym
