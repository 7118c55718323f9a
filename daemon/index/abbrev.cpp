#include "daemon/index/abbrev.hpp"

#include <algorithm>
#include <utility>

#include "daemon/index/dwarf_codes.hpp"

namespace trapline::index {
namespace {

constexpr std::uint64_t largest_code = 1 << 24;
constexpr std::uint64_t dense_codes = 1 << 16;
constexpr std::size_t most_attributes = 1 << 22;

void skip_attributes(DataCursor& in) {
  while (in.ok()) {
    const std::uint64_t name = in.uleb(), form = in.uleb();
    if (form == dw::form_implicit_const) in.skip_leb();
    if (name == 0 && form == 0) return;
  }
}

}  // namespace

bool AbbreviationTable::has_form(std::uint16_t form) const {
  return std::ranges::find(attributes_, form, &AttributeForm::form) != attributes_.end();
}

int fixed_size(std::uint16_t form, std::uint8_t version, std::uint8_t address_size, bool wide) {
  const int offset = wide ? 8 : 4;
  switch (form) {
    case dw::form_flag_present:
    case dw::form_implicit_const: return 0;
    case dw::form_data1:
    case dw::form_flag:
    case dw::form_ref1:
    case dw::form_strx1:
    case dw::form_addrx1: return 1;
    case dw::form_data2:
    case dw::form_ref2:
    case dw::form_strx2:
    case dw::form_addrx2: return 2;
    case dw::form_strx3:
    case dw::form_addrx3: return 3;
    case dw::form_data4:
    case dw::form_ref4:
    case dw::form_strx4:
    case dw::form_addrx4:
    case dw::form_ref_sup4: return 4;
    case dw::form_data8:
    case dw::form_ref8:
    case dw::form_ref_sig8:
    case dw::form_ref_sup8: return 8;
    case dw::form_data16: return 16;
    case dw::form_addr: return address_size;
    case dw::form_ref_addr: return version <= 2 ? address_size : offset;  // DWARF 2 section 7.5.4
    case dw::form_strp:
    case dw::form_line_strp:
    case dw::form_strp_sup:
    case dw::form_sec_offset:
    case dw::form_gnu_ref_alt:
    case dw::form_gnu_strp_alt: return offset;
    default: return -1;
  }
}

void skip_form(DataCursor& in, std::uint64_t form, std::uint8_t version, std::uint8_t address_size, bool wide) {
  for (int nested = 0; form == dw::form_indirect; form = in.uleb())
    if (++nested > 4) return in.fail();
  if (form > 0xffff) return in.fail();
  const int fixed = fixed_size(static_cast<std::uint16_t>(form), version, address_size, wide);
  if (fixed >= 0) return in.skip(static_cast<std::uint64_t>(fixed));
  switch (form) {
    case dw::form_sdata:
    case dw::form_udata:
    case dw::form_ref_udata:
    case dw::form_strx:
    case dw::form_addrx:
    case dw::form_loclistx:
    case dw::form_rnglistx:
    case dw::form_gnu_addr_index:
    case dw::form_gnu_str_index: return in.skip_leb();
    case dw::form_block1: return in.skip(in.u8());
    case dw::form_block2: return in.skip(in.u16());
    case dw::form_block4: return in.skip(in.u32());
    case dw::form_block:
    case dw::form_exprloc: return in.skip(in.uleb());
    case dw::form_string: in.c_string(); return;
    default: return in.fail();
  }
}

void AbbreviationTable::compile(Abbreviation& a, std::uint8_t version, std::uint8_t address_size, bool wide) {
  using Kind = SkipStep::Kind;
  a.first_step = static_cast<std::uint32_t>(steps_.size());
  for (std::uint32_t i = 0; i < a.attributes; ++i) {
    const AttributeForm& attribute = attributes_[a.first_attribute + i];
    const auto form = attribute.form;
    if (attribute.name == dw::at_sibling || attribute.name == dw::at_abstract_origin) {
      steps_.push_back({attribute.name == dw::at_sibling ? Kind::sibling : Kind::origin, form, 0});
      continue;
    }
    const int fixed = fixed_size(form, version, address_size, wide);
    if (fixed == 0) continue;
    if (fixed > 0) {
      if (steps_.size() > a.first_step && steps_.back().kind == Kind::fixed)
        steps_.back().bytes += static_cast<std::uint32_t>(fixed);
      else
        steps_.push_back({Kind::fixed, 0, static_cast<std::uint32_t>(fixed)});
      continue;
    }
    Kind kind = Kind::other;
    switch (form) {
      case dw::form_sdata:
      case dw::form_udata:
      case dw::form_ref_udata:
      case dw::form_strx:
      case dw::form_addrx:
      case dw::form_loclistx:
      case dw::form_rnglistx: kind = Kind::leb; break;
      case dw::form_block1: kind = Kind::block1; break;
      case dw::form_block2: kind = Kind::block2; break;
      case dw::form_block4: kind = Kind::block4; break;
      case dw::form_block:
      case dw::form_exprloc: kind = Kind::block; break;
      case dw::form_string: kind = Kind::string; break;
      default: break;
    }
    steps_.push_back({kind, form, 0});
  }
  a.steps = static_cast<std::uint32_t>(steps_.size()) - a.first_step;
}

bool AbbreviationTable::read(Data section, std::uint64_t offset, std::uint8_t version, std::uint8_t address_size,
                             bool wide, std::uint64_t only) {
  DataCursor in(section, offset);
  while (in.ok() && !in.at_end()) {
    const std::uint64_t code = in.uleb();
    if (code == 0) return in.ok();
    if (only != 0 && code != only) {
      in.skip_leb();
      in.skip(1);
      skip_attributes(in);
      continue;
    }
    Abbreviation a;
    a.code = static_cast<std::uint32_t>(code);
    a.tag = static_cast<std::uint16_t>(std::min<std::uint64_t>(in.uleb(), 0xffff));
    a.children = in.u8() != 0;
    a.first_attribute = static_cast<std::uint32_t>(attributes_.size());
    for (;;) {
      const std::uint64_t name = in.uleb(), form = in.uleb();
      if (!in.ok() || code > largest_code || attributes_.size() > most_attributes) return false;
      if (name == 0 && form == 0) break;
      AttributeForm attribute{.name = static_cast<std::uint16_t>(std::min<std::uint64_t>(name, 0xffff)),
                              .form = static_cast<std::uint16_t>(std::min<std::uint64_t>(form, 0xffff))};
      if (form == dw::form_implicit_const) attribute.implicit = in.sleb();
      attributes_.push_back(attribute);
    }
    a.attributes = static_cast<std::uint32_t>(attributes_.size()) - a.first_attribute;
    compile(a, version, address_size, wide);
    if (code < dense_codes) {
      if (code >= dense_.size()) dense_.resize(code + 1);
      dense_[code] = a;
    } else {
      sparse_.insert_or_assign(code, a);
    }
    if (code == only) return in.ok();
  }
  return in.ok();
}

AbbreviationCache::Table AbbreviationCache::at(std::uint64_t offset, std::uint8_t version, std::uint8_t address_size,
                                               bool wide) {
  const std::uint64_t key =
      (offset << 8) ^ (std::uint64_t{version} << 4) ^ (address_size == 8 ? 2U : 0U) ^ (wide ? 1U : 0U);
  for (auto& slot : slots_)
    if (slot.table && slot.key == key) return slot.table;
  auto& slot = slots_[next_++ % slots];
  slot.key = key;
  auto table = std::make_shared<AbbreviationTable>();
  table->read(section_, offset, version, address_size, wide);
  slot.table = std::move(table);
  return slot.table;
}

}  // namespace trapline::index
