// Lines by address: single rows, stretches of rows, and where a function's body begins.
#include <algorithm>
#include <array>
#include <set>

#include "daemon/sym/debug_info.hpp"
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/elf_file.hpp"
#include "daemon/sym/functions.hpp"
#include "daemon/sym/symbols.hpp"

namespace trapline::sym {
namespace {

const Sequence* sequence_at(const LineRows& rows, std::uint64_t at) {
  auto next = std::ranges::upper_bound(rows.sequences, at, {}, &Sequence::begin);
  if (next == rows.sequences.begin()) return nullptr;
  --next;
  return at < next->end ? &*next : nullptr;
}

std::span<const Row> rows_of(const LineRows& rows, const Sequence& sequence) {
  return std::span(rows.rows).subspan(sequence.first, sequence.count);
}

// Where the code of row `i` ends: the next row's address, or the end of the sequence.
std::uint64_t end_of_row(std::span<const Row> rows, std::size_t i, const Sequence& sequence) {
  return i + 1 < rows.size() ? rows[i + 1].address : sequence.end;
}

LineRow to_line_row(DebugInfo& info, LineTable& table, const Row& row, std::uint64_t end) {
  return {.address = row.address,
          .end = end,
          .file = info.path(table, row.file),
          .line = {row.line},
          .column = row.column,
          .is_statement = (row.flags & RowFlags::statement) != 0,
          .prologue_end = (row.flags & RowFlags::prologue_end) != 0,
          .epilogue_begin = (row.flags & RowFlags::epilogue_begin) != 0};
}

// Length of `endbr64; push rbp; mov rbp, rsp` (or a part of it that sets up the frame) at the function's first bytes.
std::size_t frame_setup_length(std::span<const std::byte> code) {
  std::size_t at = 0;
  const auto skip = [&](std::initializer_list<unsigned> bytes) {
    if (code.size() - at < bytes.size()) return false;
    std::size_t i = at;
    for (const unsigned b : bytes)
      if (std::to_integer<unsigned>(code[i++]) != b) return false;
    at = i;
    return true;
  };
  skip({0xf3, 0x0f, 0x1e, 0xfa});                                       // endbr64
  if (!skip({0x55})) return 0;                                          // push rbp
  if (skip({0x48, 0x89, 0xe5}) || skip({0x48, 0x8b, 0xec})) return at;  // mov rbp, rsp: two encodings
  return 0;
}

}  // namespace

std::optional<LineRow> ElfModule::line_at(std::uint64_t at) const {
  const Unit* unit = debug_info() ? debug_->unit_at(at) : nullptr;
  LineTable* table = unit ? debug_->lines(*unit) : nullptr;
  if (!table) return std::nullopt;
  const LineRows& all = debug_->rows(*table);
  const Sequence* sequence = sequence_at(all, at);
  if (!sequence) return std::nullopt;
  const auto rows = rows_of(all, *sequence);
  const auto next = std::ranges::upper_bound(rows, at, {}, &Row::address);
  auto i = static_cast<std::size_t>(next - rows.begin()) - 1;
  const std::uint64_t end = end_of_row(rows, i, *sequence);
  // Of several rows for one address the last one says whose instruction stands there. A thread that has just arrived at
  // it, however, has reached the statement that begins there, even where none of its own code does: what a breakpoint's
  // stop or the end of a step shows.
  for (std::size_t j = i; rows[i].address == at && (rows[i].flags & RowFlags::statement) == 0 && j > 0; --j) {
    if (rows[j - 1].address != rows[i].address) break;
    if ((rows[j - 1].flags & RowFlags::statement) != 0 && rows[j - 1].line != 0) {
      i = j - 1;
      break;
    }
  }
  return to_line_row(*debug_, *table, rows[i], end);
}

std::vector<LineRow> ElfModule::lines_in(FileRange range) const {
  std::vector<LineRow> out;
  if (!debug_info()) return out;
  std::set<LineTable*> seen;
  for (const Unit* unit : debug_->units_in(range)) {
    LineTable* table = debug_->lines(*unit);
    if (!table || !seen.insert(table).second) continue;
    const LineRows& all = debug_->rows(*table);
    auto sequence = std::ranges::upper_bound(all.sequences, range.begin, {}, &Sequence::end);
    for (; sequence != all.sequences.end() && sequence->begin < range.end; ++sequence) {
      const auto rows = rows_of(all, *sequence);
      auto first = std::ranges::upper_bound(rows, range.begin, {}, &Row::address);
      if (first != rows.begin()) --first;
      while (first != rows.begin() && std::prev(first)->address == first->address && first->address == range.begin)
        --first;
      for (auto i = static_cast<std::size_t>(first - rows.begin()); i < rows.size() && rows[i].address < range.end; ++i)
        out.push_back(to_line_row(*debug_, *table, rows[i], end_of_row(rows, i, *sequence)));
    }
  }
  std::ranges::stable_sort(out, {}, &LineRow::address);
  return out;
}

std::uint64_t ElfModule::after_prologue(std::uint64_t entry) const {
  const std::uint64_t body = entry + frame_setup_length(file_->bytes_at(entry, 16));
  const Unit* unit = debug_info() ? debug_->unit_at(entry) : nullptr;
  FileRange range;
  if (const auto* concrete = debug_info() ? debug_->functions().at(entry) : nullptr) {
    for (const auto& part : concrete->ranges)
      if (part.contains(entry)) range = part;
  } else if (const auto* symbol = symbols_->at(entry)) {
    range = {symbol->address, symbol->address + symbol->size};
  }
  if (!unit || !range.contains(entry)) return body;
  const auto rows = lines_in({entry, range.end});
  if (rows.empty()) return body;
  for (const auto& row : rows)
    if (row.prologue_end && row.address >= entry) return row.address;
  // gcc marks no prologue's end. Optimised code has its arguments where the location lists say from the first
  // instruction on, and its "second row" may be anywhere: stay at the entry.
  if (debug_->told(*unit).optimized) return entry;
  const std::uint64_t least = std::max(body, entry + 1);
  for (const auto& row : rows)
    if (row.address >= least && row.line.value != 0) return row.address;
  return body;
}

std::vector<std::string> ElfModule::source_files() const {
  std::set<std::string_view> files;
  if (debug_info())
    debug_->each_file([&](std::string_view path) {
      if (!path.empty()) files.insert(path);
    });
  return {files.begin(), files.end()};
}

}  // namespace trapline::sym
