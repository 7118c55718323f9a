#pragma once
// Abbreviation tables (DWARF 5 section 7.5.3), compiled: how to skip a DIE's attributes is a short list of steps, in
// which attributes of fixed size that stand side by side are one.
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "daemon/index/cursor.hpp"

namespace trapline::index {

struct AttributeForm {
  std::uint16_t name = 0;
  std::uint16_t form = 0;
  std::int64_t implicit = 0;  // the value of DW_FORM_implicit_const
};

struct SkipStep {
  enum class Kind : std::uint8_t { fixed, leb, block1, block2, block4, block, string, sibling, origin, other };
  Kind kind = Kind::fixed;
  std::uint16_t form = 0;   // of sibling, origin and other
  std::uint32_t bytes = 0;  // of fixed
};

struct Abbreviation {
  std::uint32_t code = 0;  // 0: none
  std::uint16_t tag = 0;
  bool children = false;
  std::uint32_t first_attribute = 0, attributes = 0;
  std::uint32_t first_step = 0, steps = 0;
};

class AbbreviationTable {
 public:
  // False, and what was read before it kept, at damage. `address_size` and `wide` are the unit's. With `only`, the
  // abbreviation of that code and no other.
  bool read(Data section, std::uint64_t offset, std::uint8_t version, std::uint8_t address_size, bool wide,
            std::uint64_t only = 0);
  const Abbreviation* find(std::uint64_t code) const {
    if (code < dense_.size()) return dense_[code].code != 0 ? &dense_[code] : nullptr;
    const auto found = sparse_.find(code);
    return found == sparse_.end() ? nullptr : &found->second;
  }
  bool has_form(std::uint16_t form) const;  // of any attribute
  const AttributeForm* attributes_of(const Abbreviation& a) const { return attributes_.data() + a.first_attribute; }
  const SkipStep* steps_of(const Abbreviation& a) const { return steps_.data() + a.first_step; }

 private:
  void compile(Abbreviation& abbreviation, std::uint8_t version, std::uint8_t address_size, bool wide);
  std::vector<Abbreviation> dense_;  // by code: compilers number them from 1
  std::unordered_map<std::uint64_t, Abbreviation> sparse_;
  std::vector<AttributeForm> attributes_;
  std::vector<SkipStep> steps_;
};

// Size of a form's value where it does not depend on the value; -1 where it does.
int fixed_size(std::uint16_t form, std::uint8_t version, std::uint8_t address_size, bool wide);
// Any form; DW_FORM_indirect too. An unknown form fails the cursor: nothing behind it can be found.
void skip_form(DataCursor& in, std::uint64_t form, std::uint8_t version, std::uint8_t address_size, bool wide);

// Tables of one reader, the last ones: neighbouring units share them after dwz and link-time optimisation.
class AbbreviationCache {
 public:
  explicit AbbreviationCache(Data section) : section_(section) {}
  using Table = std::shared_ptr<const AbbreviationTable>;  // stays when the cache gives up its slot
  Table at(std::uint64_t offset, std::uint8_t version, std::uint8_t address_size, bool wide);

 private:
  struct Slot {
    std::uint64_t key = ~std::uint64_t{0};
    Table table;
  };
  static constexpr std::size_t slots = 64;
  Data section_;
  Slot slots_[slots];
  std::size_t next_ = 0;
};

}  // namespace trapline::index
