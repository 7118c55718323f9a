#include "daemon/index/image.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>

#include "daemon/index/line_files.hpp"

namespace trapline::index {
namespace {

constexpr std::size_t deepest_scope = 512;
constexpr std::size_t most_blocks = std::size_t{1} << 20;  // 64 GiB
constexpr int patience = 4096;                             // ranges that are looked through where they nest

// The symbols of an operator's name, or of a conversion's: 0 where it is none.
std::size_t operator_name_end(std::string_view name) {
  constexpr std::string_view word = "operator";
  if (!name.starts_with(word) || name.size() == word.size()) return 0;
  for (const std::string_view symbol : {"<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "->", "<", ">", "()", "[]"})
    if (name.substr(word.size()).starts_with(symbol)) return word.size() + symbol.size();
  return 0;
}

}  // namespace

std::string_view base_of(std::string_view name) {
  if (name.starts_with('<')) return name;  // "<lambda(int)>"
  // A conversion function's type may be a template: "operator Box<int>" is a name as it stands.
  if (name.starts_with("operator ")) return name;
  auto open = name.find('<', operator_name_end(name));
  if (open == std::string_view::npos || open == 0) return name;
  while (open > 0 && name[open - 1] == ' ') --open;
  return name.substr(0, open);
}

std::uint32_t hash_of(std::string_view text) {
  return static_cast<std::uint32_t>(XXH3_64bits(text.data(), text.size()));
}

Key Key::of(std::string name) {
  const XXH128_hash_t hash = XXH3_128bits(name.data(), name.size());
  return {.name = std::move(name), .low = hash.low64, .high = hash.high64};
}

Result<std::shared_ptr<const Index>> Index::map(const std::string& path, const Key& key) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return fail(errno == ENOENT ? Errc::not_found : Errc::os, fmt::format("open {}", path), errno);
  struct stat about {};
  const bool ours = ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_uid == ::geteuid();
  if (!ours || about.st_size < static_cast<off_t>(sizeof(Header))) {
    ::close(fd);
    return fail(Errc::bad_debug_info, fmt::format("{}: no index file of this user", path));
  }
  void* mapped = ::mmap(nullptr, static_cast<std::size_t>(about.st_size), PROT_READ, MAP_SHARED, fd, 0);
  const int problem = errno;
  ::close(fd);
  if (mapped == MAP_FAILED) return fail(Errc::os, fmt::format("map {}", path), problem);
  std::shared_ptr<Index> index(new Index);
  index->path_ = path;
  index->mapped_ = mapped;
  index->mapped_size_ = static_cast<std::size_t>(about.st_size);
  index->pages_ = util::LostPages(mapped, index->mapped_size_);
  index->bytes_ = {static_cast<const std::byte*>(mapped), index->mapped_size_};
  TL_TRY_VOID(index->open(key, path));
  return index;
}

Result<std::shared_ptr<const Index>> Index::from_bytes(std::vector<std::byte> bytes, const Key& key) {
  std::shared_ptr<Index> index(new Index);
  index->owned_ = std::move(bytes);
  index->bytes_ = index->owned_;
  TL_TRY_VOID(index->open(key, "the index in memory"));
  return index;
}

Index::~Index() {
  pages_ = {};
  if (mapped_) ::munmap(mapped_, mapped_size_);
}

Result<void> Index::open(const Key& key, const std::string& what) {
  const auto refuse = [&](std::string_view why) {
    return fail(Errc::bad_debug_info, fmt::format("{}: {}", what, why));
  };
  if (bytes_.size() < sizeof(Header)) return refuse("too short for an index");
  std::memcpy(&header_, bytes_.data(), sizeof header_);
  if (!std::ranges::equal(header_.magic, magic)) return refuse("no index file");
  if (header_.version != format_version)
    return refuse(fmt::format("of format {}, this is {}", header_.version, format_version));
  if (header_.file_size != bytes_.size() || header_.sections != section_count || header_.blocks > most_blocks)
    return refuse("its header is damaged, or the file was cut off");
  const std::size_t tables = sizeof(Header) + section_count * sizeof(SectionPlace);
  const std::uint64_t head = (tables + header_.blocks * 8 + block_size - 1) / block_size * block_size;
  if (head > bytes_.size() || (bytes_.size() - head + block_size - 1) / block_size != header_.blocks)
    return refuse("its header is damaged, or the file was cut off");
  std::vector<std::byte> front(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head));
  Header blank = header_;
  blank.checksum = 0;
  std::memcpy(front.data(), &blank, sizeof blank);
  if (XXH3_64bits(front.data(), front.size()) != header_.checksum) return refuse("its header is damaged");
  if (header_.key_low != key.low || header_.key_high != key.high) return refuse("the index of another file");
  places_.resize(section_count);
  std::memcpy(places_.data(), front.data() + sizeof(Header), section_count * sizeof(SectionPlace));
  for (const auto& place : places_)
    if (place.offset < head || place.offset % 8 != 0 || place.offset > bytes_.size() ||
        place.size > bytes_.size() - place.offset)
      return refuse("a section leads out of the file");
  sums_.resize(header_.blocks);
  std::memcpy(sums_.data(), front.data() + tables, header_.blocks * 8);
  checked_ = std::make_unique<std::atomic<bool>[]>(header_.blocks);
  return {};
}

void Index::break_off() const {
  if (!damaged_.exchange(true) && !path_.empty()) ::unlink(path_.c_str());
}

bool Index::check(std::uint64_t offset, std::uint64_t size) const {
  if (damaged()) {
    break_off();
    return false;
  }
  const std::uint64_t tables = sizeof(Header) + section_count * sizeof(SectionPlace) + header_.blocks * 8;
  const std::uint64_t first_byte = (tables + block_size - 1) / block_size * block_size;
  if (size == 0) return true;
  if (offset < first_byte || offset > bytes_.size() || size > bytes_.size() - offset) {
    break_off();
    return false;
  }
  for (std::uint64_t block = (offset - first_byte) / block_size; block <= (offset + size - 1 - first_byte) / block_size;
       ++block) {
    if (checked_[block].load(std::memory_order_relaxed)) continue;
    const std::uint64_t at = first_byte + block * block_size;
    const std::uint64_t length = std::min<std::uint64_t>(block_size, bytes_.size() - at);
    if (XXH3_64bits(bytes_.data() + at, length) != sums_[block]) {
      break_off();
      return false;
    }
    checked_[block].store(true, std::memory_order_relaxed);
  }
  return true;
}

template <class Row>
std::optional<Row> Index::row(Section section, std::size_t number) const {
  const auto& place = places_[static_cast<std::size_t>(section)];
  if (number >= place.size / sizeof(Row)) {
    break_off();
    return std::nullopt;
  }
  const std::uint64_t at = place.offset + number * sizeof(Row);
  if (!check(at, sizeof(Row))) return std::nullopt;
  Row found;
  std::memcpy(&found, bytes_.data() + at, sizeof(Row));
  return found;
}

std::string_view Index::text(std::uint32_t at, std::size_t size) const {
  const auto& place = places_[static_cast<std::size_t>(Section::texts)];
  if (at > place.size || size > place.size - at) {
    break_off();
    return {};
  }
  if (!check(place.offset + at, size)) return {};
  return {reinterpret_cast<const char*>(bytes_.data()) + place.offset + at, size};
}

std::string_view Index::text(std::uint32_t at) const {
  const auto& place = places_[static_cast<std::size_t>(Section::texts)];
  if (at >= place.size) {
    break_off();
    return {};
  }
  // A few of them are long: block by block until the zero.
  const auto* begin = reinterpret_cast<const char*>(bytes_.data()) + place.offset + at;
  for (std::size_t size = 0; size < place.size - at;) {
    const std::size_t piece = std::min<std::size_t>(4096, place.size - at - size);
    if (!check(place.offset + at + size, piece)) return {};
    if (const void* zero = std::memchr(begin + size, 0, piece))
      return {begin, static_cast<std::size_t>(static_cast<const char*>(zero) - begin)};
    size += piece;
  }
  break_off();
  return {};
}

std::string_view Index::problem() const {
  const auto& place = places_[static_cast<std::size_t>(Section::problem)];
  if (!check(place.offset, place.size)) return {};
  return {reinterpret_cast<const char*>(bytes_.data()) + place.offset, place.size};
}

std::optional<Index::Unit> Index::unit(std::size_t number) const {
  const auto found = row<UnitRow>(Section::units, number);
  if (!found) return std::nullopt;
  Unit unit{.row = *found, .name = text(found->name), .folder = text(found->folder)};
  return damaged() ? std::nullopt : std::optional(unit);
}

std::optional<std::uint32_t> Index::unit_with_offset(std::uint64_t offset, bool alternate, bool in_types) const {
  // In the order of (alternate, in .debug_types, offset).
  const auto key = [](const UnitRow& r) {
    return std::tuple((r.flags & UnitRow::alternate) != 0, (r.flags & UnitRow::in_types) != 0, r.offset);
  };
  const std::tuple wanted(alternate, in_types, offset);
  std::size_t low = 0, high = unit_count();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const auto at = row<UnitRow>(Section::units, middle);
    if (!at) return std::nullopt;
    if (key(*at) == wanted) return static_cast<std::uint32_t>(middle);
    if (key(*at) < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> Index::unit_at(std::uint64_t address) const {
  std::size_t low = 0, high = count<RangeRow>(Section::ranges);
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const auto at = row<RangeRow>(Section::ranges, middle);
    if (!at) return std::nullopt;
    if (at->begin <= address)
      low = middle + 1;
    else
      high = middle;
  }
  for (int i = 0; i < patience && low > 0; ++i) {
    const auto at = row<RangeRow>(Section::ranges, --low);
    if (!at || at->unit >= unit_count()) return std::nullopt;
    if (address < at->end) return at->unit;
    if (at->reach <= address) return std::nullopt;
  }
  return std::nullopt;
}

std::vector<std::uint32_t> Index::units_in(std::uint64_t begin, std::uint64_t end) const {
  std::vector<std::uint32_t> found;
  if (const auto first = unit_at(begin)) found.push_back(*first);
  std::size_t low = 0, high = count<RangeRow>(Section::ranges);
  const std::size_t all = high;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const auto at = row<RangeRow>(Section::ranges, middle);
    if (!at) return {};
    if (at->begin <= begin)
      low = middle + 1;
    else
      high = middle;
  }
  for (; low < all; ++low) {
    const auto at = row<RangeRow>(Section::ranges, low);
    if (!at || at->begin >= end || at->unit >= unit_count()) break;
    if (found.empty() || found.back() != at->unit) found.push_back(at->unit);
  }
  return found;
}

std::pair<std::size_t, std::size_t> Index::hashed(Section section, std::uint32_t hash) const {
  const auto bound = [&](auto before) {
    std::size_t low = 0, high = count<std::uint32_t>(section);
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      const auto at = row<std::uint32_t>(section, middle);
      if (!at) return std::size_t{0};
      if (before(*at))
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  };
  return {bound([&](std::uint32_t at) { return at < hash; }), bound([&](std::uint32_t at) { return at <= hash; })};
}

bool Index::entries_of(const NameRow& name, std::vector<Entry>& out) const {
  const std::size_t all = count<EntryRow>(Section::entries);
  if (name.first > all || name.count > all - name.first) {
    break_off();
    return false;
  }
  const auto label = text(name.text, name.size);
  for (std::size_t i = name.first; i < std::size_t{name.first} + name.count; ++i) {
    const auto entry = row<EntryRow>(Section::entries, i);
    const auto unit = entry ? row<UnitRow>(Section::units, entry->unit) : std::nullopt;
    if (!unit || entry->kind > last_kind) {
      break_off();
      return false;
    }
    out.push_back({.name = label,
                   .die = unit->offset + entry->die,
                   .unit = entry->unit,
                   .scope = entry->scope,
                   .tag = entry->tag,
                   .kind = static_cast<Kind>(entry->kind)});
  }
  return !damaged();
}

std::vector<Index::Entry> Index::with_base(std::string_view base) const {
  std::vector<Entry> found;
  const auto [first, last] = hashed(Section::name_hashes, hash_of(base));
  for (std::size_t i = first; i < last && !damaged(); ++i) {
    const auto name = row<NameRow>(Section::names, i);
    if (name && base_of(text(name->text, name->size)) == base) entries_of(*name, found);
  }
  if (damaged()) found.clear();
  return found;
}

void Index::each_name(const std::function<bool(std::string_view, std::span<const Entry>)>& take) const {
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < count<NameRow>(Section::names) && !damaged(); ++i) {
    const auto name = row<NameRow>(Section::names, i);
    entries.clear();
    if (!name || !entries_of(*name, entries)) return;
    if (!take(text(name->text, name->size), entries)) return;
  }
}

std::optional<std::vector<std::string_view>> Index::path_of(std::uint32_t scope) const {
  std::vector<std::string_view> path;
  while (scope != no_scope) {
    if (scope == unknown_scope || path.size() > deepest_scope) return std::nullopt;
    const auto at = row<ScopeRow>(Section::scopes, scope);
    if (!at) return std::nullopt;
    path.push_back(text(at->text, at->size));
    scope = at->parent;
  }
  std::ranges::reverse(path);
  return damaged() ? std::nullopt : std::optional(std::move(path));
}

std::vector<Index::File> Index::files_named(std::string_view wanted) const {
  std::vector<File> found;
  const auto [first, last] = hashed(Section::file_hashes, hash_of(wanted));
  const std::size_t all = count<std::uint32_t>(Section::file_units);
  for (std::size_t i = first; i < last && !damaged(); ++i) {
    const auto name = row<NameRow>(Section::files, i);
    if (!name) break;
    const auto path = text(name->text, name->size);
    if (base_name(path) != wanted) continue;
    if (name->first > all || name->count > all - name->first) {
      break_off();
      break;
    }
    File file{.path = path, .units = {}};
    for (std::size_t n = name->first; n < std::size_t{name->first} + name->count; ++n) {
      const auto unit = row<std::uint32_t>(Section::file_units, n);
      if (!unit || *unit >= unit_count()) {
        break_off();
        return {};
      }
      file.units.push_back(*unit);
    }
    found.push_back(std::move(file));
  }
  if (damaged()) found.clear();
  return found;
}

void Index::each_file(const std::function<void(std::string_view)>& take) const {
  for (std::size_t i = 0; i < count<NameRow>(Section::files) && !damaged(); ++i)
    if (const auto name = row<NameRow>(Section::files, i))
      if (const auto path = text(name->text, name->size); !path.empty()) take(path);
}

std::vector<std::uint64_t> Index::instances_of(std::uint64_t origin, bool in_alternate) const {
  std::vector<std::uint64_t> found;
  const Section section = in_alternate ? Section::alternate_instances : Section::instances;
  const std::size_t all = count<InstanceRecord>(section);
  std::size_t low = 0, high = all;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const auto at = row<InstanceRecord>(section, middle);
    if (!at) return {};
    if (at->origin < origin)
      low = middle + 1;
    else
      high = middle;
  }
  for (; low < all; ++low) {
    const auto at = row<InstanceRecord>(section, low);
    if (!at || at->origin != origin) break;
    found.push_back(at->die);
  }
  if (damaged()) found.clear();
  return found;
}

}  // namespace trapline::index
