// How a module comes by its index: from the cache, from somebody who builds it behind (use_index), or by building it
// when a question cannot be answered without. Small debug information needs none: reading it takes less than looking.
#include <fmt/format.h>

#include "daemon/index/store.hpp"
#include "daemon/sym/debug_info.hpp"
#include "daemon/sym/debug_link.hpp"
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/elf_file.hpp"
#include "daemon/sym/names.hpp"
#include "daemon/sym/symbols.hpp"

namespace trapline::sym {
namespace {

bool says_nothing_of(const index::Index& index, const NameQuery& query) {
  if (query.every_name() || index.has_split_units() || index.has_damaged_units()) return false;
  const auto base = query.base();
  if (base.starts_with("operator ")) return false;  // the type of a conversion is spelled in many ways
  for (const auto& entry : index.with_base(base))
    if (entry.kind == index::Kind::function || entry.kind == index::Kind::inlined) return false;
  return !index.damaged();
}

}  // namespace

bool ElfModule::large() const {
  const ElfFile& file = debug_file_ ? *debug_file_ : *file_;
  return file.stored_size(".debug_info") + file.stored_size(".zdebug_info") + file.stored_size(".debug_types") >=
         options_.index_worth;
}

const index::Index* ElfModule::ready_index() const {
  if (!index_tried_) {
    index_tried_ = true;
    const std::string& path = debug_file_ ? debug_file_->path() : file_->path();
    if (has_dwarf() && !options_.index_folder.empty() && large() && unchanged_on_disk())
      if (const auto key = index::key_of(path)) index_ = index::Store(options_.index_folder).load(*key);
  }
  if (index_ && index_->damaged()) index_.reset();
  return index_.get();
}

bool ElfModule::index_expected() const { return options_.index_comes && !index_never_ && large() && !ready_index(); }

const index::Index* ElfModule::index_for_names() const {
  if (index_expected()) {
    index_missed_ = true;
    return nullptr;
  }
  if (!ready_index()) build_index();
  return debug_info() ? debug_->names_index() : nullptr;
}

std::shared_ptr<const index::Index> ElfModule::index_naming(std::string_view base, std::span<const std::string> scopes,
                                                            bool quick) const {
  const auto kept = [](const index::Index* whole) {  // by the module: borrowed
    return std::shared_ptr<const index::Index>(std::shared_ptr<void>{}, whole);
  };
  if (const auto* whole = index_for_names()) return kept(whole);
  if (!debug_info() || !index_expected()) return nullptr;
  using Where = DebugInfo::Where;
  if (quick) return debug_->partial_index(base, Where::first_units, scopes);
  if (auto part = debug_->partial_index(base, Where::anywhere, scopes)) return part;
  // So many units may have it that all of them can be asked as well.
  build_index();
  return kept(debug_->names_index());
}

bool ElfModule::ask_dies_for(const NameQuery& query, Wanted wanted) const {
  if (!has_dwarf()) return false;
  if (const auto* index = ready_index()) return !says_nothing_of(*index, query);
  if (!large() && !debug_info_waits()) return true;
  if (options_.index_comes && !index_never_) {
    index_missed_ = true;
    const ElfFile& file = debug_file_ ? *debug_file_ : *file_;
    const bool tables = file.section(".debug_names") != nullptr || file.section(".gdb_index") != nullptr;
    if (!tables || debug_info_waits() || wanted == Wanted::all || query.every_name() || !debug_info()) return false;
    // What the file's own tables name is answered at once. That of gdb leaves out what is inlined everywhere.
    const auto part = debug_->partial_index(query.base(), DebugInfo::Where::tables);
    return part && (wanted == Wanted::code || debug_->has_name_table()) && !says_nothing_of(*part, query);
  }
  if (large()) build_index();
  return true;
}

// An index is made of the file that has the path now: of another one than is open here after the next link.
bool ElfModule::unchanged_on_disk() const {
  const ElfFile& file = debug_file_ ? *debug_file_ : *file_;
  return file.is_still_at_its_path();
}

void ElfModule::no_index() const {
  index_never_ = true;
  if (debug_) debug_->expect_index(false);
}

// Of a debug file that nobody opened yet, which stays so.
std::string ElfModule::alternate_path() const {
  if (debug_) return debug_->alternate_file() ? debug_->alternate_file()->path() : std::string{};
  const ElfFile& file = debug_file_ ? *debug_file_ : *file_;
  const auto named = alternate_named_by(file);
  if (named.link.empty() && named.build_id.empty()) return {};
  const auto found = find_alternate(named.link, named.build_id, file.path(), options_);
  return found ? found->path() : std::string{};
}

std::optional<Module::IndexSource> ElfModule::wants_index() const {
  if (index_never_ || !has_dwarf() || !large() || (debug_info_waits() && !index_missed_) || ready_index())
    return std::nullopt;
  auto source = index_source();
  if (!source) index_never_ = true;
  return source;
}

std::optional<Module::IndexSource> ElfModule::index_source() const {
  if (!has_dwarf() || !unchanged_on_disk()) return std::nullopt;
  const ElfFile& file = debug_file_ ? *debug_file_ : *file_;
  auto alternate = alternate_path();
  // Without the dwz file half of the names are missing: nothing to be kept for sessions that find it.
  if (alternate.empty() && file.section(".gnu_debugaltlink") != nullptr) return std::nullopt;
  return IndexSource{.path = file.path(), .alternate = std::move(alternate)};
}

void ElfModule::use_index(std::shared_ptr<const index::Index> index) const {
  index_tried_ = true;
  index_missed_ = false;
  if (!unchanged_on_disk()) return no_index();
  index_ = std::move(index);
  similar_.clear();
  if (debug_) debug_->use_index(index_);
}

void ElfModule::build_index() const {
  if (std::exchange(build_tried_, true) || !debug_info()) return;
  auto made = debug_->build_index(large() ? 0 : 1);
  if (!made) return;
  index_tried_ = true;
  index_missed_ = false;
  index_ = std::move(made);
}

}  // namespace trapline::sym
