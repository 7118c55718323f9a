#include "daemon/sym/debug_link.hpp"

#include <elfutils/libdwelf.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "daemon/util/rooted.hpp"

namespace trapline::sym {
namespace {

// CRC-32 of .gnu_debuglink: the reflected polynomial 0xedb88320 of zlib and PNG, eight bytes a round (slicing-by-8).
constexpr auto crc_tables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? (value >> 1) ^ 0xedb88320U : value >> 1;
    tables[0][i] = value;
  }
  for (std::size_t t = 1; t < 8; ++t)
    for (std::uint32_t i = 0; i < 256; ++i) {
      const std::uint32_t before = tables[t - 1][i];
      tables[t][i] = (before >> 8) ^ tables[0][before & 0xff];
    }
  return tables;
}();

std::uint32_t crc32(const unsigned char* at, std::size_t size) {
  std::uint32_t crc = 0xffffffffU;
  const auto& t = crc_tables;
  for (; size >= 8; size -= 8, at += 8) {
    const std::uint32_t low = crc ^ (at[0] | at[1] << 8 | at[2] << 16 | static_cast<std::uint32_t>(at[3]) << 24);
    crc = t[7][low & 0xff] ^ t[6][(low >> 8) & 0xff] ^ t[5][(low >> 16) & 0xff] ^ t[4][low >> 24] ^ t[3][at[4]] ^
          t[2][at[5]] ^ t[1][at[6]] ^ t[0][at[7]];
  }
  for (; size > 0; --size, ++at) crc = (crc >> 8) ^ t[0][(crc ^ *at) & 0xff];
  return ~crc;
}

std::uint32_t crc_of(const ElfFile& file) {
  std::size_t size = 0;
  const char* raw = elf_rawfile(file.elf(), &size);
  return raw ? crc32(reinterpret_cast<const unsigned char*>(raw), size) : 0;
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat first {
  }, second{};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

std::string build_id_path(const std::string& dir, const std::string& build_id) {
  return fmt::format("{}/.build-id/{}/{}.debug", dir, build_id.substr(0, 2), build_id.substr(2));
}

std::vector<std::string> roots(const SearchOptions& options) {
  return options.root.empty() ? std::vector<std::string>{""} : std::vector<std::string>{options.root, ""};
}

}  // namespace

DebugFileSearch find_debug_file(const ElfFile& program, const std::string& path, const SearchOptions& options) {
  DebugFileSearch search;
  const std::string build_id = program.build_id();
  const auto take = [&](const std::string& candidate, std::optional<std::uint32_t> crc) {
    auto file = ElfFile::open(candidate);
    if (!file) {
      if (file.error().code != Errc::not_found) search.problem = file.error().message;
      return false;
    }
    if (same_file(candidate, program.path())) return false;
    const std::string theirs = (*file)->build_id();
    if (!build_id.empty() && !theirs.empty() && theirs != build_id) {
      search.problem = fmt::format("{} is of another build (build-id {}, not {})", candidate, theirs, build_id);
      return false;
    }
    if (crc && crc_of(**file) != *crc) {
      search.problem = fmt::format("{} is of another build (its CRC differs from .gnu_debuglink)", candidate);
      return false;
    }
    if (!(*file)->has_dwarf()) {
      search.problem = fmt::format("{} holds no .debug_info", candidate);
      return false;
    }
    search.file = std::move(*file);
    search.problem.clear();
    return true;
  };

  if (build_id.size() > 2)
    for (const auto& root : roots(options))
      for (const auto& dir : options.debug_dirs)
        if (take(util::path_in_root(root, build_id_path(dir, build_id)), std::nullopt)) return search;

  for (const auto& dir : options.fetched_dirs)
    if (build_id.size() > 2 && take(fmt::format("{}/{}/debuginfo", dir, build_id), std::nullopt)) return search;

  GElf_Word crc = 0;
  const char* link = dwelf_elf_gnu_debuglink(program.elf(), &crc);
  if (!link || *link == '\0') return search;
  // Where symbolic links lead to another folder, the debug file lies beside the real one.
  std::error_code ignored;
  std::vector<std::filesystem::path> folders{std::filesystem::path(path).parent_path()};
  if (!options.root.empty()) {
    const auto real = util::path_in_root(options.root, path);
    if (real.starts_with(options.root))
      folders.push_back(std::filesystem::path(real.substr(options.root.size())).parent_path());
  } else if (const auto real = std::filesystem::canonical(path, ignored).parent_path();
             !ignored && real != folders[0]) {
    folders.push_back(real);
  }
  for (const auto& root : roots(options))
    for (const auto& folder : folders) {
      const auto there = [&](const std::string& place) {
        return take(util::path_in_root(root, fmt::format("{}/{}", place, link)), crc);
      };
      if (there(folder.string()) || there(folder.string() + "/.debug")) return search;
      for (const auto& dir : options.debug_dirs)
        if (there(dir + folder.string())) return search;
    }
  return search;
}

AlternateLink alternate_named_by(const ElfFile& debug_file) {
  const auto section = debug_file.contents(".gnu_debugaltlink");
  const std::string_view text(reinterpret_cast<const char*>(section.data()), section.size());
  const auto zero = text.find('\0');
  if (zero == std::string_view::npos) return {};
  AlternateLink named{.link = std::string(text.substr(0, zero)), .build_id = {}};
  for (const char c : text.substr(zero + 1)) named.build_id += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return named;
}

std::unique_ptr<ElfFile> find_alternate(const std::string& link, const std::string& build_id,
                                        const std::string& debug_file_path, const SearchOptions& options) {
  const auto take = [&](const std::string& candidate) -> std::unique_ptr<ElfFile> {
    auto file = ElfFile::open(candidate, ElfFile::Accept::any_type);
    if (!file || !(*file)->has_dwarf()) return nullptr;
    const std::string theirs = (*file)->build_id();
    if (!theirs.empty() && !build_id.empty() && theirs != build_id) return nullptr;
    return std::move(*file);
  };
  for (const auto& root : roots(options)) {
    if (build_id.size() > 2)
      for (const auto& dir : options.debug_dirs)
        if (auto file = take(util::path_in_root(root, build_id_path(dir, build_id)))) return file;
    if (link.starts_with('/'))
      if (auto file = take(util::path_in_root(root, link))) return file;
  }
  for (const auto& dir : options.fetched_dirs)
    if (build_id.size() > 2)
      if (auto file = take(fmt::format("{}/{}/debuginfo", dir, build_id))) return file;
  if (link.empty() || link.starts_with('/')) return nullptr;
  return take((std::filesystem::path(debug_file_path).parent_path() / link).string());
}

}  // namespace trapline::sym
