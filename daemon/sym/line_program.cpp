#include "daemon/sym/line_program.hpp"

#include <dwarf.h>

#include <algorithm>

#include "daemon/sym/reader.hpp"

namespace trapline::sym {
namespace {

constexpr std::size_t max_rows = 1U << 26;

std::string_view string_at(std::span<const std::byte> section, std::uint64_t offset) {
  if (offset >= section.size()) return {};
  return Reader(section, offset).c_string();
}

struct EntryFormat {
  std::uint64_t content = 0;
  std::uint64_t form = 0;
};

// One field of a version 5 directory or file entry. `text` or `number` is set; unknown forms fail the reader.
struct Field {
  std::string_view text;
  std::uint64_t number = 0;
};

Field read_field(Reader& in, std::uint64_t form, const LineSections& sections, bool wide) {
  switch (form) {
    case DW_FORM_string: return {.text = in.c_string()};
    case DW_FORM_line_strp: return {.text = string_at(sections.line_strings, in.sized(wide))};
    case DW_FORM_strp: return {.text = string_at(sections.strings, in.sized(wide))};
    case DW_FORM_strp_sup: in.sized(wide); return {.text = "<in a supplementary file>"};
    case DW_FORM_udata: return {.text = {}, .number = in.uleb()};
    case DW_FORM_data1: return {.text = {}, .number = in.u8()};
    case DW_FORM_data2: return {.text = {}, .number = in.u16()};
    case DW_FORM_data4: return {.text = {}, .number = in.u32()};
    case DW_FORM_data8: return {.text = {}, .number = in.u64()};
    case DW_FORM_data16: return {.text = in.bytes(16)};
    case DW_FORM_block: in.skip(in.uleb()); return {};
    case DW_FORM_block1: in.skip(in.u8()); return {};
    default: in.fail(); return {};
  }
}

// The version 5 tables: a description of the fields, then the entries. `take(path, directory)` gets each.
template <class Take>
bool read_entries(Reader& in, const LineSections& sections, bool wide, Take take) {
  std::vector<EntryFormat> formats(in.u8());
  for (auto& format : formats) format = {in.uleb(), in.uleb()};
  const std::uint64_t count = in.uleb();
  // Each entry takes at least a byte: a count that cannot be true ends here and not in an endless loop.
  if (!in.ok() || count > in.left() || (formats.empty() && count > 0)) return false;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    LineFile entry;
    const std::size_t before = in.offset();
    for (const auto& format : formats) {
      const Field field = read_field(in, format.form, sections, wide);
      if (format.content == DW_LNCT_path) entry.name = field.text;
      if (format.content == DW_LNCT_MD5 && format.form == DW_FORM_data16) entry.md5 = field.text;
      if (format.content == DW_LNCT_directory_index) entry.directory = field.number;
    }
    if (in.offset() == before) return false;
    take(entry);
  }
  return in.ok();
}

bool read_old_tables(Reader& in, LineHeader& header) {
  header.directories.emplace_back();
  header.files.emplace_back();
  while (in.ok()) {
    const auto name = in.c_string();
    if (name.empty()) break;
    header.directories.push_back(name);
  }
  while (in.ok()) {
    const auto name = in.c_string();
    if (name.empty()) break;
    const auto directory = in.uleb();
    in.uleb();  // time of last change
    in.uleb();  // length
    header.files.push_back({name, directory});
  }
  return in.ok();
}

}  // namespace

std::optional<LineHeader> read_line_header(const LineSections& sections, std::uint64_t offset) {
  if (offset >= sections.line.size()) return std::nullopt;
  Reader in(sections.line, offset);
  LineHeader header;
  std::uint64_t length = in.u32();
  if (length == 0xffffffffU) {
    header.wide = true;
    length = in.u64();
  } else if (length >= 0xfffffff0U) {
    return std::nullopt;  // reserved
  }
  if (!in.ok() || length > in.left()) return std::nullopt;
  header.program_end = in.offset() + length;
  header.version = in.u16();
  if (header.version < 2 || header.version > 5) return std::nullopt;
  if (header.version >= 5) in.skip(2);  // address size, segment selector size
  const std::uint64_t header_length = in.sized(header.wide);
  if (!in.ok() || header_length > header.program_end - in.offset()) return std::nullopt;
  header.program_begin = in.offset() + header_length;
  header.min_instruction_length = in.u8();
  if (header.version >= 4) in.u8();  // operations per instruction: 1 on machines that are no VLIW
  header.default_is_statement = in.u8() != 0;
  header.line_base = static_cast<std::int8_t>(in.u8());
  header.line_range = in.u8();
  header.opcode_base = in.u8();
  if (!in.ok() || header.line_range == 0 || header.opcode_base == 0) return std::nullopt;
  for (int opcode = 1; opcode < header.opcode_base; ++opcode) header.operand_counts.push_back(in.u8());

  Reader tables(sections.line.first(header.program_begin), in.offset());
  if (!in.ok() || in.offset() > header.program_begin) return std::nullopt;
  if (header.version < 5) {
    if (!read_old_tables(tables, header)) return std::nullopt;
    return header;
  }
  const bool read =
      read_entries(tables, sections, header.wide,
                   [&](const LineFile& entry) { header.directories.push_back(entry.name); }) &&
      read_entries(tables, sections, header.wide, [&](const LineFile& entry) { header.files.push_back(entry); });
  return read ? std::optional(std::move(header)) : std::nullopt;
}

namespace {

// The state machine of section 6.2.2.
class Machine {
 public:
  Machine(LineHeader& header, const std::function<bool(std::uint64_t)>& is_code, LineRows& out)
      : header_(header), is_code_(is_code), out_(out) {
    reset();
  }

  void run(Reader& in) {
    while (in.ok() && !in.at_end() && out_.rows.size() < max_rows) {
      const std::uint8_t opcode = in.u8();
      if (opcode >= header_.opcode_base) {
        special(opcode);
      } else if (opcode == 0) {
        extended(in);
      } else {
        standard(in, opcode);
      }
    }
    out_.rows.resize(sequence_begin_);  // a sequence without an end is damage
  }

 private:
  void reset() {
    row_ = {.address = 0,
            .line = 1,
            .file = 1,
            .column = 0,
            .flags = header_.default_is_statement ? RowFlags::statement : std::uint8_t{0}};
    sequence_begin_ = out_.rows.size();
  }

  void emit() {
    out_.rows.push_back(row_);
    row_.flags &= RowFlags::statement;
  }

  void special(std::uint8_t opcode) {
    const unsigned adjusted = opcode - header_.opcode_base;
    row_.address += std::uint64_t{adjusted / header_.line_range} * header_.min_instruction_length;
    row_.line += static_cast<std::uint32_t>(header_.line_base + static_cast<int>(adjusted % header_.line_range));
    emit();
  }

  void standard(Reader& in, std::uint8_t opcode) {
    switch (opcode) {
      case DW_LNS_copy: emit(); return;
      case DW_LNS_advance_pc: row_.address += in.uleb() * header_.min_instruction_length; return;
      case DW_LNS_advance_line: row_.line += static_cast<std::uint32_t>(in.sleb()); return;
      case DW_LNS_set_file: row_.file = static_cast<std::uint32_t>(in.uleb()); return;
      case DW_LNS_set_column:
        row_.column = static_cast<std::uint16_t>(std::min<std::uint64_t>(in.uleb(), 0xffff));
        return;
      case DW_LNS_negate_stmt: row_.flags ^= RowFlags::statement; return;
      case DW_LNS_const_add_pc:
        row_.address +=
            std::uint64_t{(255U - header_.opcode_base) / header_.line_range} * header_.min_instruction_length;
        return;
      case DW_LNS_fixed_advance_pc: row_.address += in.u16(); return;
      case DW_LNS_set_prologue_end: row_.flags |= RowFlags::prologue_end; return;
      case DW_LNS_set_epilogue_begin: row_.flags |= RowFlags::epilogue_begin; return;
      default:  // basic_block, set_isa, and what later versions add
        for (int i = 0; i < header_.operand_counts[opcode - 1U]; ++i) in.uleb();
        return;
    }
  }

  void extended(Reader& in) {
    const std::uint64_t length = in.uleb();
    if (!in.ok() || length > in.left()) return in.fail();
    if (length == 0) return;
    const std::size_t end = in.offset() + length;
    switch (in.u8()) {
      case DW_LNE_end_sequence: end_sequence(); break;
      case DW_LNE_set_address: row_.address = length >= 9 ? in.u64() : in.u32(); break;
      case DW_LNE_define_file: {
        const auto name = in.c_string();
        header_.files.push_back({name, in.uleb()});
        break;
      }
      default: break;  // set_discriminator, vendors' own
    }
    if (in.offset() > end) return in.fail();
    in.skip(end - in.offset());
  }

  void end_sequence() {
    const auto first = out_.rows.begin() + static_cast<std::ptrdiff_t>(sequence_begin_);
    // Rows must ascend (6.2.5.1), and nearly always do.
    if (!std::ranges::is_sorted(first, out_.rows.end(), {}, &Row::address))
      std::ranges::stable_sort(first, out_.rows.end(), {}, &Row::address);
    const bool usable = first != out_.rows.end() && row_.address > first->address &&
                        out_.rows.back().address <= row_.address && is_code_(first->address);
    if (usable) {
      out_.sequences.push_back({.begin = first->address,
                                .end = row_.address,
                                .first = static_cast<std::uint32_t>(sequence_begin_),
                                .count = static_cast<std::uint32_t>(out_.rows.size() - sequence_begin_)});
    } else {
      out_.rows.resize(sequence_begin_);
    }
    reset();
  }

  LineHeader& header_;
  const std::function<bool(std::uint64_t)>& is_code_;
  LineRows& out_;
  Row row_;
  std::size_t sequence_begin_ = 0;
};

}  // namespace

LineRows run_line_program(const LineSections& sections, LineHeader& header,
                          const std::function<bool(std::uint64_t)>& is_code) {
  LineRows out;
  if (header.program_end > sections.line.size()) return out;
  Reader in(sections.line.first(header.program_end), header.program_begin);
  Machine(header, is_code, out).run(in);
  std::ranges::stable_sort(out.sequences, {}, &Sequence::begin);
  // Overlaps are damage, or a discarded section whose address was taken for a real one: the first one stays.
  std::uint64_t reached = 0;
  std::erase_if(out.sequences, [&](const Sequence& s) {
    if (s.begin < reached) return true;
    reached = s.end;
    return false;
  });
  out.rows.shrink_to_fit();
  return out;
}

}  // namespace trapline::sym
