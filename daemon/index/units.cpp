#include "daemon/index/units.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/index/dwarf_codes.hpp"

namespace trapline::index {
namespace {

constexpr std::size_t most_ranges = 1 << 20;

// The two escapes that begin a length (DWARF 5 section 7.4). False: reserved, or it leads out of the section.
bool read_length(DataCursor& in, std::uint64_t& length, bool& wide) {
  length = in.u32();
  wide = length == 0xffffffff;
  if (wide) length = in.u64();
  return in.ok() && (wide || length < 0xfffffff0) && length <= in.left();
}

}  // namespace

std::vector<UnitHead> read_unit_heads(Data section, bool in_types, std::string& problem, std::uint64_t from,
                                      std::size_t most) {
  std::vector<UnitHead> heads;
  DataCursor in(section, from);
  for (std::size_t i = 0; i < most && !in.at_end(); ++i) {
    UnitHead head{.offset = in.offset(), .in_types = in_types};
    std::uint64_t length = 0;
    if (!read_length(in, length, head.wide)) {
      problem = fmt::format("the unit at {:#x} reaches out of its section; {} before it were read", head.offset,
                            heads.size());
      break;
    }
    head.end = in.offset() + length;
    DataCursor inner(section.first(head.end), in.offset());
    head.version = inner.u16();
    head.type = in_types ? dw::ut_type : dw::ut_compile;
    if (head.version >= 5) {
      head.type = inner.u8();
      head.address_size = inner.u8();
      head.abbreviations = inner.sized(head.wide);
      if (head.type == dw::ut_skeleton || head.type == dw::ut_split_compile) inner.skip(8);
    } else {
      head.abbreviations = inner.sized(head.wide);
      head.address_size = inner.u8();
    }
    if (head.type == dw::ut_type || head.type == dw::ut_split_type) inner.skip(head.wide ? 16 : 12);
    head.first_die = inner.offset();
    const bool known = head.version >= 2 && head.version <= 5 && (head.address_size == 8 || head.address_size == 4);
    if (inner.ok() && known) heads.push_back(head);
    in.go_forward_to(head.end);
  }
  return heads;
}

UnitReader::UnitReader(const Sections& sections, const Sections* alternate, const UnitHead& head,
                       const AbbreviationTable& abbreviations)
    : sections_(&sections), alternate_(alternate), head_(head), abbreviations_(&abbreviations) {
  read_root();
}

DataCursor UnitReader::cursor(std::uint64_t at) const {
  const Data bytes = section();
  return DataCursor(bytes.first(std::min<std::uint64_t>(head_.end, bytes.size())), at);
}

void UnitReader::read_root() {
  DataCursor in = cursor(head_.first_die);
  const Abbreviation* abbreviation = abbreviations_->find(in.uleb());
  if (!abbreviation || !in.ok()) {
    root_.damaged = true;
    return;
  }
  root_.tag = abbreviation->tag;
  const AttributeForm* attributes = abbreviations_->attributes_of(*abbreviation);
  // Strings and addresses may be indices on bases that stand behind them: two rounds.
  for (const bool bases : {true, false}) {
    DataCursor at = in;
    bool high_is_size = false;
    for (std::uint32_t i = 0; i < abbreviation->attributes && at.ok(); ++i) {
      const AttributeForm& attribute = attributes[i];
      if (bases) {
        switch (attribute.name) {
          case dw::at_str_offsets_base: root_.str_offsets_base = constant(at, attribute); continue;
          case dw::at_addr_base:
          case dw::at_gnu_addr_base: root_.addr_base = constant(at, attribute); continue;
          case dw::at_rnglists_base: root_.rnglists_base = constant(at, attribute); continue;
          default: skip(at, attribute.form); continue;
        }
      }
      switch (attribute.name) {
        case dw::at_name: root_.name = text(at, attribute); break;
        case dw::at_comp_dir: root_.folder = text(at, attribute); break;
        case dw::at_producer: root_.producer = text(at, attribute); break;
        case dw::at_language: root_.language = static_cast<std::uint32_t>(constant(at, attribute)); break;
        case dw::at_stmt_list: root_.line_offset = constant(at, attribute); break;
        case dw::at_low_pc: root_.low_pc = address(at, attribute); break;
        case dw::at_high_pc:
          high_is_size = attribute.form != dw::form_addr && attribute.form != dw::form_addrx &&
                         !(attribute.form >= dw::form_addrx1 && attribute.form <= dw::form_addrx4);
          root_.high_pc = high_is_size ? constant(at, attribute) : address(at, attribute).value_or(0);
          break;
        case dw::at_ranges:
          root_.ranges_indexed = attribute.form == dw::form_rnglistx;
          root_.ranges = constant(at, attribute);
          break;
        case dw::at_dwo_name:
        case dw::at_gnu_dwo_name:
          root_.split = true;
          skip(at, attribute.form);
          break;
        default: skip(at, attribute.form);
      }
    }
    if (!at.ok()) root_.damaged = true;
    if (high_is_size) root_.high_pc += root_.low_pc.value_or(0);
  }
  if (head_.type == dw::ut_skeleton) root_.split = true;
}

std::string_view UnitReader::string_indexed(std::uint64_t index) const {
  const std::uint64_t size = head_.wide ? 8 : 4;
  // Before DWARF 5 (GNU split units) the table has no header.
  const std::uint64_t base = root_.str_offsets_base.value_or(head_.version >= 5 ? (head_.wide ? 16 : 8) : 0);
  std::uint64_t at = 0;
  if (__builtin_mul_overflow(index, size, &at) || __builtin_add_overflow(at, base, &at)) return {};
  DataCursor in(sections_->str_offsets, at);
  const std::uint64_t offset = in.sized(head_.wide);
  return in.ok() ? string_at(sections_->str, offset) : std::string_view{};
}

std::optional<std::uint64_t> UnitReader::address_indexed(std::uint64_t index) const {
  std::uint64_t at = 0;
  if (!root_.addr_base || __builtin_mul_overflow(index, std::uint64_t{head_.address_size}, &at) ||
      __builtin_add_overflow(at, *root_.addr_base, &at))
    return std::nullopt;
  DataCursor in(sections_->addr, at);
  const std::uint64_t found = in.sized(head_.address_size == 8);
  return in.ok() ? std::optional(found) : std::nullopt;
}

std::string_view UnitReader::text(DataCursor& in, const AttributeForm& attribute) const {
  switch (attribute.form) {
    case dw::form_string: return in.c_string();
    case dw::form_strp: return string_at(sections_->str, in.sized(head_.wide));
    case dw::form_line_strp: return string_at(sections_->line_str, in.sized(head_.wide));
    case dw::form_strp_sup:
    case dw::form_gnu_strp_alt: {
      const std::uint64_t offset = in.sized(head_.wide);
      return alternate_ ? string_at(alternate_->str, offset) : std::string_view{};
    }
    case dw::form_strx:
    case dw::form_gnu_str_index: return string_indexed(in.uleb());
    case dw::form_strx1: return string_indexed(in.u8());
    case dw::form_strx2: return string_indexed(in.u16());
    case dw::form_strx3: return string_indexed(in.u24());
    case dw::form_strx4: return string_indexed(in.u32());
    default: skip(in, attribute.form); return {};
  }
}

std::uint64_t UnitReader::constant(DataCursor& in, const AttributeForm& attribute) const {
  switch (attribute.form) {
    case dw::form_flag_present: return 1;
    case dw::form_implicit_const: return static_cast<std::uint64_t>(attribute.implicit);
    case dw::form_flag:
    case dw::form_data1: return in.u8();
    case dw::form_data2: return in.u16();
    case dw::form_data4: return in.u32();
    case dw::form_data8: return in.u64();
    case dw::form_sdata: return static_cast<std::uint64_t>(in.sleb());
    case dw::form_udata:
    case dw::form_rnglistx:
    case dw::form_loclistx: return in.uleb();
    case dw::form_sec_offset: return in.sized(head_.wide);
    default: skip(in, attribute.form); return 0;
  }
}

std::optional<std::uint64_t> UnitReader::address(DataCursor& in, const AttributeForm& attribute) const {
  switch (attribute.form) {
    case dw::form_addr: return in.sized(head_.address_size == 8);
    case dw::form_addrx:
    case dw::form_gnu_addr_index: return address_indexed(in.uleb());
    case dw::form_addrx1: return address_indexed(in.u8());
    case dw::form_addrx2: return address_indexed(in.u16());
    case dw::form_addrx3: return address_indexed(in.u24());
    case dw::form_addrx4: return address_indexed(in.u32());
    default: skip(in, attribute.form); return std::nullopt;
  }
}

UnitReader::Reference UnitReader::reference(DataCursor& in, const AttributeForm& attribute) const {
  using Where = Reference::Where;
  const auto inside = [&](std::uint64_t value) {
    std::uint64_t offset = 0;
    return __builtin_add_overflow(value, head_.offset, &offset) ? Reference{} : Reference{offset, Where::here};
  };
  switch (attribute.form) {
    case dw::form_ref1: return inside(in.u8());
    case dw::form_ref2: return inside(in.u16());
    case dw::form_ref4: return inside(in.u32());
    case dw::form_ref8: return inside(in.u64());
    case dw::form_ref_udata: return inside(in.uleb());
    case dw::form_ref_addr: {
      const bool eight = head_.version <= 2 ? head_.address_size == 8 : head_.wide;
      return {in.sized(eight), Where::here};
    }
    case dw::form_ref_sup4: return {in.u32(), Where::alternate};
    case dw::form_ref_sup8: return {in.u64(), Where::alternate};
    case dw::form_gnu_ref_alt: return {in.sized(head_.wide), Where::alternate};
    default: skip(in, attribute.form); return {};
  }
}

std::size_t UnitReader::each_old_range(std::uint64_t offset, const TakeRange& take) const {
  const bool eight = head_.address_size == 8;
  const std::uint64_t select_base = eight ? ~std::uint64_t{0} : 0xffffffff;
  std::uint64_t base = root_.low_pc.value_or(0);
  DataCursor in(sections_->ranges, offset);
  std::size_t read = 0;
  while (read < most_ranges && in.ok()) {
    const std::uint64_t begin = in.sized(eight), end = in.sized(eight);
    ++read;
    if (!in.ok() || (begin == 0 && end == 0)) break;
    if (begin == select_base)
      base = end;
    else if (begin < end && !take(base + begin, base + end))
      break;
  }
  return read;
}

std::size_t UnitReader::each_range(std::uint64_t offset, bool indexed, const TakeRange& take) const {
  if (head_.version < 5) return each_old_range(offset, take);
  const bool eight = head_.address_size == 8;
  if (indexed) {
    const std::uint64_t base = root_.rnglists_base.value_or(head_.wide ? 20 : 12);
    std::uint64_t at = 0;
    if (__builtin_mul_overflow(offset, std::uint64_t{head_.wide ? 8U : 4U}, &at) ||
        __builtin_add_overflow(at, base, &at))
      return 1;
    DataCursor in(sections_->rnglists, at);
    const std::uint64_t relative = in.sized(head_.wide);
    if (!in.ok() || __builtin_add_overflow(base, relative, &offset)) return 1;
  }
  std::uint64_t base = root_.low_pc.value_or(0);
  DataCursor in(sections_->rnglists, offset);
  const auto indexed_address = [&] { return address_indexed(in.uleb()).value_or(0); };
  std::size_t read = 0;
  while (read < most_ranges && in.ok()) {
    ++read;
    std::uint64_t begin = 0, end = 0;
    switch (in.u8()) {
      case dw::rle_base_addressx: base = indexed_address(); continue;
      case dw::rle_base_address: base = in.sized(eight); continue;
      case dw::rle_startx_endx:
        begin = indexed_address();
        end = indexed_address();
        break;
      case dw::rle_startx_length:
        begin = indexed_address();
        end = begin + in.uleb();
        break;
      case dw::rle_offset_pair:
        begin = base + in.uleb();
        end = base + in.uleb();
        break;
      case dw::rle_start_end:
        begin = in.sized(eight);
        end = in.sized(eight);
        break;
      case dw::rle_start_length:
        begin = in.sized(eight);
        end = begin + in.uleb();
        break;
      default: return read;  // the end, or what nobody knows
    }
    if (in.ok() && begin < end && !take(begin, end)) break;
  }
  return read;
}

void each_arange(Data section, const std::function<void(std::uint64_t, std::uint64_t, std::uint64_t)>& take) {
  DataCursor in(section);
  while (!in.at_end()) {
    const std::uint64_t begin_of_set = in.offset();
    std::uint64_t length = 0;
    bool wide = false;
    if (!read_length(in, length, wide)) return;
    const std::uint64_t end_of_set = in.offset() + length;
    DataCursor set(section.first(end_of_set), in.offset());
    const std::uint16_t version = set.u16();
    const std::uint64_t unit = set.sized(wide);
    const std::uint8_t address_size = set.u8(), segment_size = set.u8();
    if (set.ok() && version == 2 && (address_size == 4 || address_size == 8) && segment_size == 0) {
      const std::uint64_t tuple = 2U * address_size;
      set.skip((tuple - (set.offset() - begin_of_set) % tuple) % tuple);
      while (set.left() >= tuple) {
        const std::uint64_t begin = set.sized(address_size == 8), size = set.sized(address_size == 8);
        std::uint64_t end = 0;
        if (begin == 0 && size == 0) break;
        if (size != 0 && !__builtin_add_overflow(begin, size, &end)) take(unit, begin, end);
      }
    }
    in.go_forward_to(end_of_set);
  }
}

bool in_code(const std::vector<CodeRange>& code, std::uint64_t at) {
  return std::ranges::any_of(code, [&](const CodeRange& range) { return range.begin <= at && at < range.end; });
}

}  // namespace trapline::index
