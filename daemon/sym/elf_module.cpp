// The module's face: which file holds what, and answers put together from the tables.
#include <dwarf.h>
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "daemon/sym/debug_info.hpp"
#include "daemon/sym/debug_link.hpp"
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/elf_file.hpp"
#include "daemon/sym/functions.hpp"
#include "daemon/sym/names.hpp"
#include "daemon/sym/symbols.hpp"
#include "daemon/util/rooted.hpp"

namespace trapline::sym {
namespace {

ElfSymbol to_elf_symbol(const RawSymbol& raw) {
  return {.name = std::string(raw.name),
          .address = raw.address,
          .size = raw.size,
          .function = raw.function,
          .global = raw.global};
}

Function to_function(const ElfModule& module, const ConcreteFunction& concrete) {
  const char* linkage = linkage_name(concrete.die);
  return {.die = make_ref(module, concrete.die),
          .name = qualified_name(module, concrete.die),
          .linkage_name = linkage ? linkage : "",
          .entry = concrete.entry,
          .ranges = concrete.ranges};
}

Function to_function(const RawSymbol& symbol) {
  return {.die = {},
          .name = without_parameters(demangle(symbol.name)),
          .linkage_name = std::string(symbol.name),
          .entry = symbol.address,
          .ranges = {{symbol.address, symbol.address + std::max<std::uint64_t>(symbol.size, 1)}}};
}

}  // namespace

ElfModule::ElfModule(ModuleId id, std::string path, std::unique_ptr<ElfFile> file, const SearchOptions& options)
    : id_(id), path_(std::move(path)), file_(std::move(file)), options_(options) {
  options_.program = path_;
  const auto hides = [&](const std::string& glob) {
    return ::fnmatch(glob.c_str(), path_.c_str(), 0) == 0 ||
           ::fnmatch(glob.c_str(), std::string(base_name(path_)).c_str(), 0) == 0;
  };
  excluded_ = std::ranges::any_of(options.exclude, hides);
  if (excluded_) {
    problem_ = path_ + ": the launch arguments leave its debug information out (symbols.exclude)";
  } else if (!file_->has_dwarf()) {
    auto search = find_debug_file(*file_, path_, options);
    debug_file_ = std::move(search.file);
    problem_ = std::move(search.problem);
  }
  symbols_ = std::make_unique<SymbolTable>(*file_, debug_file_.get());
}

ElfModule::~ElfModule() = default;

// libdw inflates every compressed section of a file when it opens it (a libc's cost 50 ms), so nobody does before
// somebody asks.
DebugInfo* ElfModule::debug_info() const {
  if (!debug_tried_ && has_dwarf()) {
    debug_tried_ = true;
    debug_ = DebugInfo::open(*file_, debug_file_ ? *debug_file_ : *file_, options_, problem_);
    if (debug_) debug_->expect_index(index_expected());
    if (debug_ && ready_index()) debug_->use_index(index_);
  }
  return debug_.get();
}

bool ElfModule::has_debug_frame() const {
  const ElfFile& file = debug_file_ ? *debug_file_ : *file_;
  return file.section(".debug_frame") != nullptr || file.section(".zdebug_frame") != nullptr;
}

bool ElfModule::has_dwarf() const { return !excluded_ && (debug_file_ || file_->has_dwarf()); }

Elf* ElfModule::elf() const { return file_->elf(); }
Dwarf* ElfModule::dwarf() const { return debug_info() ? debug_->dwarf() : nullptr; }
Elf* ElfModule::debug_elf() const { return debug_info() ? debug_->file().elf() : nullptr; }
Dwarf* ElfModule::alternate() const { return debug_info() ? debug_->alternate() : nullptr; }
std::span<const std::byte> ElfModule::bytes_at(std::uint64_t at, std::size_t count) const {
  return file_->bytes_at(at, count);
}
std::string ElfModule::build_id() const { return file_->build_id(); }
bool ElfModule::position_independent() const { return file_->header().e_type == ET_DYN; }
std::uint64_t ElfModule::entry() const { return file_->header().e_entry; }
std::span<const Segment> ElfModule::segments() const { return file_->segments(); }
bool ElfModule::has_symbols() const { return !symbols_->empty(); }
bool ElfModule::has_debug_info() const { return debug_tried_ ? debug_ != nullptr : has_dwarf(); }
std::string ElfModule::debug_file() const { return debug_file_ ? debug_file_->path() : std::string{}; }
std::string ElfModule::debug_problem() const {
  for (const ElfFile* file : {file_.get(), debug_file_.get()})
    if (file && file->lost())
      return file->path() + " was truncated while it was being read: what lay behind its new end is not known";
  return !debug_info() || !problem_.empty() ? problem_ : debug_->problem();
}
std::string ElfModule::wants_debug_file() const {
  return excluded_ || has_dwarf() || options_.fetched_dirs.empty() ? std::string{} : file_->build_id();
}
std::optional<bool> ElfModule::optimized() const {
  if (debug_info_waits()) return std::nullopt;
  return debug_info() && debug_->any_optimized();
}

std::optional<FileRange> ElfModule::section(std::string_view name) const {
  const Section* found = file_->section(name);
  if (!found || found->range.begin >= found->range.end) return std::nullopt;
  return found->range;
}

std::optional<ElfSymbol> ElfModule::symbol_at(std::uint64_t at) const {
  const RawSymbol* found = symbols_->at(at);
  return found ? std::optional(to_elf_symbol(*found)) : std::nullopt;
}

std::vector<ElfSymbol> ElfModule::symbols_beginning_at(std::uint64_t at) const {
  std::vector<ElfSymbol> found;
  for (const auto& raw : symbols_->all_at(at)) found.push_back(to_elf_symbol(raw));
  return found;
}

std::vector<ElfSymbol> ElfModule::symbols_named(std::string_view name) const {
  std::vector<ElfSymbol> found;
  for (const auto* symbol : symbols_->with_mangled_name(name)) found.push_back(to_elf_symbol(*symbol));
  if (!found.empty()) return found;
  const NameQuery query = parse_name(name);
  for (const auto& [symbol, plain] : symbols_->functions_with_base(query))
    if (name_fits(query, without_parameters(plain)) && parameters_fit(query, plain))
      found.push_back(to_elf_symbol(*symbol));
  return found;
}

std::optional<Function> ElfModule::function_at(std::uint64_t at) const {
  if (debug_info())
    if (const auto* concrete = debug_->functions().at(at)) return to_function(*this, *concrete);
  const RawSymbol* symbol = symbols_->at(at);
  return symbol && symbol->function ? std::optional(to_function(*symbol)) : std::nullopt;
}

std::vector<InlineScope> ElfModule::inline_chain(std::uint64_t at) const {
  std::vector<InlineScope> chain;
  const auto* concrete = debug_info() ? debug_->functions().at(at) : nullptr;
  if (!concrete) return chain;
  const auto& tree = debug_->functions().inlined_into(*concrete);
  for (int i = FunctionTable::innermost(tree, at); i >= 0; i = tree[static_cast<std::size_t>(i)].parent) {
    const auto& node = tree[static_cast<std::size_t>(i)];
    if (!node.call) continue;
    InlineScope scope{.die = make_ref(*this, node.die),
                      .name = qualified_name(*this, node.die),
                      .call_file = {},
                      .call_line = {},
                      .ranges = node.ranges};
    const auto number = [&](unsigned name) {
      Dwarf_Attribute found;
      Dwarf_Word value = 0;
      return own_attribute(node.die, name, found) && dwarf_formudata(&found, &value) == 0 ? value : 0;
    };
    const Unit* unit = debug_->unit_of(node.die.cu);
    LineTable* table = unit ? debug_->lines(*unit) : nullptr;
    if (table && has_own(node.die, DW_AT_call_file)) scope.call_file = debug_->path(*table, number(DW_AT_call_file));
    scope.call_line = {static_cast<std::uint32_t>(number(DW_AT_call_line))};
    scope.call_column = static_cast<std::uint32_t>(number(DW_AT_call_column));
    chain.push_back(std::move(scope));
  }
  chain.push_back({.die = make_ref(*this, concrete->die),
                   .name = qualified_name(*this, concrete->die),
                   .call_file = {},
                   .call_line = {},
                   .ranges = concrete->ranges});
  return chain;
}

std::vector<Function> ElfModule::functions_named(std::string_view name) const {
  std::vector<Function> found;
  std::unordered_set<std::uint64_t> seen;
  const auto add = [&](Function function) {
    if (seen.insert(function.entry).second) found.push_back(std::move(function));
  };
  const auto add_symbol = [&](const RawSymbol& symbol) {
    if (!symbol.function) return;
    // The DWARF of the same code says more, but not where the symbol names a place inside of it.
    const auto* concrete = debug_info() ? debug_->functions().at(symbol.address) : nullptr;
    add(concrete && concrete->entry == symbol.address ? to_function(*this, *concrete) : to_function(symbol));
  };
  // There is one main, and its symbol names it: no need to read every unit for the commonest breakpoint of all.
  if (name == "main" || is_mangled(name))
    for (const auto* symbol : symbols_->with_mangled_name(name)) add_symbol(*symbol);
  // In a program of Rust C's main is a shim that the compiler wrote; what people call main is the crate's.
  const auto is_rust = [](const Unit* unit) { return unit->language == DW_LANG_Rust; };
  if (name == "main" && !found.empty() && !found[0].die && debug_info() &&
      std::ranges::any_of(debug_->units(), is_rust)) {
    const auto shim = std::exchange(found, {});
    for (const auto& entry : debug_->names().with_base(name)) {
      const auto ranges = entry.concrete && flag(entry.die, DW_AT_main_subprogram) ? debug_->ranges_of(entry.die)
                                                                                   : std::vector<FileRange>{};
      const auto* concrete = ranges.empty() ? nullptr : debug_->functions().at(ranges[0].begin);
      if (concrete) add(to_function(*this, *concrete));
    }
    if (found.empty()) found = shim;
  }
  if (!found.empty()) return found;

  const NameQuery query = parse_name(name);
  if (!query.every_name() && query.base().empty()) return found;
  if (ask_dies_for(query, Wanted::code) && debug_info()) {
    for (const auto& entry : debug_->names().of(query)) {
      if (!entry.concrete || !die_fits(*this, entry.die, entry.qualified, query)) continue;
      const auto ranges = debug_->ranges_of(entry.die);
      const auto* concrete = ranges.empty() ? nullptr : debug_->functions().at(ranges[0].begin);
      if (concrete && concrete->die.addr == entry.die.addr) add(to_function(*this, *concrete));
    }
  }
  // A name with its scopes that the index of the whole program knows: the symbols add nothing, and there may be
  // millions.
  if (!found.empty() && query.components.size() > 1 && !query.parameters && ready_index()) return found;
  // The symbols say more where a DIE lies deep (lambdas, members of local classes), or where there is none.
  for (const auto& [symbol, plain] : symbols_->functions_with_base(query)) {
    // Thunks lead to the function (Itanium C++ ABI 5.1.4.2): a stop in both would be two stops for one call.
    if (symbol->name.starts_with("_ZTh") || symbol->name.starts_with("_ZTv") || symbol->name.starts_with("_ZTc"))
      continue;
    const bool fits = name_fits(query, without_parameters(plain));
    // A mangled name says all scopes itself, but for those in functions, which a DIE may name in another way.
    if (!fits && is_mangled(symbol->name) && plain.find_first_of("{'") == std::string::npos) continue;
    const auto* concrete = debug_info() ? debug_->functions().at(symbol->address) : nullptr;
    const bool has_die = concrete && concrete->entry == symbol->address;
    const bool named = fits || (has_die && name_fits(query, qualified_name(*this, concrete->die)));
    if (named && (has_die ? die_parameters_fit(*this, concrete->die, query) : parameters_fit(query, plain)))
      add_symbol(*symbol);
  }
  return found;
}

std::vector<Function> ElfModule::inlined_instances(std::string_view name) const {
  std::vector<Function> found;
  const NameQuery query = parse_name(name);
  if ((!query.every_name() && query.base().empty()) || !ask_dies_for(query, Wanted::inlined) || !debug_info())
    return found;
  for (const auto& entry : debug_->names().of(query)) {
    if (entry.concrete || !die_fits(*this, entry.die, entry.qualified, query)) continue;
    add_instances(entry.die, entry.qualified, entry.part.get(), found);
  }
  return found;
}

void ElfModule::add_instances(const Dwarf_Die& abstract, const std::string& qualified, const index::Index* part,
                              std::vector<Function>& found) const {
  const std::string name = qualified.empty() ? qualified_name(*this, abstract) : qualified;
  const char* linkage = linkage_name(abstract);
  for (const auto& die : debug_->instances_of(abstract, part)) {
    const auto ranges = debug_->ranges_of(die);
    if (ranges.empty()) continue;
    Dwarf_Die copy = die;
    Dwarf_Addr entry_pc = 0;
    const bool given = dwarf_entrypc(&copy, &entry_pc) == 0;
    // gcc may name an entry that is not among the ranges, where the scheduler moved the first instructions away.
    const auto holds = [&](const FileRange& r) { return r.contains(entry_pc); };
    if (!given || std::ranges::none_of(ranges, holds)) entry_pc = ranges[0].begin;
    found.push_back({.die = make_ref(*this, die),
                     .name = name,
                     .linkage_name = linkage ? linkage : "",
                     .entry = entry_pc,
                     .ranges = ranges});
  }
}

std::vector<Function> ElfModule::search_functions(std::string_view query, std::size_t limit) const {
  std::vector<Function> found;
  std::unordered_set<std::uint64_t> seen;
  NameQuery any;
  any.components.emplace_back(split_scopes(query).back());
  if ((ready_index() || ask_dies_for(any, Wanted::all)) && debug_info()) {
    const auto base = split_scopes(query).back();
    for (const auto& entry : debug_->names().containing(without_template_arguments(base))) {
      if (found.size() >= limit) return found;
      if (!entry.concrete || entry.base.find(without_template_arguments(base)) == std::string_view::npos) continue;
      const auto ranges = debug_->ranges_of(entry.die);
      const auto* concrete = ranges.empty() ? nullptr : debug_->functions().at(ranges[0].begin);
      if (!concrete || qualified_name(*this, concrete->die).find(query) == std::string::npos) continue;
      if (seen.insert(concrete->entry).second) found.push_back(to_function(*this, *concrete));
    }
  }
  for (const auto* symbol : symbols_->functions_containing(query, limit))
    if (found.size() < limit && seen.insert(symbol->address).second) found.push_back(to_function(*symbol));
  return found;
}

Result<std::shared_ptr<const Module>> Module::open(const std::string& path, ModuleId id, const SearchOptions& options) {
  const std::string real = options.read_from.empty() ? util::path_in_root(options.root, path) : options.read_from;
  TL_TRY(auto file, ElfFile::open(real));
  return std::make_shared<const ElfModule>(id, path, std::move(file), options);
}

std::string missing_alternate(const std::string& debug_file, const SearchOptions& options) {
  const auto file = ElfFile::open(debug_file, ElfFile::Accept::any_type);
  if (!file) return {};
  auto named = alternate_named_by(**file);
  return named.build_id.empty() || find_alternate(named.link, named.build_id, debug_file, options) ? std::string{}
                                                                                                   : named.build_id;
}

Result<std::shared_ptr<const Module>> Module::from_image(std::vector<std::byte> image, std::string name, ModuleId id) {
  TL_TRY(auto file, ElfFile::from_image(std::move(image), name));
  return std::make_shared<const ElfModule>(id, std::move(name), std::move(file), SearchOptions{});
}

}  // namespace trapline::sym
