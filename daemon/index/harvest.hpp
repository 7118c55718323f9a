#pragma once
// What a scan of units finds: names, scopes, entries, inlined calls, address ranges, source files. Everything that
// repeats from unit to unit (types of headers, above all) is kept once. One per thread; merged by the builder.
#include <xxhash.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace trapline::index {

enum class Kind : std::uint8_t {
  function,  // has code
  inlined,   // the abstract root of inlined calls
  type,
  variable,
  enumerator,
  scope,  // a namespace or module
  // Declarations without a definition in that unit; kept once for all units.
  declared_function,
  declared_variable,
  declared_type,
};
inline constexpr std::uint8_t last_kind = static_cast<std::uint8_t>(Kind::declared_type);

inline constexpr std::uint32_t no_scope = 0xffffffff;       // at file scope
inline constexpr std::uint32_t unknown_scope = 0xfffffffe;  // the tree around it could not be read

// Open addressing from two words to an index; the table grows at half full.
class FlatMap {
 public:
  // The value kept for the key, or `fresh` where it is new.
  std::uint32_t put(std::uint64_t a, std::uint64_t b, std::uint32_t fresh, bool& inserted) {
    if (used_ * 2 >= slots_.size()) grow();
    for (std::size_t i = hash(a, b) & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      Slot& slot = slots_[i];
      if (!slot.taken) {
        slot = {a, b, fresh, true};
        ++used_;
        inserted = true;
        return fresh;
      }
      if (slot.a == a && slot.b == b) {
        inserted = false;
        return slot.value;
      }
    }
  }

  // Of a key that is there.
  void set(std::uint64_t a, std::uint64_t b, std::uint32_t value) {
    for (std::size_t i = hash(a, b) & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1))
      if (!slots_[i].taken || (slots_[i].a == a && slots_[i].b == b)) {
        slots_[i].value = value;
        return;
      }
  }

 private:
  struct Slot {
    std::uint64_t a = 0, b = 0;
    std::uint32_t value = 0;
    bool taken = false;
  };
  static std::size_t hash(std::uint64_t a, std::uint64_t b) {
    std::uint64_t x = a * 0x9e3779b97f4a7c15ULL ^ (b + 0x7f4a7c159e3779b9ULL) * 0xc2b2ae3d27d4eb4fULL;
    return static_cast<std::size_t>(x ^ (x >> 29));
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 1024 : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (!slot.taken) continue;
      std::size_t i = hash(slot.a, slot.b) & (slots_.size() - 1);
      while (slots_[i].taken) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = slot;
    }
  }
  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

// Each text once. Views of sections are kept as they are; made-up text is owned.
class StringPool {
 public:
  std::uint32_t of(std::string_view text) {
    const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
    hashed_ += text.size();
    bool fresh = false;
    const auto id = by_text_.put(hash.low64, hash.high64, static_cast<std::uint32_t>(texts_.size()), fresh);
    if (fresh) texts_.push_back(text);
    return id;
  }
  // For text of a string section: the same address is the same text, which spares most of the hashing.
  std::uint32_t of_section(std::string_view text) {
    bool fresh = false;
    const auto address = reinterpret_cast<std::uintptr_t>(text.data());
    const auto slot = by_address_.put(address, text.size(), static_cast<std::uint32_t>(ids_.size()), fresh);
    if (fresh) ids_.push_back(of(text));
    return ids_[slot];
  }
  std::uint32_t own(std::string text) {
    const auto before = texts_.size();
    const auto id = of(text);
    if (texts_.size() != before) texts_[id] = owned_.emplace_back(std::move(text));
    return id;
  }
  std::string_view text(std::uint32_t id) const { return texts_[id]; }
  std::size_t size() const { return texts_.size(); }
  std::uint64_t hashed_bytes() const { return hashed_; }  // of all texts that were looked at

 private:
  FlatMap by_text_, by_address_;
  std::vector<std::string_view> texts_;
  std::vector<std::uint32_t> ids_;
  std::deque<std::string> owned_;
  std::uint64_t hashed_ = 0;
};

struct ScopeRecord {
  std::uint32_t parent = no_scope;
  std::uint32_t name = 0;
  std::uint16_t tag = 0;
};

struct EntryRecord {
  std::uint32_t name = 0;
  std::uint32_t scope = no_scope;
  std::uint32_t unit = 0;
  std::uint32_t die = 0;  // offset from the unit's header
  std::uint16_t tag = 0;
  Kind kind = Kind::function;
};

struct InstanceRecord {  // an inlined call: both are offsets in .debug_info
  std::uint32_t origin = 0;
  std::uint32_t die = 0;
};

struct RangeRecord {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint32_t unit = 0;
};

struct FileRecord {  // a line table mentions a file
  std::uint32_t path = 0;
  std::uint32_t unit = 0;  // the first one with that table
};

struct Harvest {
  StringPool strings;
  std::vector<ScopeRecord> scopes;
  std::vector<EntryRecord> entries;
  std::vector<InstanceRecord> instances, alternate_instances;  // of the second, the origins lie in the dwz file
  std::vector<RangeRecord> ranges;
  std::vector<FileRecord> files;
  FlatMap known_scopes, known_entries, known_classes;
};

}  // namespace trapline::index
