#pragma once
// Inside the room only: the module as libelf and libdw see it, and the safe ways to walk its DIEs.
//
// libdw checks offsets against section bounds, but a DW_AT_sibling that points backwards or a reference that points to
// itself is followed without end. first_child() and next_sibling() accept only what lies further on in the section (a
// preorder walk of a sane tree always does), so every loop over them ends; chains of references are cut at
// `max_reference_chain`. Walk with these, never with dwarf_child / dwarf_siblingof.
// Thread: as module.hpp says.
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sym/module.hpp"

namespace trapline::sym {

class ElfFile;
struct NameQuery;
class SymbolTable;
class DebugInfo;

// Offsets in .debug_types (DWARF 4 type units) carry this bit in a DieRef: both sections begin at 0.
inline constexpr std::uint64_t in_types_section = std::uint64_t{1} << 63;

inline constexpr int max_reference_chain = 16;
inline constexpr int max_die_depth = 256;  // deeper trees are taken for damaged ones

class ElfModule final : public Module {
 public:
  ElfModule(ModuleId id, std::string path, std::unique_ptr<ElfFile> file, const SearchOptions& options);
  ~ElfModule() override;
  ElfModule(const ElfModule&) = delete;
  ElfModule& operator=(const ElfModule&) = delete;

  Elf* elf() const;          // the mapped file itself: code, .eh_frame, .dynamic. Never null.
  Dwarf* dwarf() const;      // of the file, or of its separate debug file; null: no debug information
  Elf* debug_elf() const;    // the ELF file that dwarf() reads; null where dwarf() is
  Dwarf* alternate() const;  // the dwz file, where one was found
  const ElfFile& file() const { return *file_; }
  DebugInfo* debug_info() const;  // opened by the first call; null where dwarf() is
  // The index. Where there is none yet it is built now, but for large debug information whose index somebody builds:
  // null then, and there are partial ones. Null, too, where none is to be had.
  const index::Index* index_for_names() const;
  // An index in which the names of that base in those scopes are: of all names, or of those. `quick`: at least one of
  // them, where the others would take a whole index; of that nobody says that it has all. Null: every unit has to be
  // asked; quick: there is no such thing.
  std::shared_ptr<const index::Index> index_naming(std::string_view base, std::span<const std::string> scopes,
                                                   bool quick) const;
  bool index_expected() const;   // there is none, and somebody builds it
  bool has_debug_frame() const;  // known without opening the debug information
  // Bytes of the file as they are mapped at `at` (relocations not applied); fewer at a segment's end.
  std::span<const std::byte> bytes_at(std::uint64_t at, std::size_t count) const;

  ModuleId id() const override { return id_; }
  const std::string& path() const override { return path_; }
  std::string build_id() const override;
  bool position_independent() const override;
  std::uint64_t entry() const override;
  std::span<const Segment> segments() const override;
  bool has_symbols() const override;
  bool has_debug_info() const override;
  bool debug_info_waits() const override { return !debug_tried_ && debug_file_ != nullptr; }
  std::string debug_file() const override;
  std::string debug_problem() const override;
  std::string wants_debug_file() const override;
  std::optional<IndexSource> wants_index() const override;
  std::optional<IndexSource> index_source() const override;
  void use_index(std::shared_ptr<const index::Index> index) const override;
  void no_index() const override;
  std::optional<bool> optimized() const override;
  std::optional<FileRange> section(std::string_view name) const override;
  std::optional<ElfSymbol> symbol_at(std::uint64_t at) const override;
  std::vector<ElfSymbol> symbols_beginning_at(std::uint64_t at) const override;
  std::vector<ElfSymbol> symbols_named(std::string_view name) const override;
  std::optional<LineRow> line_at(std::uint64_t at) const override;
  std::vector<LineRow> lines_in(FileRange range) const override;
  std::optional<Function> function_at(std::uint64_t at) const override;
  std::vector<Function> functions_named(std::string_view name) const override;
  std::vector<Function> inlined_instances(std::string_view name) const override;
  std::vector<InlineScope> inline_chain(std::uint64_t at) const override;
  LineQuery addresses_of(std::string_view file_suffix, Line line, std::uint32_t column) const override;
  std::vector<std::string> source_files() const override;
  std::vector<Function> search_functions(std::string_view query, std::size_t limit) const override;
  std::vector<Named> find_named(std::string_view query, std::size_t limit) const override;
  Near similar_function(std::string_view name) const override;
  std::uint64_t after_prologue(std::uint64_t entry) const override;

 private:
  bool has_dwarf() const;
  // Of the cache, or given by use_index(); known without opening the debug information.
  const index::Index* ready_index() const;
  bool unchanged_on_disk() const;
  bool large() const;  // so much debug information that reading all of it takes a while
  // Whether the DIEs have to be asked for that name, and can be now; else the symbols have the answer.
  enum class Wanted : std::uint8_t { code, inlined, all };
  bool ask_dies_for(const NameQuery& query, Wanted wanted) const;
  std::string alternate_path() const;
  void build_index() const;
  void add_instances(const Dwarf_Die& abstract, const std::string& qualified, const index::Index* part,
                     std::vector<Function>& found) const;

  ModuleId id_;
  std::string path_;
  std::unique_ptr<ElfFile> file_;
  std::unique_ptr<ElfFile> debug_file_;  // null: the DWARF is in file_, or there is none
  SearchOptions options_;
  mutable std::shared_ptr<const index::Index> index_;
  mutable bool index_tried_ = false;
  mutable bool build_tried_ = false;
  mutable bool index_never_ = false;   // it could not be made: the debug information itself is asked
  mutable bool index_missed_ = false;  // a question would have been answered better with it
  bool excluded_ = false;              // by the user
  mutable bool debug_tried_ = false;
  mutable std::unique_ptr<DebugInfo> debug_;  // after the files: libdw reads from them until it is closed
  mutable std::string problem_;
  mutable std::map<std::string, Near, std::less<>> similar_;
  std::unique_ptr<SymbolTable> symbols_;
};

inline const ElfModule& elf_module(const Module& module) { return static_cast<const ElfModule&>(module); }

// The DIE that a reference names; none where the offset is not one of this module.
std::optional<Dwarf_Die> open_die(const DieRef& ref);
// {} for a DIE that is none of this module's.
DieRef make_ref(const Module& module, const Dwarf_Die& die);
inline DieRef make_ref(const Module& module, Dwarf_Die* die) { return die ? make_ref(module, *die) : DieRef{}; }

bool first_child(const Dwarf_Die& parent, Dwarf_Die& child);
bool next_sibling(Dwarf_Die& die);  // moves on; false: `die` was the last one

// The attribute of the DIE itself, or of what it completes (DW_AT_abstract_origin, DW_AT_specification).
bool attribute(const Dwarf_Die& die, unsigned name, Dwarf_Attribute& out);
bool own_attribute(const Dwarf_Die& die, unsigned name, Dwarf_Attribute& out);
bool has_own(const Dwarf_Die& die, unsigned name);
std::optional<Dwarf_Die> target_of(Dwarf_Attribute& reference);                    // type units of a .dwp too
std::optional<Dwarf_Die> referenced(const Dwarf_Die& die, unsigned name);          // own attribute that refers to a DIE
std::optional<std::uint64_t> unsigned_value(const Dwarf_Die& die, unsigned name);  // integrated
bool flag(const Dwarf_Die& die, unsigned name);                                    // integrated
const char* die_name(const Dwarf_Die& die);      // DW_AT_name, integrated; may be null
const char* linkage_name(const Dwarf_Die& die);  // integrated; may be null

// DW_AT_low_pc/high_pc or DW_AT_ranges; empty ranges and those of discarded sections are left out.
std::vector<FileRange> ranges_of(const ElfModule& module, const Dwarf_Die& die);
bool has_code(const Dwarf_Die& die);  // has attributes that give it addresses

// The DIE that encloses this one, in source terms: a definition's is that of the declaration it completes.
std::optional<Dwarf_Die> lexical_parent(const ElfModule& module, const Dwarf_Die& die);
// "ns::(anonymous namespace)::Class<int>::run". Template arguments as DW_AT_name has them.
std::string qualified_name(const ElfModule& module, const Dwarf_Die& die);
std::string qualified_name(const DieRef& ref);

// Absolute, without "." and ".."; of the unit's line table. Empty: none. Lives as long as the module.
std::string_view decl_file(const ElfModule& module, const Dwarf_Die& die);

}  // namespace trapline::sym
