#include "daemon/sym/elf_file.hpp"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "daemon/sym/inflated_elf.hpp"

namespace trapline::sym {
namespace {

constexpr std::size_t release_worth = 1 << 20;

constexpr std::size_t max_headers = 1U << 20;  // sections or segments; real files have hundreds

std::span<const std::byte> as_bytes(const void* data, std::size_t size) {
  return {static_cast<const std::byte*>(data), size};
}

}  // namespace

Result<std::unique_ptr<ElfFile>> ElfFile::open(const std::string& path, Accept accept) {
  elf_version(EV_CURRENT);
  std::unique_ptr<ElfFile> file(new ElfFile);
  file->path_ = path;
  // O_NONBLOCK: somebody's FIFO must not hold us.
  file->fd_ = util::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file->fd_.valid()) {
    const int err = errno;
    return fail(err == ENOENT || err == ENOTDIR ? Errc::not_found : Errc::os,
                fmt::format("cannot open {}: {}", path, std::strerror(err)), err);
  }
  struct stat& about = file->opened_;
  if (::fstat(file->fd_.get(), &about) != 0) {
    const int err = errno;
    return fail(Errc::os, fmt::format("cannot stat {}: {}", path, std::strerror(err)), err);
  }
  if (!S_ISREG(about.st_mode)) return fail(Errc::bad_debug_info, fmt::format("{} is not a regular file", path));
  file->elf_ = elf_begin(file->fd_.get(), ELF_C_READ_MMAP, nullptr);
  if (const auto map = file->map(); !map.empty()) file->pages_ = util::LostPages(map.data(), map.size());
  TL_TRY_VOID(file->read_headers(accept));
  return file;
}

Result<std::unique_ptr<ElfFile>> ElfFile::from_image(std::vector<std::byte> image, std::string name) {
  elf_version(EV_CURRENT);
  std::unique_ptr<ElfFile> file(new ElfFile);
  file->path_ = std::move(name);
  file->image_ = std::move(image);
  if (file->image_.size() >= sizeof(Elf64_Ehdr))
    file->elf_ = elf_memory(reinterpret_cast<char*>(file->image_.data()), file->image_.size());
  TL_TRY_VOID(file->read_headers(Accept::mapped_files));
  return file;
}

ElfFile::~ElfFile() {
  inflated_.reset();
  pages_ = {};
  if (elf_) elf_end(elf_);
}

Result<void> ElfFile::read_headers(Accept accept) {
  if (!elf_ || elf_kind(elf_) != ELF_K_ELF || !gelf_getehdr(elf_, &header_))
    return fail(Errc::bad_debug_info, fmt::format("{} is not an ELF file", path_));
  if (gelf_getclass(elf_) != ELFCLASS64)
    return fail(Errc::bad_debug_info, fmt::format("{} is a 32-bit ELF file; only x86-64 is supported", path_));
  if (header_.e_machine != EM_X86_64 || header_.e_ident[EI_DATA] != ELFDATA2LSB)
    return fail(Errc::bad_debug_info, fmt::format("{} is for another machine (e_machine {}); only x86-64 is supported",
                                                  path_, static_cast<unsigned>(header_.e_machine)));
  if (accept == Accept::mapped_files && header_.e_type != ET_EXEC && header_.e_type != ET_DYN)
    return fail(Errc::bad_debug_info, fmt::format("{} is neither a program nor a shared library (e_type {})", path_,
                                                  static_cast<unsigned>(header_.e_type)));
  read_segments();
  read_sections();
  return {};
}

Elf* ElfFile::inflated() const {
  if (!inflate_tried_) {
    inflate_tried_ = true;
    if (has_zstd_sections(elf_)) {
      auto made = InflatedElf::make(elf_, fd_.get(), path_);
      if (made)
        inflated_ = std::move(*made);
      else
        inflate_problem_ = made.error().message;
    }
  }
  return inflated_ ? inflated_->elf() : elf_;
}

void ElfFile::read_segments() {
  std::size_t count = 0;
  if (elf_getphdrnum(elf_, &count) != 0) return;
  for (std::size_t i = 0; i < std::min(count, max_headers); ++i) {
    GElf_Phdr segment;
    if (!gelf_getphdr(elf_, static_cast<int>(i), &segment)) break;
    if ((segment.p_type != PT_LOAD && segment.p_type != PT_TLS) || segment.p_memsz == 0) continue;
    std::uint64_t end = 0;
    if (__builtin_add_overflow(segment.p_vaddr, segment.p_memsz, &end)) continue;
    if (segment.p_type == PT_TLS) {
      tls_ = {segment.p_vaddr, end};
      continue;
    }
    segments_.push_back({.range = {segment.p_vaddr, end},
                         .file_offset = segment.p_offset,
                         .executable = (segment.p_flags & PF_X) != 0,
                         .writable = (segment.p_flags & PF_W) != 0});
  }
  std::ranges::sort(segments_, {}, [](const Segment& s) { return s.range.begin; });
}

void ElfFile::read_sections() {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf_, &names) != 0) return;
  Elf_Scn* scn = nullptr;
  while ((scn = elf_nextscn(elf_, scn)) != nullptr && sections_.size() < max_headers) {
    GElf_Shdr header;
    if (!gelf_getshdr(scn, &header)) continue;
    const char* name = elf_strptr(elf_, names, header.sh_name);
    if (!name) continue;
    FileRange range;
    if ((header.sh_flags & SHF_ALLOC) != 0 && (header.sh_flags & SHF_TLS) == 0) {
      std::uint64_t end = 0;
      if (!__builtin_add_overflow(header.sh_addr, header.sh_size, &end)) range = {header.sh_addr, end};
    }
    sections_.push_back(
        {.name = name, .index = elf_ndxscn(scn), .range = range, .flags = header.sh_flags, .type = header.sh_type});
  }
}

bool ElfFile::is_still_at_its_path() const {
  struct stat there {};
  return fd_ && ::stat(path_.c_str(), &there) == 0 && opened_.st_dev == there.st_dev &&
         opened_.st_ino == there.st_ino && opened_.st_size == there.st_size &&
         opened_.st_mtim.tv_sec == there.st_mtim.tv_sec && opened_.st_mtim.tv_nsec == there.st_mtim.tv_nsec;
}

const Section* ElfFile::section(std::string_view name) const {
  const auto found = std::ranges::find(sections_, name, &Section::name);
  return found == sections_.end() ? nullptr : &*found;
}

std::span<const std::byte> ElfFile::contents(std::string_view name) const {
  const Section* found = section(name);
  if (!found || found->type == SHT_NOBITS) return {};
  return contents(found->index);
}

std::span<const std::byte> ElfFile::contents(std::size_t section_index) const {
  Elf_Scn* scn = elf_getscn(elf_, section_index);
  GElf_Shdr header;
  if (!scn || !gelf_getshdr(scn, &header)) return {};
  if ((header.sh_flags & SHF_COMPRESSED) != 0 && inflated() != elf_) {
    scn = elf_getscn(inflated_->elf(), section_index);
    if (!scn || !gelf_getshdr(scn, &header)) return {};
  }
  // libelf keeps the decompressed bytes in place of the others; libdw does the same when it opens the file.
  if ((header.sh_flags & SHF_COMPRESSED) != 0 && elf_compress(scn, 0, 0) < 0) return {};
  const auto named = std::ranges::find(sections_, section_index, &Section::index);
  const bool old_way = named != sections_.end() && named->name.starts_with(".zdebug_");
  if (old_way && (header.sh_flags & SHF_COMPRESSED) == 0) {
    const Elf_Data* raw = elf_rawdata(scn, nullptr);
    const bool packed = raw && raw->d_buf && raw->d_size > 12 && std::memcmp(raw->d_buf, "ZLIB", 4) == 0;
    if (packed && elf_compress_gnu(scn, 0, 0) < 0) return {};
  }
  const Elf_Data* data = elf_rawdata(scn, nullptr);
  if (!data || !data->d_buf) return {};
  return as_bytes(data->d_buf, data->d_size);
}

std::uint64_t ElfFile::stored_size(std::string_view name) const {
  const Section* found = section(name);
  Elf_Scn* scn = found ? elf_getscn(elf_, found->index) : nullptr;
  GElf_Shdr header;
  return scn && gelf_getshdr(scn, &header) && header.sh_type != SHT_NOBITS ? header.sh_size : 0;
}

std::span<const std::byte> ElfFile::bytes_at(std::uint64_t at, std::size_t count) const {
  for (const auto& segment : segments_) {
    if (!segment.range.contains(at)) continue;
    std::size_t size = 0;
    const char* raw = elf_rawfile(elf_, &size);
    const std::uint64_t offset = segment.file_offset + (at - segment.range.begin);
    if (!raw || offset < segment.file_offset || offset >= size) return {};
    const std::uint64_t in_segment = segment.range.end - at;
    return as_bytes(raw + offset, std::min<std::uint64_t>({count, in_segment, size - offset}));
  }
  return {};
}

// libelf reads small files into memory of its own, which does not begin where a page does.
std::span<const std::byte> ElfFile::map() const {
  std::size_t size = 0;
  const char* begin = fd_ && elf_ ? elf_rawfile(elf_, &size) : nullptr;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  if (begin == nullptr || reinterpret_cast<std::uintptr_t>(begin) % page != 0) return {};
  return as_bytes(begin, size);
}

void ElfFile::release_pages() const {
  const auto mapped = map();
  if (mapped.size() >= release_worth) ::madvise(const_cast<std::byte*>(mapped.data()), mapped.size(), MADV_DONTNEED);
}

bool ElfFile::executable_at(std::uint64_t at) const {
  return std::ranges::any_of(segments_, [&](const Segment& s) { return s.executable && s.range.contains(at); });
}

std::string ElfFile::build_id() const {
  const void* bytes = nullptr;
  const ssize_t size = dwelf_elf_gnu_build_id(elf_, &bytes);
  if (size <= 0 || size > 64 || !bytes) return {};
  std::string hex;
  for (const std::byte b : as_bytes(bytes, static_cast<std::size_t>(size)))
    hex += fmt::format("{:02x}", std::to_integer<unsigned>(b));
  return hex;
}

bool ElfFile::has_dwarf() const {
  return std::ranges::any_of(sections_, [](const Section& s) {
    return s.type != SHT_NOBITS && (s.name == ".debug_info" || s.name == ".zdebug_info");
  });
}

}  // namespace trapline::sym
