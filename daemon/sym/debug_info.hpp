#pragma once
// The DWARF of one module: its units, which of them covers an address, and their line tables, each read when first
// asked for and then kept. Inside the room. Thread: as module.hpp says.
#include <elfutils/libdw.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "daemon/index/image.hpp"
#include "daemon/index/line_files.hpp"
#include "daemon/sym/elf_file.hpp"
#include "daemon/sym/interval_index.hpp"
#include "daemon/sym/line_program.hpp"

namespace trapline::index {
class DebugFile;
class NameSearch;
}  // namespace trapline::index

namespace trapline::sym {

class FunctionTable;
class NameIndex;
class SplitUnits;
struct SplitTree;

struct Unit {
  Dwarf_Die die{};
  std::uint32_t index = 0;
  std::uint16_t version = 0;
  bool compile_unit = false;  // and not a type unit or a partial one
  std::optional<std::uint64_t> line_offset;
  const char* name = "";
  const char* folder = "";  // DW_AT_comp_dir
  bool split = false;       // its tree lies in a .dwo or .dwp file; `name`, `language` and `optimized` come from there
  int language = 0;         // DW_LANG_
  bool optimized = false;   // by DW_AT_producer
};

struct LineTable {
  LineHeader header;
  const Unit* unit = nullptr;  // gives the compile directory; units may share a table
  bool decoded = false;
  LineRows rows;
  std::vector<std::string_view> paths;  // by file index, filled as asked for
};

class DebugInfo {
 public:
  // Null, and `problem` set, where libdw refuses it or the first unit is unreadable. The files outlive the result.
  static std::unique_ptr<DebugInfo> open(const ElfFile& program, const ElfFile& debug_file,
                                         const SearchOptions& options, std::string& problem);
  ~DebugInfo();
  DebugInfo(const DebugInfo&) = delete;
  DebugInfo& operator=(const DebugInfo&) = delete;

  Dwarf* dwarf() const { return dwarf_; }
  Dwarf* alternate() const { return alternate_; }
  const ElfFile& file() const { return file_; }
  const ElfFile* alternate_file() const { return alternate_file_.get(); }
  bool is_code(std::uint64_t at) const { return program_.executable_at(at); }
  std::string problem() const;  // units that could not be read

  // What is known without libdw: `table` has the units and their addresses, `names` all that an index has. Null: not
  // there (names: not built yet), damaged, or the program is split into .dwo files, which libdw has to walk.
  const index::Index* table();
  const index::Index* names_index();
  void use_index(std::shared_ptr<const index::Index> index);
  // Made of what is open here, at once; null where use_index() has no use for it. `threads` as index::BuildOptions.
  std::shared_ptr<const index::Index> build_index(unsigned threads);
  // Somebody builds an index (or, later, does not after all): until it is there partial_index() answers.
  void expect_index(bool expected) { index_expected_ = expected; }
  // Names of that base only, in the units that have them and the names of those scopes. Null: no index is expected, or
  // only a whole one will do.
  enum class Where : std::uint8_t { tables, first_units, anywhere };
  std::shared_ptr<const index::Index> partial_index(std::string_view base, Where where,
                                                    std::span<const std::string> scopes = {});
  bool has_name_table();  // one that has inlined functions too, and can be used
  // The DIE of an entry of the index; none where there is another one: the index then is not believed any more.
  std::optional<Dwarf_Die> die_of(const index::Index& index, const index::Index::Entry& entry);
  // Every inlined call of the function whose abstract DIE this is. `part`: the partial index that named it, or null.
  std::vector<Dwarf_Die> instances_of(const Dwarf_Die& abstract, const index::Index* part);
  bool any_optimized();

  // All of the file's own; each says something of itself, which takes a while for thousands.
  const std::vector<const Unit*>& units();
  const Unit* unit_at(std::uint64_t at);
  std::vector<const Unit*> units_in(FileRange range);
  const Unit* unit_of(Dwarf_CU* cu);

  // The root of the unit's DIEs: of its .dwo file where it is split (opened now), else its own. A skeleton without its
  // part stands for itself: it has no children.
  Dwarf_Die tree(const Unit& unit);
  // The unit with what only its .dwo file says filled in.
  const Unit& told(const Unit& unit);
  const SplitTree* split_of(const Unit& unit);          // null: not split, or not found
  const SplitTree* split_of(const Dwarf_CU* cu) const;  // of an open one
  Dwarf_Die skeleton_die(const SplitTree& split) const;
  Dwarf* dwarf_of(std::uint32_t file);  // the number in a DieRef; null: none
  std::optional<std::uint32_t> file_of(Dwarf* dwarf) const;
  SplitUnits* split_units() { return units(), split_.get(); }  // null: no unit is split

  // Null: the unit has none, or it is damaged.
  LineTable* lines(const Unit& unit);
  const LineRows& rows(LineTable& table);
  // Absolute and without "." and ".."; "" for an index out of range. Lives as long as this.
  std::string_view path(LineTable& table, std::uint64_t index);
  // The line tables that mention a file whose last component is `base_name`. Rows are not decoded.
  std::vector<LineTable*> tables_mentioning(std::string_view base_name);
  // Calls `take` with the path of every file of every table.
  void each_file(const std::function<void(std::string_view)>& take);

  // A file whose last component is nearly that; "" where none is, or that cannot be told at once.
  std::string_view similar_file(std::string_view base_name);

  FunctionTable& functions();
  NameIndex& names();

  // Addresses of a DIE; empty ranges and those that do not lie in code (discarded sections) are left out.
  std::vector<FileRange> ranges_of(const Dwarf_Die& die) const;
  // Children of a DIE, ascending; kept.
  const std::vector<Dwarf_Die>& children_of(const Dwarf_Die& parent);
  // The DIE that holds this one in the tree.
  std::optional<Dwarf_Die> parent_of(const Dwarf_Die& die);

 private:
  DebugInfo(const ElfFile& program, const ElfFile& file, const SearchOptions& options);
  void open_alternate(const SearchOptions& options);
  void read_units();
  const Unit& numbered(std::uint32_t number);  // of table(); without a DIE where it cannot be read
  const Unit* unit_of_known(Dwarf_CU* cu);
  const Unit* unit_by_aranges(std::uint64_t at);
  bool open_unit(Unit& unit, std::uint64_t first_die, bool in_types);
  std::shared_ptr<const index::Index> survey() const;
  std::shared_ptr<const index::DebugFile> alternate_view() const;
  index::NameSearch& name_search();
  void read_unit_ranges();
  const IntervalIndex<std::uint32_t>& unit_ranges();
  void add_aranges(const std::vector<bool>& covered);
  LineTable* table_at(std::uint64_t offset, const Unit& unit);

  const ElfFile& program_;
  const ElfFile& file_;
  SearchOptions options_;
  std::unique_ptr<ElfFile> alternate_file_;
  Dwarf* dwarf_ = nullptr;
  Dwarf* alternate_ = nullptr;
  std::string problem_;
  LineSections line_sections_;
  std::shared_ptr<const index::Index> index_, survey_;
  std::vector<std::shared_ptr<const index::Index>> given_up_;  // what was read of them is still pointed at
  bool surveyed_ = false;
  bool index_expected_ = false;
  std::unique_ptr<index::NameSearch> search_;
  std::map<std::pair<Where, std::string>, std::shared_ptr<const index::Index>> partial_;
  bool units_read_ = false;
  bool ranges_read_ = false;
  std::deque<Unit> units_;
  std::vector<const Unit*> all_units_;
  std::unordered_map<Dwarf_CU*, const Unit*> unit_by_cu_;
  std::vector<Unit*> by_number_;                        // of table(); null: not read yet
  std::unordered_map<std::uint64_t, Unit*> by_header_;  // of the same, and those found before there was a table
  std::uint64_t units_reached_ = 0;                     // libdw has looked at the headers before this offset
  std::unique_ptr<SplitUnits> split_;                   // null: no unit is
  std::unordered_map<Dwarf_CU*, Unit> split_types_;
  IntervalIndex<std::uint32_t> unit_ranges_;
  std::unordered_map<std::uint64_t, std::unique_ptr<LineTable>> tables_;  // by offset; null: damaged
  std::unordered_set<std::string> paths_;
  static constexpr std::uint64_t most_lines_read = 4 << 20;  // bytes of .debug_line, for a hint
  bool files_listed_ = false;
  std::vector<std::string_view> files_;  // all, once a hint was looked for
  std::unordered_map<void*, std::vector<Dwarf_Die>> children_;
  std::unique_ptr<FunctionTable> functions_;
  std::unique_ptr<NameIndex> names_;
};

using index::base_name;
using index::clean_path;
// Whole components: "src/a.c" fits "/x/src/a.c", "a.c" does not fit "/x/ba.c". An absolute one fits itself.
bool path_fits(std::string_view path, std::string_view suffix);

}  // namespace trapline::sym
