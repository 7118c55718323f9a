// Addresses of a source line.
//
// A line has many rows: a `for` has two or three, an optimised statement one for every piece that the scheduler moved.
// A breakpoint wants one address for each instance of the code: per concrete function (a template's instantiations and
// a constructor's variants are functions of their own), per inlined call, per lexical block in it (what gdb does too:
// the compiler copies blocks, and a copy is entered by another way), and per part of a function that was split off as
// rarely run. In each the lowest address that begins a statement is taken, which is where the line is entered.
//
// Whose code a row is cannot be read off the address alone: where a call was inlined, the caller's row for the call and
// the callee's first row share an address. The level of the inlined chain whose declaration stands nearest above the
// line, in the same file, owns the row.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include "daemon/sym/debug_info.hpp"
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/functions.hpp"

namespace trapline::sym {
namespace {

struct FileRows {
  LineTable* table = nullptr;
  std::set<std::uint32_t> files;  // indices in the table that are the file asked for
};

struct Candidate {
  std::uint64_t address = 0;
  std::string_view file;  // the same file has the same data()
  std::uint32_t line = 0;
  std::uint16_t column = 0;
  std::size_t run = 0;  // rows of one line that stand next to each other have the same
  std::string_view md5{};
};

// Instance of code: a block of a function, or of one inlined call, in one contiguous part of a function.
struct Owner {
  const ConcreteFunction* function = nullptr;
  Dwarf_Die die{};
  const void* block = nullptr;    // the innermost lexical block of that function or call
  std::uint64_t declared_at = 0;  // line; 0: unknown, or in another file
  std::size_t part = 0;
};

class LineSearch {
 public:
  LineSearch(const ElfModule& module, DebugInfo& info) : module_(module), info_(info) {}

  Module::LineQuery run(std::string_view file_suffix, Line line, std::uint32_t column) {
    find_files(file_suffix);
    query_.file_known = !files_.empty();
    if (files_.empty() || line.value == 0) return std::move(query_);
    auto candidates = rows_at(line.value, RowKind::statements);
    // Optimised code may hold instructions of a line, but no place where its statement begins.
    if (candidates.empty()) candidates = rows_at(line.value, RowKind::all);
    if (candidates.empty()) {
      candidates = moved_from(line.value);
      if (candidates.empty()) return std::move(query_);
      query_.refusal.clear();
      query_.moved_to = {candidates[0].line};
    } else if (column != 0) {
      keep_column(candidates, column);
    }
    collapse(candidates);
    return std::move(query_);
  }

 private:
  void find_files(std::string_view suffix) {
    std::string wanted = clean_path(suffix);
    while (wanted.starts_with("../")) wanted.erase(0, 3);
    std::map<std::string_view, std::vector<std::pair<LineTable*, std::uint32_t>>> others;
    for (LineTable* table : info_.tables_mentioning(base_name(wanted))) {
      FileRows rows{.table = table, .files = {}};
      for (std::uint32_t i = 0; i < table->header.files.size(); ++i) {
        if (base_name(table->header.files[i].name) != base_name(wanted)) continue;
        const auto path = info_.path(*table, i);
        if (path_fits(path, wanted)) {
          rows.files.insert(i);
        } else {
          others[path].emplace_back(table, i);
        }
      }
      if (!rows.files.empty()) files_.push_back(std::move(rows));
    }
    if (files_.empty() && !others.empty()) follow_links(wanted, others);
    if (!files_.empty()) return;
    std::size_t most = 0;
    for (const auto& [path, places] : others) {
      const auto shared = shared_components(path, wanted);
      if (shared > most) query_.near_match = path;
      most = std::max(most, shared);
    }
    if (others.empty()) query_.near_match = info_.similar_file(base_name(wanted));
  }

  // How many folders at the end, and the name, two paths have in common, wherever they stand: of src/a/x.cpp and
  // lib/a/y/x.cpp, `a` and `x.cpp`.
  static std::size_t shared_components(std::string_view path, std::string_view wanted) {
    std::size_t shared = 0;
    std::set<std::string_view> parts;
    for (std::size_t begin = 0; begin < path.size();) {
      const auto end = std::min(path.find('/', begin), path.size());
      parts.insert(path.substr(begin, end - begin));
      begin = end + 1;
    }
    for (std::size_t begin = 0; begin < wanted.size();) {
      const auto end = std::min(wanted.find('/', begin), wanted.size());
      if (end > begin && parts.contains(wanted.substr(begin, end - begin))) ++shared;
      begin = end + 1;
    }
    return shared;
  }

  // The editor and the compiler may know one file by two names, where a folder is a symbolic link.
  void follow_links(const std::string& wanted,
                    const std::map<std::string_view, std::vector<std::pair<LineTable*, std::uint32_t>>>& others) {
    std::error_code failed;
    const auto real = std::filesystem::canonical(wanted, failed);
    if (failed || !wanted.starts_with('/')) return;
    for (const auto& [path, places] : others) {
      if (std::filesystem::canonical(path, failed) != real || failed) continue;
      for (const auto& [table, index] : places) files_.push_back({.table = table, .files = {index}});
    }
  }

  enum class RowKind : std::uint8_t { statements, all };

  template <class Take>
  void each_row(RowKind kind, Take take) {
    std::size_t run = 0;
    for (const auto& file : files_) {
      Row before;
      for (const auto& row : info_.rows(*file.table).rows) {
        if (row.line != before.line || row.file != before.file) ++run;
        before = row;
        if ((kind == RowKind::all || (row.flags & RowFlags::statement) != 0) && row.line != 0 &&
            file.files.contains(row.file))
          take(*file.table, row, run);
      }
    }
  }

  std::vector<Candidate> rows_at(std::uint32_t line, RowKind kind) {
    std::vector<Candidate> found;
    each_row(kind, [&](LineTable& table, const Row& row, std::size_t run) {
      if (row.line != line) return;
      found.push_back(
          {row.address, info_.path(table, row.file), line, row.column, run, table.header.files[row.file].md5});
    });
    return found;
  }

  Owner owner_of(std::uint64_t address, std::string_view file, std::uint32_t line) {
    Owner owner;
    owner.function = info_.functions().at(address);
    if (!owner.function) return owner;
    const auto& parts = owner.function->ranges;
    while (owner.part + 1 < parts.size() && !parts[owner.part].contains(address)) ++owner.part;
    const auto& tree = info_.functions().inlined_into(*owner.function);
    int block = FunctionTable::innermost(tree, address);
    for (bool first = true;; first = false) {
      const int call = FunctionTable::enclosing_call(tree, block);
      const Dwarf_Die& die = call < 0 ? owner.function->die : tree[static_cast<std::size_t>(call)].die;
      const std::uint64_t declared =
          decl_file(module_, die) == file ? unsigned_value(die, DW_AT_decl_line).value_or(0) : 0;
      const bool nearer = declared != 0 && declared <= line && declared > owner.declared_at;
      if (first || nearer) {
        owner.die = die;
        owner.block = block < 0 ? owner.function->die.addr : tree[static_cast<std::size_t>(block)].die.addr;
        if (nearer) owner.declared_at = declared;
      }
      if (call < 0) break;
      block = tree[static_cast<std::size_t>(call)].parent;
    }
    if (owner.declared_at == 0 && decl_file(module_, owner.die) == file)
      owner.declared_at = unsigned_value(owner.die, DW_AT_decl_line).value_or(0);
    return owner;
  }

  // `asked` has no code: the next line that has, for each file that the name may mean. It must be of the function that
  // `asked` stands in, or `asked` stands before all code of the file.
  std::vector<Candidate> moved_from(std::uint32_t asked) {
    struct Next {
      std::uint32_t line = 0;
      bool code_before = false;
      std::vector<Candidate> candidates;
    };
    std::map<std::string_view, Next> files;
    each_row(RowKind::statements, [&](LineTable& table, const Row& row, std::size_t run) {
      const auto path = info_.path(table, row.file);
      Next& next = files[path];
      if (row.line < asked) {
        next.code_before = true;
        return;
      }
      if (next.line == 0 || row.line < next.line) next = {row.line, next.code_before, {}};
      if (row.line == next.line)
        next.candidates.push_back({row.address, path, row.line, row.column, run, table.header.files[row.file].md5});
    });
    std::vector<Candidate> nearest;
    for (const auto& [path, next] : files) {
      if (next.line == 0 || (next.code_before && !in_same_function(next.candidates, asked))) continue;
      if (!nearest.empty() && nearest[0].line < next.line) continue;
      if (!nearest.empty() && nearest[0].line > next.line) nearest.clear();
      nearest.insert(nearest.end(), next.candidates.begin(), next.candidates.end());
    }
    return nearest;
  }

  // A line belongs to one function of the source: where one of its instances says so, they all do.
  bool in_same_function(const std::vector<Candidate>& candidates, std::uint32_t asked) {
    std::string other;
    std::set<std::pair<std::size_t, const void*>> entered;
    for (const auto& candidate : candidates) {
      const Owner owner = owner_of(candidate.address, candidate.file, candidate.line);
      // What stands right behind code of the same line and the same function is where that code goes on.
      if (owner.function && !entered.emplace(candidate.run, owner.die.addr).second) continue;
      // The line above a declaration's may be a part of it: its return type stands there in many a style.
      if (!owner.function || owner.declared_at <= asked + 1) return true;
      other = qualified_name(module_, owner.die);
    }
    query_.refusal = fmt::format("line {} has no code, and the next line that has, {}, is in another function ({})",
                                 asked, candidates[0].line, other);
    return false;
  }

  // The column asked for, else the nearest behind it, else the last one before it.
  static void keep_column(std::vector<Candidate>& candidates, std::uint32_t column) {
    std::optional<std::uint16_t> behind, before;
    for (const auto& c : candidates) {
      if (c.column >= column && (!behind || c.column < *behind)) behind = c.column;
      if (c.column < column && (!before || c.column > *before)) before = c.column;
    }
    const std::uint16_t chosen = behind ? *behind : before.value_or(0);
    std::erase_if(candidates, [&](const Candidate& c) { return c.column != chosen; });
  }

  void collapse(const std::vector<Candidate>& candidates) {
    std::map<std::pair<const void*, std::size_t>, LineMatch> chosen;
    std::set<std::pair<std::size_t, const void*>> entered;
    for (const auto& candidate : candidates) {
      const Owner owner = owner_of(candidate.address, candidate.file, candidate.line);
      // What stands right behind code of the same line and the same function is where that code goes on.
      if (owner.function && !entered.emplace(candidate.run, owner.die.addr).second) continue;
      LineMatch match{.address = candidate.address,
                      .file = candidate.file,
                      .line = {candidate.line},
                      .column = candidate.column,
                      .function = owner.function ? make_ref(module_, owner.die) : DieRef{},
                      .md5 = candidate.md5};
      const void* instance = owner.block;
      const auto part = owner.function ? owner.part : static_cast<std::size_t>(candidate.address);
      const auto [slot, fresh] = chosen.try_emplace({instance, part}, match);
      if (!fresh && candidate.address < slot->second.address) slot->second = match;
    }
    std::set<std::uint64_t> seen;
    for (auto& [key, match] : chosen) {
      const auto* function = info_.functions().at(match.address);
      // At a function's opening line its arguments are not in place yet.
      if (function && function->entry == match.address && match.function == make_ref(module_, function->die))
        match.address = module_.after_prologue(match.address);
      if (seen.insert(match.address).second) query_.matches.push_back(std::move(match));
    }
    std::ranges::sort(query_.matches, {}, &LineMatch::address);
  }

  const ElfModule& module_;
  DebugInfo& info_;
  std::vector<FileRows> files_;
  Module::LineQuery query_;
};

// Whether the bytes of a file's name stand where line tables have their names. Inflating these sections costs a tenth
// of what it costs to open the file's debug information.
bool names_file(const ElfFile& file, std::string_view name) {
  return std::ranges::any_of(std::array{".debug_line_str", ".debug_line", ".debug_str"}, [&](const char* section) {
    const auto bytes = file.contents(section);
    return ::memmem(bytes.data(), bytes.size(), name.data(), name.size()) != nullptr;
  });
}

}  // namespace

Module::LineQuery ElfModule::addresses_of(std::string_view file_suffix, Line line, std::uint32_t column) const {
  if (debug_info_waits() && !names_file(*debug_file_, base_name(file_suffix))) return {};
  if (!debug_info()) return {};
  return LineSearch(*this, *debug_).run(file_suffix, line, column);
}

}  // namespace trapline::sym
