#pragma once
// .debug_line, read by ourselves (DWARF 4 section 6.2, DWARF 5 section 6.2): libdw decodes all rows before it tells a
// file name, and keeps a second copy of them for ever. Header and rows are separate here, because a line breakpoint
// asks every unit "do you mention this file?" and decodes the rows of very few.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace trapline::sym {

struct LineSections {
  std::span<const std::byte> line;
  std::span<const std::byte> line_strings;  // .debug_line_str
  std::span<const std::byte> strings;       // .debug_str
};

struct LineFile {
  std::string_view name;  // as written: absolute, or relative to its directory
  std::uint64_t directory = 0;
  std::string_view md5{};  // 16 bytes; empty: the compiler wrote none
};

struct LineHeader {
  std::uint16_t version = 0;
  bool wide = false;  // the 64-bit DWARF format
  std::uint8_t min_instruction_length = 1;
  bool default_is_statement = true;
  std::int8_t line_base = 0;
  std::uint8_t line_range = 1;
  std::uint8_t opcode_base = 1;
  std::vector<std::uint8_t> operand_counts;  // of standard opcodes 1 .. opcode_base - 1
  // Version 5: index 0 is the compile directory and the primary file. Before: indices begin at 1, 0 is a placeholder
  // here, filled from the unit's DW_AT_comp_dir and DW_AT_name.
  std::vector<std::string_view> directories;
  std::vector<LineFile> files;
  std::size_t program_begin = 0;  // in .debug_line
  std::size_t program_end = 0;
};

// None where the header is damaged or of an unknown version.
std::optional<LineHeader> read_line_header(const LineSections& sections, std::uint64_t offset);

struct RowFlags {
  static constexpr std::uint8_t statement = 1;
  static constexpr std::uint8_t prologue_end = 2;
  static constexpr std::uint8_t epilogue_begin = 4;
};

struct Row {
  std::uint64_t address = 0;
  std::uint32_t line = 0;
  std::uint32_t file = 0;  // index in LineHeader::files
  std::uint16_t column = 0;
  std::uint8_t flags = 0;
};

// A stretch of contiguous code: rows[first, first + count), ascending; the last row reaches to `end`.
struct Sequence {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

struct LineRows {
  std::vector<Row> rows;            // grouped by sequence
  std::vector<Sequence> sequences;  // ascending, disjoint
};

// Runs the program. Sequences that do not begin in code (`is_code`) are those of discarded sections and left out; a
// damaged program gives what came before the damage. Adds files that DW_LNE_define_file names.
LineRows run_line_program(const LineSections& sections, LineHeader& header,
                          const std::function<bool(std::uint64_t)>& is_code);

}  // namespace trapline::sym
