#pragma once
// The index of one debug file as bytes: how it is laid out, and how it is read.
//
// The same bytes are a file of the cache, mapped, and what a build has just made. Nothing in them is believed before it
// is checked: the header carries a checksum of itself and of the table of block checksums, and is checked when the
// index is opened; every other block of 64 KiB is checked when it is first touched, so that opening a warm file of 50
// MB reads a few pages of it. Every count, offset and number is held against the sections' sizes where it is used. One
// block that is not what was written makes the whole index `damaged()`: it answers nothing from then on, and whoever
// asked falls back to the debug information itself.
//
// A file is never changed once it has its name: writers make another one aside and rename it, and what is unlinked
// lives on until the last map of it goes. Somebody who truncates a file of the cache by hand damages it like any other
// change of it (util/lost_pages.hpp).
//
// Layout, all little endian: Header; SectionPlace for each Section; u64 checksum (XXH3) of each block; padding to the
// block size; the sections, each at a multiple of 8.
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/index/cursor.hpp"
#include "daemon/index/harvest.hpp"
#include "daemon/util/lost_pages.hpp"
#include "proto/words/result.hpp"

namespace trapline::index {

inline constexpr std::uint32_t format_version = 3;  // of the layout and of what a scan finds: raise it with either
inline constexpr std::size_t block_size = 65536;

enum class Section : std::uint8_t {
  texts,        // NUL-terminated, no text twice
  units,        // UnitRow, in the order of the file
  ranges,       // RangeRow, by begin
  name_hashes,  // u32 of base_of(name), ascending
  names,        // NameRow, beside the hashes
  entries,      // EntryRow, grouped by name; in a group by unit and DIE
  scopes,       // ScopeRow
  file_hashes,  // u32 of the file's base name, ascending
  files,        // NameRow, beside the hashes
  file_units,   // u32, grouped by file
  instances,    // InstanceRecord, by origin
  alternate_instances,
  problem,  // text: what of the debug information could not be read
};
inline constexpr std::size_t section_count = 13;

struct SectionPlace {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

struct Header {
  char magic[8];
  std::uint32_t version = 0;
  std::uint32_t sections = 0;
  std::uint64_t file_size = 0;
  std::uint64_t key_low = 0, key_high = 0;  // of what it is the index of
  std::uint64_t blocks = 0;
  std::uint64_t flags = 0;
  std::uint64_t checksum = 0;  // of all of the first blocks up to the sections, with this field zero
};
inline constexpr char magic[8] = {'T', 'L', 'I', 'N', 'D', 'E', 'X', '\n'};

struct UnitRow {
  static constexpr std::uint64_t no_lines = ~std::uint64_t{0};
  enum Flag : std::uint16_t { in_types = 1, alternate = 2, compile_unit = 4, optimized = 8, damaged = 16, split = 32 };
  std::uint64_t offset = 0;  // of the header in its section
  std::uint64_t first_die = 0;
  std::uint64_t line_offset = no_lines;
  std::uint32_t name = 0, folder = 0;  // in texts
  std::uint32_t language = 0;
  std::uint16_t version = 0;
  std::uint16_t flags = 0;
};

struct RangeRow {
  std::uint64_t begin = 0, end = 0;
  std::uint64_t reach = 0;  // highest end of this row and all before it
  std::uint32_t unit = 0, unused = 0;
};

struct NameRow {
  std::uint32_t text = 0, size = 0;  // in texts
  std::uint32_t first = 0, count = 0;
};

struct EntryRow {
  std::uint32_t die = 0;  // offset from the unit's header
  std::uint32_t unit = 0;
  std::uint32_t scope = 0;  // in scopes, or no_scope, unknown_scope
  std::uint16_t tag = 0;
  std::uint8_t kind = 0;
  std::uint8_t unused = 0;
};

struct ScopeRow {
  std::uint32_t parent = 0;
  std::uint32_t text = 0, size = 0;
  std::uint32_t tag = 0;
};

// What an index belongs to: the key of its file and the mark in its header.
struct Key {
  std::string name;  // of the cache file: build-id or a hash of the file's identity, and the fingerprint
  std::uint64_t low = 0, high = 0;
  static Key of(std::string name);
};

// Thread: open from any; then any number of readers at once.
class Index {
 public:
  struct Unit {
    UnitRow row;
    std::string_view name, folder;
    bool is(UnitRow::Flag flag) const { return (row.flags & flag) != 0; }
  };
  struct Entry {
    std::string_view name;  // DW_AT_name, with template arguments
    std::uint64_t die = 0;  // offset in .debug_info (or .debug_types: see the unit)
    std::uint32_t unit = 0;
    std::uint32_t scope = no_scope;
    std::uint16_t tag = 0;
    Kind kind = Kind::function;
  };

  // Errors: bad_debug_info (foreign, of another version, damaged, or the index of something else), not_found, os.
  static Result<std::shared_ptr<const Index>> map(const std::string& path, const Key& key);
  static Result<std::shared_ptr<const Index>> from_bytes(std::vector<std::byte> bytes, const Key& key);
  ~Index();
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  bool damaged() const { return damaged_.load(std::memory_order_relaxed) || pages_.lost(); }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::string_view problem() const;
  bool has_split_units() const { return (header_.flags & 1) != 0; }
  bool has_damaged_units() const { return (header_.flags & 2) != 0; }
  bool any_optimized() const { return (header_.flags & 4) != 0; }
  bool has_instances() const { return (header_.flags & 8) == 0; }  // else .debug_info is too large for the table

  std::size_t unit_count() const { return count<UnitRow>(Section::units); }
  std::optional<Unit> unit(std::size_t number) const;
  // Of the dwz file where `alternate`; by the offset of the header.
  std::optional<std::uint32_t> unit_with_offset(std::uint64_t offset, bool alternate, bool in_types = false) const;
  std::optional<std::uint32_t> unit_at(std::uint64_t address) const;
  std::vector<std::uint32_t> units_in(std::uint64_t begin, std::uint64_t end) const;

  // Names whose text without template arguments is `base`.
  std::vector<Entry> with_base(std::string_view base) const;
  // Every name with its entries, until `take` returns false; in no order that means anything.
  void each_name(const std::function<bool(std::string_view, std::span<const Entry>)>& take) const;
  // Outermost first: "ns", "Class<int>"; nullopt: not known. Unnamed scopes are empty texts.
  std::optional<std::vector<std::string_view>> path_of(std::uint32_t scope) const;

  struct File {
    std::string_view path;
    std::vector<std::uint32_t> units;  // the first with each line table that mentions it
  };
  std::vector<File> files_named(std::string_view base_name) const;
  void each_file(const std::function<void(std::string_view)>& take) const;

  // Inlined calls of the function whose abstract DIE that is, as DIE offsets of .debug_info.
  std::vector<std::uint64_t> instances_of(std::uint64_t origin, bool origin_in_alternate) const;

 private:
  Index() = default;
  Result<void> open(const Key& key, const std::string& what);
  bool check(std::uint64_t offset, std::uint64_t size) const;
  template <class Row>
  std::size_t count(Section section) const {
    return places_[static_cast<std::size_t>(section)].size / sizeof(Row);
  }
  template <class Row>
  std::optional<Row> row(Section section, std::size_t number) const;
  std::string_view text(std::uint32_t at, std::size_t size) const;
  std::string_view text(std::uint32_t at) const;
  bool entries_of(const NameRow& name, std::vector<Entry>& out) const;
  // The rows whose hash is that.
  std::pair<std::size_t, std::size_t> hashed(Section section, std::uint32_t hash) const;
  void break_off() const;  // damaged from now on; its file goes, so that the next one is built

  std::string path_;  // of the file; empty: in memory
  std::span<const std::byte> bytes_;
  std::vector<std::byte> owned_;
  void* mapped_ = nullptr;
  std::size_t mapped_size_ = 0;
  util::LostPages pages_;  // of the map
  Header header_{};
  std::vector<SectionPlace> places_;
  std::vector<std::uint64_t> sums_;
  mutable std::unique_ptr<std::atomic<bool>[]> checked_;
  mutable std::atomic<bool> damaged_ = false;
};

// "max<int>" -> "max", "operator<< <char>" -> "operator<<": what a person calls it.
std::string_view base_of(std::string_view name);
std::uint32_t hash_of(std::string_view text);

}  // namespace trapline::index
