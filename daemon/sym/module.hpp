#pragma once
// One ELF file and its debug information, on top of libdw. Speaks FileAddr values (ELF virtual addresses) only.
// This header is the room's face: nothing of elfutils appears in it. Inside the room, `sym/dwarf_handle.hpp` opens a
// DieRef. Thread: const members may be called from the loop's thread only (libdw is not thread-safe per Dwarf).
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/words/addr.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::index {
class Index;
}

namespace trapline::sym {

class Module;

// A DIE of one module: an offset in its .debug_info (or .debug_types). Cheap to copy; valid as long as the module
// lives.
struct DieRef {
  const Module* module = nullptr;
  std::uint64_t offset = 0;
  // 0: the program or its debug file; 1: the dwz file (.gnu_debugaltlink); from 2 on: parts of a split program, see
  // split_units.hpp.
  std::uint32_t file = 0;
  explicit operator bool() const { return module != nullptr; }
  bool operator==(const DieRef&) const = default;
};

struct FileRange {  // half open, file addresses
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool contains(std::uint64_t at) const { return begin <= at && at < end; }
  bool operator==(const FileRange&) const = default;
};

struct SearchOptions {
  std::vector<std::string> debug_dirs{"/usr/lib/debug"};
  // Folders in which debuginfod's client keeps what it fetched: BUILD-ID/debuginfo. Fetching is not done here.
  std::vector<std::string> fetched_dirs{};
  std::vector<std::string> exclude{};  // globs on the path or its last part: no debug information is read for those
  std::string root{};                  // prefix for the target's mount namespace: "/proc/PID/root" or ""
  std::string program{};               // its path there, for what lies beside it; Module::open sets it
  // The file to read where root + path is not what is mapped (deleted, replaced): "/proc/PID/exe". Else empty.
  std::string read_from{};
  // Where indexes of large debug information are kept (daemon/index/store.hpp); empty: nowhere.
  std::string index_folder{};
  // Bytes of .debug_info, as they are in the file, from which on an index is worth it: libdw walks a mebibyte in about
  // 20 ms.
  std::uint64_t index_worth = std::uint64_t{1} << 20;
  // Somebody builds what wants_index() asks for: until it is there, names are answered by the symbol tables alone where
  // reading all debug information would keep the question waiting. Else such a question has the index built.
  bool index_comes = false;
};

struct Segment {
  FileRange range;
  std::uint64_t file_offset = 0;
  bool executable = false;
  bool writable = false;
};

struct ElfSymbol {
  std::string name;  // as in the file (mangled), without @version
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  bool function = false;
  bool global = false;
};

struct LineRow {
  std::uint64_t address = 0;
  std::uint64_t end = 0;  // address of the next row
  std::string_view file;  // absolute; lives as long as the module
  Line line;
  std::uint32_t column = 0;
  bool is_statement = true;
  bool prologue_end = false;
  bool epilogue_begin = false;
  bool end_sequence = false;
};

struct LineMatch {
  std::uint64_t address = 0;
  std::string_view file;
  Line line;
  std::uint32_t column = 0;
  DieRef function;         // the concrete function or inlined instance that holds it
  std::string_view md5{};  // of the file as it was compiled: 16 bytes, or none; lives as long as the module
};

struct Function {
  DieRef die;        // concrete DW_TAG_subprogram; none for one known from ELF symbols only
  std::string name;  // demangled, with namespaces, without parameters: "ns::Class::run"
  std::string linkage_name;
  std::uint64_t entry = 0;
  std::vector<FileRange> ranges;
};

struct InlineScope {  // innermost first; the last is the concrete function
  DieRef die;
  std::string name;
  std::string_view call_file;  // where the *outer* level calls this one
  Line call_line;
  std::uint32_t call_column = 0;
  std::vector<FileRange> ranges;
};

class Module {
 public:
  virtual ~Module() = default;
  // Errors: not_found, bad_debug_info (no ELF, 32 bit, other machine), os. Missing or broken DWARF is no error:
  // has_debug_info() is false and debug_problem() says why.
  static Result<std::shared_ptr<const Module>> open(const std::string& path, ModuleId id, const SearchOptions& options);
  // From memory (the vdso).
  static Result<std::shared_ptr<const Module>> from_image(std::vector<std::byte> image, std::string name, ModuleId id);

  virtual ModuleId id() const = 0;
  virtual const std::string& path() const = 0;
  virtual std::string build_id() const = 0;  // hex, may be empty
  virtual bool position_independent() const = 0;
  virtual std::uint64_t entry() const = 0;
  virtual std::span<const Segment> segments() const = 0;
  virtual bool has_symbols() const = 0;
  // Debug information is opened when it is first asked for; if it then proves unreadable, this turns false.
  virtual bool has_debug_info() const = 0;
  // In a separate file, and no question had it opened yet, which may take 100 ms.
  virtual bool debug_info_waits() const = 0;
  virtual std::string debug_file() const = 0;  // empty: in the file itself
  virtual std::string debug_problem() const = 0;
  // The build-id of the separate debug file that was looked for in vain; empty: none is missed, or nobody may fetch it
  // (no fetched_dirs).
  virtual std::string wants_debug_file() const = 0;
  // What the index of this module would be built from. None: it has one, is too small to need one, or nobody has asked
  // for its debug information yet.
  struct IndexSource {
    std::string path;
    std::string alternate;  // the dwz file; may be empty
  };
  virtual std::optional<IndexSource> wants_index() const = 0;
  virtual std::optional<IndexSource> index_source() const = 0;  // of any size; none: no debug information
  // The index of wants_index(). Answers about names may be more from now on.
  virtual void use_index(std::shared_ptr<const index::Index> index) const = 0;
  // There will be none: what waited for it is answered from the debug information itself, however long that takes.
  virtual void no_index() const = 0;
  // By DW_AT_producer. nullopt: not known before a separate debug file is opened (by another question).
  virtual std::optional<bool> optimized() const = 0;
  virtual std::optional<FileRange> section(std::string_view name) const = 0;  // ".plt", ".plt.sec", ".init" ...

  virtual std::optional<ElfSymbol> symbol_at(std::uint64_t at) const = 0;  // covering, or nearest below without size
  // Every name that begins there. Linkers fold functions of the same code (--icf): then none of them says whose it is.
  virtual std::vector<ElfSymbol> symbols_beginning_at(std::uint64_t at) const = 0;
  virtual std::vector<ElfSymbol> symbols_named(
      std::string_view name) const = 0;  // mangled or demangled without parameters
  virtual std::optional<LineRow> line_at(std::uint64_t at) const = 0;
  virtual std::vector<LineRow> lines_in(FileRange range) const = 0;
  virtual std::optional<Function> function_at(std::uint64_t at) const = 0;
  virtual std::vector<Function> functions_named(std::string_view name) const = 0;
  // The places where a function was inlined: `die` is the DW_TAG_inlined_subroutine, `entry` where its code begins.
  virtual std::vector<Function> inlined_instances(std::string_view name) const = 0;
  virtual std::vector<InlineScope> inline_chain(std::uint64_t at) const = 0;
  // Every instance. `moved_to`: the line that was taken where `line` itself has no code; `near_match`: a file that
  // almost fits.
  struct LineQuery {
    std::vector<LineMatch> matches;
    Line moved_to;
    std::string near_match;
    std::string refusal;  // why `line` was not moved to the next line with code
    bool file_known = false;
  };
  virtual LineQuery addresses_of(std::string_view file_suffix, Line line, std::uint32_t column) const = 0;
  virtual std::vector<std::string> source_files() const = 0;  // absolute
  // Functions whose names contain `query`, for symbols.find; at most `limit`.
  virtual std::vector<Function> search_functions(std::string_view query, std::size_t limit) const = 0;
  // What is no function: those that the query names (with or without namespaces and template arguments, or by a regular
  // expression between slashes) first, then those that contain it.
  struct Named {
    enum class Kind : std::uint8_t { type, variable, enumerator };
    Kind kind = Kind::type;
    DieRef die;
    std::string name;       // with its scopes
    std::string_view file;  // where it is declared; an enumerator: its type
    Line line;
    std::optional<std::uint64_t> address{};  // of a variable that has one
  };
  virtual std::vector<Named> find_named(std::string_view query, std::size_t limit) const = 0;
  // The function whose name is nearly that one; the name is empty where none is, or an index is still to come.
  struct Near {
    std::string name;
    std::size_t distance = 0;  // edits
  };
  virtual Near similar_function(std::string_view name) const = 0;
  // First instruction of the body of the function that begins at `entry`: the row marked prologue_end, else (code with
  // a frame pointer, not optimised) the second row of its lines, else behind a decoded prologue, else `entry`.
  virtual std::uint64_t after_prologue(std::uint64_t entry) const = 0;
};

// The build-id of the dwz file that a debug file names and that was looked for in vain; empty: none is missed.
std::string missing_alternate(const std::string& debug_file, const SearchOptions& options);

std::string demangle(std::string_view name);  // C++ and Rust; unchanged where it is neither
bool is_mangled(std::string_view name);       // begins as such names do
// "ns::f<int>(char const*) const" -> "ns::f<int>"
std::string without_parameters(std::string_view demangled);

}  // namespace trapline::sym
