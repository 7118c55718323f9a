#pragma once
// Which modules are mapped where, and every question about code by load address. The one place that turns FileAddr <->
// LoadAddr. Thread: the loop's.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sym/module.hpp"
#include "daemon/util/memory.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::image {

struct MappedModule {
  ModuleId id;
  std::string path;        // "[vdso]" for the vdso
  std::uint64_t bias = 0;  // load address - file address (0 for non-PIE)
  LoadRange range;         // all its segments
  std::shared_ptr<const sym::Module> symbols;
};

struct Changes {
  std::vector<ModuleId> added;
  std::vector<MappedModule> removed;
};

// Code at one pc, as people name it.
struct CodePlace {
  ModuleId module;
  std::string module_name;  // base name
  std::string function;     // demangled; empty where no symbol covers pc
  LoadAddr function_begin;  // of the enclosing concrete function (or ELF symbol)
  std::string file;         // as the debug information says, made absolute with DW_AT_comp_dir
  Line line;                // 0: none
  std::uint32_t column = 0;
  bool has_line_info = false;
};

// One level of the inlined chain at a pc: [0] is the innermost. The last one is the concrete function itself.
struct InlineLevel {
  std::string function;
  sym::DieRef die;   // DW_TAG_inlined_subroutine or DW_TAG_subprogram
  std::string file;  // where execution stands in this level: the line table for [0], call site of [i-1] for the others
  Line line;
  std::uint32_t column = 0;
  std::vector<LoadRange> ranges;
};

// The stretch of code that belongs to one row of the line table.
struct LineSpan {
  LoadRange range;
  std::string file;
  Line line;
  bool is_statement = true;
};

struct ResolvedLocation {
  LoadAddr address;
  ModuleId module;
  std::string function;
  std::string file;
  Line line;
  std::uint32_t column = 0;
  std::string md5{};  // of the source as it was compiled: 32 hex digits, or none
};
struct Resolution {
  std::vector<ResolvedLocation> locations;
  std::string message;  // near match, moved to line N, ambiguous path ...
};

class Modules {
 public:
  explicit Modules(sym::SearchOptions options);
  ~Modules();

  // After exec or attach: the program, its interpreter and the vdso, from auxv and maps; then the link map as far as it
  // exists.
  Result<Changes> load_process(Pid pid, const util::Memory& memory);
  // From the link map (r_debug / r_debug_extended), at the loader's breakpoint. Unreadable or inconsistent maps: no
  // change. Falls back to /proc/PID/maps for statically linked programs.
  Result<Changes> refresh(Pid pid, const util::Memory& memory);
  // Opens the file of a module anew, after a debug file of it was found. It has another id then: what was made of the
  // old one's answers is not of the new one. Errors: not_found; of the file; bad_debug_info (another build by now).
  Result<const MappedModule*> reopen(ModuleId id);
  void clear();
  // Where the loader calls after the link map changed (r_brk / _dl_debug_state). Known as soon as ld.so is mapped.
  std::optional<LoadAddr> loader_breakpoint() const;

  const std::string& root() const;  // "/proc/PID/root" where the process has another one than we; else empty
  std::vector<const MappedModule*> all() const;  // in link order
  std::uint64_t generation() const;              // another one after every change
  const MappedModule* find(LoadAddr at) const;   // O(log n)
  const MappedModule* find(ModuleId id) const;
  Result<FileAddr> to_file(LoadAddr at) const;  // bad_address: unmapped
  Result<LoadAddr> to_load(FileAddr at) const;

  std::optional<CodePlace> place(LoadAddr pc) const;
  // By the ELF symbol alone where more would have to open a separate debug file; else nullopt.
  std::optional<CodePlace> place_without_opening(LoadAddr pc) const;
  std::vector<InlineLevel> inline_chain(LoadAddr pc) const;  // empty where there is no DWARF
  std::optional<LineSpan> line_span(LoadAddr pc) const;
  std::optional<LoadRange> function_range(LoadAddr pc) const;  // contiguous part that holds pc
  std::optional<LoadAddr> entry_of_program() const;            // e_entry
  // First instruction of the body: DWARF prologue_end, else the second row of the line table, else a decoded prologue,
  // else entry.
  LoadAddr after_prologue(LoadAddr function_begin) const;
  bool in_plt(LoadAddr pc) const;
  bool in_dynamic_loader(LoadAddr pc) const;  // _dl_runtime_resolve and the rest of ld.so

  // Suffix match on path components. The nearest following line with code is taken where `line` has none, within the
  // same function.
  Resolution resolve_line(std::string_view file, Line line, std::uint32_t column) const;
  // Plain, qualified or with a parameter list; every instance. ELF symbols too where there is no DWARF (and "name@plt"
  // never).
  Resolution resolve_function(std::string_view name) const;
  std::optional<LoadAddr> symbol_address(std::string_view elf_name) const;
  std::optional<std::pair<std::string, ByteCount>> symbol_at(LoadAddr at) const;  // demangled name, offset
  std::vector<std::string> source_files() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trapline::image
