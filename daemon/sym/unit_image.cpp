#include "daemon/sym/unit_image.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "daemon/sym/elf_file.hpp"

namespace trapline::sym {
namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t max_size = std::uint64_t{1} << 42;

std::uint64_t up(std::uint64_t size, std::uint64_t to) { return (size + to - 1) / to * to; }

// ".debug_info.dwo" -> ".debug_info"; the indexes of a .dwp have no such ending. Else "".
std::string plain_name(std::string name) {
  if (name.starts_with(".zdebug_")) name.erase(1, 1);
  if (name == ".debug_cu_index" || name == ".debug_tu_index") return name;
  return name.starts_with(".debug_") && name.ends_with(".dwo") ? name.substr(0, name.size() - 4) : std::string{};
}

Result<void> write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return fail(Errc::os, fmt::format("cannot write to a memfd: {}", std::strerror(errno)), errno);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<SplitFile>> SplitFile::open(const std::string& path) {
  TL_TRY(const auto elf, ElfFile::open(path, ElfFile::Accept::any_type));
  auto file = std::make_unique<SplitFile>();
  file->path_ = path;
  bool compressed = false;
  std::vector<std::pair<std::string, std::size_t>> wanted;  // name, index
  for (const auto& section : elf->sections()) {
    const auto name = plain_name(section.name);
    if (name.empty() || section.type == SHT_NOBITS) continue;
    compressed = compressed || (section.flags & SHF_COMPRESSED) != 0 || section.name.starts_with(".z");
    wanted.emplace_back(name, section.index);
  }
  std::size_t raw_size = 0;
  if (!elf_rawfile(elf->elf(), &raw_size)) return fail(Errc::bad_debug_info, path + " cannot be read");
  if (!compressed) {
    file->fd_ = util::Fd(::fcntl(elf->descriptor(), F_DUPFD_CLOEXEC, 0));
    file->size_ = raw_size;
  } else {
    file->fd_ = util::Fd(::memfd_create("trapline-dwo", MFD_CLOEXEC));
    const std::vector<std::byte> header(sizeof(Elf64_Ehdr));  // every image writes its own over it
    if (file->fd_.valid()) TL_TRY_VOID(write_all(file->fd_.get(), header));
    file->size_ = header.size();
  }
  if (!file->fd_.valid()) return fail(Errc::os, fmt::format("{}: {}", path, std::strerror(errno)), errno);
  for (const auto& [name, index] : wanted) {
    Elf_Scn* scn = elf_getscn(elf->elf(), index);
    GElf_Shdr header;
    if (!scn || !gelf_getshdr(scn, &header)) continue;
    if (!compressed) {
      if (header.sh_offset > raw_size || header.sh_size > raw_size - header.sh_offset) continue;
      file->parts_[name].push_back({header.sh_offset, header.sh_size});
      continue;
    }
    const auto bytes = elf->contents(index);
    TL_TRY_VOID(write_all(file->fd_.get(), bytes));
    file->parts_[name].push_back({file->size_, bytes.size()});
    file->size_ += bytes.size();
  }
  if (!file->parts_.contains(".debug_info") && !file->parts_.contains(".debug_types"))
    return fail(Errc::bad_debug_info, path + " holds no .debug_info.dwo");
  return file;
}

std::span<const FilePart> SplitFile::parts(const std::string& name) const {
  const auto found = parts_.find(name);
  return found == parts_.end() ? std::span<const FilePart>{} : std::span<const FilePart>(found->second);
}

std::vector<std::byte> SplitFile::read(const std::string& name) const {
  const auto all = parts(name);
  if (all.empty()) return {};
  std::vector<std::byte> bytes(all[0].size);
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t got =
        ::pread(fd_.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(all[0].offset + at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return {};
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

Result<std::unique_ptr<UnitImage>> UnitImage::make(const SplitFile& file, const Parts& parts,
                                                   std::span<const std::byte> addresses, Storage storage) {
  elf_version(EV_CURRENT);
  std::unique_ptr<UnitImage> image(new UnitImage);
  TL_TRY_VOID(image->map(file, parts, addresses, storage));
  image->elf_ = elf_memory(reinterpret_cast<char*>(image->base_), image->size_);
  image->dwarf_ = image->elf_ ? dwarf_begin_elf(image->elf_, DWARF_C_READ, nullptr) : nullptr;
  if (!image->dwarf_) return fail(Errc::bad_debug_info, fmt::format("{}: {}", file.path(), dwarf_errmsg(-1)));
  return image;
}

bool UnitImage::put_file(const SplitFile& file, std::uint64_t at, std::uint64_t from, std::uint64_t size,
                         Storage storage) {
  if (storage == Storage::mapped) {
    if (::mmap(base_ + at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file.descriptor(),
               static_cast<off_t>(from)) == MAP_FAILED)
      return false;
    pages_.emplace_back(base_ + at, size);
    return true;
  }
  for (std::uint64_t done = 0; done < size;) {
    const ssize_t got = ::pread(file.descriptor(), base_ + at + done, size - done, static_cast<off_t>(from + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;  // the last page's rest is zeros, as in a map
    done += static_cast<std::uint64_t>(got);
  }
  return true;
}

Result<void> UnitImage::map(const SplitFile& file, const Parts& parts, std::span<const std::byte> addresses,
                            Storage storage) {
  const auto trouble = [&](const char* what) {
    return fail(Errc::os, fmt::format("{}: {}: {}", file.path(), what, std::strerror(errno)), errno);
  };
  if (file.size() < sizeof(Elf64_Ehdr) || file.size() > max_size)
    return fail(Errc::bad_debug_info, file.path() + " is no file of debug information");
  // [the file][the pages of .debug_loc once more][those of .debug_info][joined parts, addresses, names, section
  // headers]
  const std::uint64_t whole = up(file.size(), page);
  const auto only = [&](const char* name) {
    const auto found = parts.find(name);
    return found != parts.end() && found->second.size() == 1 ? found->second[0] : FilePart{};
  };
  const FilePart info = only(".debug_info"), locations = only(".debug_loc");
  const auto first_page = [](const FilePart& part) { return part.offset / page * page; };
  const auto pages_of = [&](const FilePart& part) {
    return part.size != 0 ? up(part.offset + part.size - first_page(part), page) : 0;
  };
  std::uint64_t tail = up(addresses.size(), 8);
  for (const auto& [name, list] : parts) {
    std::uint64_t sum = 0;
    for (const auto& part : list) {
      if (part.offset > file.size() || part.size > file.size() - part.offset)
        return fail(Errc::bad_debug_info, fmt::format("{}: a part of its {} is not in the file", file.path(), name));
      sum += part.size;
    }
    tail += name.size() + 1 + sizeof(Elf64_Shdr) + (list.size() > 1 ? up(sum, 8) : 0);
    if (tail > max_size) return fail(Errc::bad_debug_info, file.path() + ": its parts are larger than it is");
  }
  const std::uint64_t window = first_page(info);
  const std::uint64_t window_size = pages_of(info), locations_size = pages_of(locations);
  tail = up(tail + 64 + 3 * sizeof(Elf64_Shdr), page);
  const std::uint64_t info_at = whole + locations_size;
  size_ = info_at + window_size + tail;
  void* at = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return trouble("no room to map it");
  base_ = static_cast<std::byte*>(at);
  if (!put_file(file, 0, 0, whole, storage)) return trouble("cannot read it");
  if (locations_size != 0) {
    if (!put_file(file, whole, first_page(locations), locations_size, storage))
      return trouble("cannot read its .debug_loc");
    locations_ = base_ + whole + (locations.offset - first_page(locations));
  }
  if (window_size != 0 && !put_file(file, info_at, window, window_size, storage))
    return trouble("cannot read its .debug_info");

  std::uint64_t end = info_at + window_size;
  for (const auto& [name, list] : parts) {
    if (list.empty()) continue;
    if (list.size() == 1) {
      const bool again = name == ".debug_info" && window_size != 0;
      sections_[name] = {again ? info_at + (info.offset - window) : list[0].offset, list[0].size};
      continue;
    }
    Placed joined{end, 0};
    for (const auto& part : list) {
      std::memcpy(base_ + end + joined.size, base_ + part.offset, part.size);
      joined.size += part.size;
    }
    end += up(joined.size, 8);
    sections_[name] = joined;
  }
  if (!addresses.empty()) {
    std::memcpy(base_ + end, addresses.data(), addresses.size());
    sections_[".debug_addr"] = {end, addresses.size()};
    end += up(addresses.size(), 8);
  }

  std::string names(1, '\0');
  std::vector<Elf64_Shdr> headers(1);
  const auto add = [&](const std::string& name, std::uint32_t type, std::uint64_t offset, std::uint64_t size) {
    Elf64_Shdr header{};
    header.sh_name = static_cast<Elf64_Word>(names.size());
    header.sh_type = type;
    header.sh_offset = offset;
    header.sh_size = size;
    header.sh_addralign = 1;
    names += name + '\0';
    headers.push_back(header);
  };
  for (const auto& [name, placed] : sections_) add(name, SHT_PROGBITS, placed.offset, placed.size);
  add(".shstrtab", SHT_STRTAB, end, names.size() + sizeof ".shstrtab");
  std::memcpy(base_ + end, names.data(), names.size());
  end = up(end + names.size(), 8);
  std::memcpy(base_ + end, headers.data(), headers.size() * sizeof(Elf64_Shdr));

  Elf64_Ehdr elf{};
  std::memcpy(elf.e_ident, ELFMAG, SELFMAG);
  elf.e_ident[EI_CLASS] = ELFCLASS64;
  elf.e_ident[EI_DATA] = ELFDATA2LSB;
  elf.e_ident[EI_VERSION] = EV_CURRENT;
  elf.e_type = ET_DYN;
  elf.e_machine = EM_X86_64;
  elf.e_version = EV_CURRENT;
  elf.e_ehsize = sizeof elf;
  elf.e_shentsize = sizeof(Elf64_Shdr);
  elf.e_shoff = end;
  elf.e_shnum = static_cast<Elf64_Half>(headers.size());
  elf.e_shstrndx = static_cast<Elf64_Half>(headers.size() - 1);
  std::memcpy(base_, &elf, sizeof elf);
  return {};
}

const std::byte* UnitImage::with_uleb_length(std::uint64_t length_at) const {
  const auto section_bytes = section(".debug_loc");
  // In front of the length stand a kind, an index and another length: room for a longer one.
  if (!locations_ || length_at < 3 || length_at + 2 > section_bytes.size()) return nullptr;
  std::uint16_t length = 0;
  std::memcpy(&length, section_bytes.data() + length_at, sizeof length);
  if (length > section_bytes.size() - length_at - 2) return nullptr;
  const int count = length < 0x80 ? 1 : length < 0x4000 ? 2 : 3;
  std::byte* at = locations_ + length_at + 2 - count;
  // The bytes of the expression itself may have been written to by an entry that follows: they are put back.
  std::memcpy(at + count, section_bytes.data() + length_at + 2, length);
  for (int i = 0; i < count; ++i)
    at[i] = static_cast<std::byte>(((length >> (7 * i)) & 0x7f) | (i + 1 < count ? 0x80 : 0));
  return at;
}

std::span<const std::byte> UnitImage::section(const std::string& name) const {
  const auto found = sections_.find(name);
  if (found == sections_.end()) return {};
  return {base_ + found->second.offset, found->second.size};
}

UnitImage::~UnitImage() {
  if (dwarf_) dwarf_end(dwarf_);
  if (elf_) elf_end(elf_);
  pages_.clear();
  if (base_) ::munmap(base_, size_);
}

}  // namespace trapline::sym
