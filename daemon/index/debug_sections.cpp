#include "daemon/index/debug_sections.hpp"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <xxhash.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "daemon/util/fd.hpp"
#include "daemon/util/zstd.hpp"

namespace trapline::index {
namespace {

// A declared size that zlib cannot reach (its best ratio is 1032:1), or beyond what a session may take, is damage.
constexpr std::uint64_t max_inflated = std::uint64_t{8} << 30;
constexpr std::uint64_t best_ratio = 1032;
constexpr std::uint64_t best_zstd_ratio = 4096;  // more than real debug information reaches by far
constexpr std::uint32_t compressed_by_zstd = 2;  // ELFCOMPRESS_ZSTD, which older <elf.h> do not have
constexpr std::size_t max_sections = 1 << 16;
constexpr std::size_t sample = 4096;

struct Named {
  std::string_view name;
  Data Sections::*member;
};
constexpr Named wanted[] = {
    {"debug_info", &Sections::info},         {"debug_types", &Sections::types},
    {"debug_abbrev", &Sections::abbrev},     {"debug_str", &Sections::str},
    {"debug_line_str", &Sections::line_str}, {"debug_str_offsets", &Sections::str_offsets},
    {"debug_addr", &Sections::addr},         {"debug_ranges", &Sections::ranges},
    {"debug_rnglists", &Sections::rnglists}, {"debug_aranges", &Sections::aranges},
    {"debug_line", &Sections::line},
};

template <class T>
std::optional<T> at(Data file, std::uint64_t offset) {
  if (offset > file.size() || sizeof(T) > file.size() - offset) return std::nullopt;
  T value;
  std::memcpy(&value, file.data() + offset, sizeof(T));
  return value;
}

Data part(Data file, std::uint64_t offset, std::uint64_t size) {
  if (offset > file.size() || size > file.size() - offset) return {};
  return file.subspan(offset, size);
}

struct Headers {
  std::vector<Elf64_Shdr> sections;
  std::vector<Elf64_Phdr> segments;
  Data names;
};

Result<Headers> read_headers(Data file, const std::string& path) {
  const auto header = at<Elf64_Ehdr>(file, 0);
  if (!header || !std::equal(header->e_ident, header->e_ident + SELFMAG, ELFMAG) ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
    return fail(Errc::bad_debug_info, fmt::format("{}: no 64-bit little-endian ELF file", path));
  Headers found;
  for (std::size_t i = 0; i < header->e_phnum; ++i)
    if (const auto segment = at<Elf64_Phdr>(file, header->e_phoff + i * sizeof(Elf64_Phdr)))
      found.segments.push_back(*segment);
  const auto first = at<Elf64_Shdr>(file, header->e_shoff);
  if (header->e_shoff == 0 || !first) return found;
  // gABI: counts that do not fit into the header stand in the first section.
  const std::uint64_t count = header->e_shnum != 0 ? header->e_shnum : first->sh_size;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, max_sections); ++i)
    if (const auto section = at<Elf64_Shdr>(file, header->e_shoff + i * sizeof(Elf64_Shdr)))
      found.sections.push_back(*section);
  const std::uint32_t names = header->e_shstrndx == SHN_XINDEX ? first->sh_link : header->e_shstrndx;
  if (names < found.sections.size())
    found.names = part(file, found.sections[names].sh_offset, found.sections[names].sh_size);
  return found;
}

// ".debug_info" and the old ".zdebug_info".
const Named* debug_section(std::string_view name) {
  if (name.starts_with(".z")) name.remove_prefix(1);
  if (!name.starts_with('.') && !name.starts_with('z')) return nullptr;
  name.remove_prefix(1);
  const auto* found = std::ranges::find(wanted, name, &Named::name);
  return found == std::end(wanted) ? nullptr : found;
}

bool old_style(Data raw) { return raw.size() >= 12 && std::memcmp(raw.data(), "ZLIB", 4) == 0; }

std::uint64_t inflated_size(const Elf64_Shdr& section, Data raw) {
  if ((section.sh_flags & SHF_COMPRESSED) != 0) {
    const auto header = at<Elf64_Chdr>(raw, 0);
    return header ? header->ch_size : 0;
  }
  if (!old_style(raw)) return raw.size();
  std::uint64_t size = 0;
  for (std::size_t i = 4; i < 12; ++i) size = size << 8 | static_cast<std::uint8_t>(raw[i]);
  return size;
}

std::string build_id_in(Data notes) {
  DataCursor in(notes);
  while (in.left() >= sizeof(Elf64_Nhdr)) {
    const auto header = in.fixed<Elf64_Nhdr>();
    const std::string_view name(in.here(), std::min<std::uint64_t>(header.n_namesz, in.left()));
    in.skip((std::uint64_t{header.n_namesz} + 3) / 4 * 4);
    if (!in.ok() || header.n_descsz > in.left()) return {};
    if (header.n_type == NT_GNU_BUILD_ID && name == std::string_view("GNU\0", 4) && header.n_descsz <= 64) {
      std::string id;
      for (std::uint32_t i = 0; i < header.n_descsz; ++i)
        id += fmt::format("{:02x}", static_cast<unsigned char>(in.here()[i]));
      return id;
    }
    in.skip(std::min<std::uint64_t>((std::uint64_t{header.n_descsz} + 3) / 4 * 4, in.left()));
  }
  return {};
}

FileIdentity identity_of(Data file, const Headers& headers) {
  FileIdentity identity;
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  for (const auto& section : headers.sections) {
    if (section.sh_type == SHT_NOBITS) continue;
    const Data raw = part(file, section.sh_offset, section.sh_size);
    if (section.sh_type == SHT_NOTE && identity.build_id.empty()) identity.build_id = build_id_in(raw);
    const auto name = string_at(headers.names, section.sh_name);
    const Named* known = debug_section(name);
    if (!known) continue;
    const std::uint64_t size = inflated_size(section, raw);
    if (known->member == &Sections::info || known->member == &Sections::types) identity.debug_bytes += size;
    XXH3_64bits_update(state, name.data(), name.size());
    XXH3_64bits_update(state, &size, sizeof size);
    const Data head = raw.first(std::min(raw.size(), sample)), tail = raw.last(std::min(raw.size(), sample));
    XXH3_64bits_update(state, head.data(), head.size());
    XXH3_64bits_update(state, tail.data(), tail.size());
  }
  identity.fingerprint = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return identity;
}

}  // namespace

Result<FileMap> FileMap::open(const std::string& path) {
  // O_NONBLOCK: somebody's FIFO must not hold us.
  const util::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail(errno == ENOENT ? Errc::not_found : Errc::os, fmt::format("open {}", path), errno);
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0 || !S_ISREG(about.st_mode) || about.st_size <= 0)
    return fail(Errc::bad_debug_info, fmt::format("{}: no file with anything in it", path));
  const auto size = static_cast<std::size_t>(about.st_size);
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (mapped == MAP_FAILED) return fail(Errc::os, fmt::format("map {}", path), errno);
  FileMap map;
  map.bytes_ = {static_cast<const std::byte*>(mapped), size};
  map.pages_ = util::LostPages(mapped, size);
  return map;
}

FileMap& FileMap::operator=(FileMap&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(pages_, other.pages_);
  return *this;
}

FileMap::~FileMap() {
  pages_ = {};
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

Result<FileIdentity> identify(const std::string& path) {
  TL_TRY(const auto map, FileMap::open(path));
  TL_TRY(const auto headers, read_headers(map.bytes(), path));
  return identity_of(map.bytes(), headers);
}

Result<std::shared_ptr<const DebugFile>> DebugFile::open(const std::string& path) {
  std::shared_ptr<DebugFile> file(new DebugFile);
  TL_TRY(file->map_, FileMap::open(path));
  file->path_ = path;
  TL_TRY_VOID(file->read(file->map_.bytes()));
  return file;
}

Result<std::shared_ptr<const DebugFile>> DebugFile::from_bytes(Data bytes, std::string name) {
  std::shared_ptr<DebugFile> file(new DebugFile);
  file->path_ = std::move(name);
  file->image_.assign(bytes.begin(), bytes.end());
  TL_TRY_VOID(file->read(file->image_));
  return file;
}

std::shared_ptr<const DebugFile> DebugFile::from_sections(const Sections& sections, std::vector<CodeRange> code,
                                                          std::string name) {
  std::shared_ptr<DebugFile> file(new DebugFile);
  file->path_ = std::move(name);
  file->sections_ = sections;
  file->code_ = std::move(code);
  return file;
}

DebugFile::~DebugFile() {
  for (const auto& inflated : inflated_) ::munmap(inflated.at, inflated.size);
}

Result<void> DebugFile::read(Data file) {
  TL_TRY(const Headers headers, read_headers(file, path_));
  for (const auto& segment : headers.segments) {
    std::uint64_t end = 0;
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    if (!__builtin_add_overflow(segment.p_vaddr, segment.p_memsz, &end)) code_.push_back({segment.p_vaddr, end});
  }
  std::ranges::sort(code_, {}, &CodeRange::begin);
  for (const auto& section : headers.sections) {
    const Named* known = debug_section(string_at(headers.names, section.sh_name));
    if (!known || section.sh_type == SHT_NOBITS || !(sections_.*known->member).empty()) continue;
    TL_TRY(sections_.*known->member, contents(file, &section));
  }
  const auto identity = identity_of(file, headers);
  build_id_ = identity.build_id;
  fingerprint_ = identity.fingerprint;
  return {};
}

Result<Data> DebugFile::contents(Data file, const void* section_header) {
  const auto& section = *static_cast<const Elf64_Shdr*>(section_header);
  const Data raw = part(file, section.sh_offset, section.sh_size);
  const bool compressed = (section.sh_flags & SHF_COMPRESSED) != 0;
  if (raw.empty() || (!compressed && !old_style(raw))) return raw;
  const auto header = at<Elf64_Chdr>(raw, 0);
  const Data packed = raw.subspan(std::min<std::size_t>(raw.size(), compressed ? sizeof(Elf64_Chdr) : 12));
  const bool by_zstd = compressed && header && header->ch_type == compressed_by_zstd;
  if (by_zstd && !util::has_zstd())
    return fail_hint(Errc::unsupported, path_ + ": its sections are compressed with zstd, and libzstd.so.1 is missing",
                     "install libzstd1");
  if (compressed && !by_zstd && (!header || header->ch_type != ELFCOMPRESS_ZLIB))
    return fail(Errc::bad_debug_info, fmt::format("{}: a debug section is compressed with method {}, which is not read",
                                                  path_, header ? header->ch_type : 0));
  const std::uint64_t size = inflated_size(section, raw);
  if (size == 0 || size > max_inflated || size / (by_zstd ? best_zstd_ratio : best_ratio) > packed.size())
    return fail(Errc::bad_debug_info, fmt::format("{}: a compressed debug section claims {} bytes", path_, size));
  void* room = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return fail(Errc::os, fmt::format("{}: {} bytes of memory", path_, size), errno);
  inflated_.push_back({room, size});
  const Data inflated{static_cast<const std::byte*>(room), static_cast<std::size_t>(size)};
  if (by_zstd) {
    if (!util::inflate_zstd(packed, {static_cast<std::byte*>(room), static_cast<std::size_t>(size)}))
      return fail(Errc::bad_debug_info, fmt::format("{}: a compressed debug section is damaged", path_));
    return inflated;
  }
  z_stream stream{};
  if (::inflateInit(&stream) != Z_OK) return fail(Errc::os, fmt::format("{}: zlib cannot start", path_));
  std::uint64_t taken = 0, made = 0;
  int state = Z_OK;
  constexpr std::uint64_t step = std::uint64_t{1} << 30;  // zlib counts in 32 bits
  while (state == Z_OK) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data() + taken));
    stream.avail_in = static_cast<uInt>(std::min(step, packed.size() - taken));
    stream.next_out = static_cast<Bytef*>(room) + made;
    stream.avail_out = static_cast<uInt>(std::min(step, size - made));
    const auto in = stream.avail_in, out = stream.avail_out;
    state = ::inflate(&stream, Z_NO_FLUSH);
    taken += in - stream.avail_in;
    made += out - stream.avail_out;
    if (in == stream.avail_in && out == stream.avail_out) break;
  }
  ::inflateEnd(&stream);
  if (state != Z_STREAM_END || made != size)
    return fail(Errc::bad_debug_info, fmt::format("{}: a compressed debug section is damaged", path_));
  return inflated;
}

}  // namespace trapline::index
