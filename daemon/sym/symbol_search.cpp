// What a person looks for by name: types, variables, enumerators wherever they are declared; and the name that was
// nearly written. By the index, which knows all of them; without one by the names of every unit.
#include <dwarf.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <map>
#include <tuple>

#include "daemon/sym/debug_info.hpp"
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/location.hpp"
#include "daemon/sym/names.hpp"
#include "daemon/sym/symbols.hpp"
#include "daemon/sym/variable.hpp"
#include "daemon/sym/variable_index.hpp"

namespace trapline::sym {
namespace {

using Kind = Module::Named::Kind;

std::optional<Kind> kind_of(index::Kind kind) {
  switch (kind) {
    case index::Kind::type: return Kind::type;
    case index::Kind::enumerator: return Kind::enumerator;
    case index::Kind::variable:
    case index::Kind::declared_variable: return Kind::variable;
    default: return std::nullopt;
  }
}

std::optional<Kind> kind_of(const NameEntry& entry) {
  if (entry.tag == DW_TAG_enumerator) return Kind::enumerator;
  if (entry.tag == DW_TAG_variable || entry.tag == DW_TAG_constant || entry.tag == DW_TAG_member) return Kind::variable;
  return is_type_tag(entry.tag) && !entry.declaration ? std::optional(Kind::type) : std::nullopt;
}

// Its first operand is the address in all of them: location_of() looks up what stands in a table.
bool is_address(int code) { return code == DW_OP_addr || code == DW_OP_addrx || code == DW_OP_GNU_addr_index; }

class Search {
 public:
  Search(const ElfModule& module, std::string_view text, std::size_t limit)
      : module_(module), text_(text), query_(parse_name(text)), limit_(limit) {
    const auto parts = split_scopes(text);
    needle_ = parts.empty() ? std::string_view{} : parts.back();
  }

  std::vector<Module::Named> run() {
    if (!query_.problem.empty() || query_.parameters) return {};  // functions alone have parameters
    if (const auto* index = module_.index_for_names()) {
      if (!query_.every_name()) add_all(*index, index->with_base(query_.base()), true);
      index->each_name([&](std::string_view name, std::span<const index::Index::Entry> entries) {
        if (query_.regex || name.find(needle_) != std::string_view::npos) add_all(*index, entries, false);
        return found_.size() < limit_;
      });
    } else if (const auto part = query_.every_name() ? nullptr : module_.index_naming(query_.base(), {}, true)) {
      add_all(*part, part->with_base(query_.base()), true);
    } else if (!module_.index_expected()) {
      add_by_units();
    }
    return std::move(found_);
  }

 private:
  bool fits(const std::string& qualified, bool exactly) const {
    if (query_.regex || query_.every_name()) return name_fits(query_, qualified);
    return name_fits(query_, qualified) || (!exactly && qualified.find(text_) != std::string::npos);
  }

  void add_all(const index::Index& index, std::span<const index::Index::Entry> entries, bool exactly) {
    for (const auto& entry : entries) {
      const auto kind = kind_of(entry.kind);
      if (!kind || found_.size() >= limit_) continue;
      auto name = NameIndex::qualified(index, entry);
      if (!name.empty() && !fits(name, exactly)) continue;
      const auto die = module_.debug_info()->die_of(index, entry);
      if (!die) continue;
      if (name.empty()) name = qualified_name(module_, *die);
      if (fits(name, exactly)) add(*kind, std::move(name), *die);
    }
  }

  void add_by_units() {
    ScopeNames& names = names_of(module_);
    for (std::size_t n = 0; n < names.unit_count() && found_.size() < limit_; ++n) {
      const UnitNames& unit = names.unit(n);
      for (std::uint32_t i = 0; i < unit.entries().size() && found_.size() < limit_; ++i) {
        const NameEntry& entry = unit.entries()[i];
        const auto kind = kind_of(entry);
        if (!kind || entry.name.empty() || (!query_.regex && entry.name.find(needle_) == std::string::npos)) continue;
        std::string name;
        for (const auto& part : unit.path_of(i)) name += (name.empty() ? "" : "::") + part;
        const auto die = open_die(entry.die);
        if (die && fits(name, false)) add(*kind, std::move(name), *die);
      }
    }
  }

  void add(Kind kind, std::string name, const Dwarf_Die& die) {
    Module::Named one{.kind = kind, .die = make_ref(module_, die), .name = std::move(name), .file = {}, .line = {}};
    // The line of an enumerator is nowhere: that of its type is near.
    const auto owner = kind == Kind::enumerator ? lexical_parent(module_, die) : std::optional(die);
    if (owner) {
      one.file = decl_file(module_, *owner);
      one.line = {static_cast<std::uint32_t>(unsigned_value(*owner, DW_AT_decl_line).value_or(0))};
    }
    if (kind == Kind::variable)
      if (const auto place = location_of(one.die, 0); place && place->size() == 1 && is_address((*place)[0].code))
        one.address = (*place)[0].a;
    // A member is declared in its class and defined outside: the definition has the place.
    const auto [declared, first] = known_.try_emplace({kind, one.name, 0}, found_.size());
    const auto [known, fresh] = known_.try_emplace({kind, one.name, one.address.value_or(0)}, found_.size());
    auto* before = first ? nullptr : &found_[declared->second];
    if (before && fresh && !before->address)
      *before = std::move(one);
    else if (first || fresh)
      found_.push_back(std::move(one));
  }

  const ElfModule& module_;
  std::string_view text_, needle_;
  NameQuery query_;
  std::size_t limit_;
  std::vector<Module::Named> found_;
  std::map<std::tuple<Kind, std::string, std::uint64_t>, std::size_t> known_;
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::uint64_t letters(std::string_view text) {
  std::uint64_t set = 0;
  for (const char c : text) set |= std::uint64_t{1} << (static_cast<unsigned char>(c) & 63);
  return set;
}

// The nearest of what is offered, within one edit for four letters: "login" is not meant by "plugin".
class Nearest {
 public:
  explicit Nearest(std::string_view wanted)
      : wanted_(lower(wanted)),
        set_(letters(wanted_)),
        allowed_(wanted.size() < 4   ? 1
                 : wanted.size() < 8 ? 2
                                     : 3) {
    best_ = allowed_ + 1;
  }
  // Nearer than all before it.
  bool take(std::string_view name) {
    const auto size = wanted_.size();
    if (name.size() + best_ <= size || size + best_ <= name.size() || best_ == 0) return false;
    const auto plain = lower(name);
    // An edit changes two letters of the set at most.
    if (static_cast<std::size_t>(std::popcount(letters(plain) ^ set_)) > 2 * allowed_) return false;
    const auto distance = edit_distance(wanted_, plain, allowed_);
    if (distance >= best_ || distance >= size) return false;
    best_ = distance;
    return true;
  }
  std::size_t distance() const { return best_; }

 private:
  std::string wanted_;
  std::uint64_t set_;
  std::size_t allowed_, best_ = 0;
};

}  // namespace

std::vector<Module::Named> ElfModule::find_named(std::string_view query, std::size_t limit) const {
  return debug_info_waits() || !has_debug_info() ? std::vector<Named>{} : Search(*this, query, limit).run();
}

// Remembered: a breakpoint that waits for a library asks again with each one that comes.
Module::Near ElfModule::similar_function(std::string_view name) const {
  const NameQuery query = parse_name(name);
  if (query.every_name() || query.base().size() < 3 || index_expected()) return {};
  const auto known = similar_.find(name);
  if (known != similar_.end()) return known->second;
  Near near;
  Nearest nearest(query.base());
  const auto* index = has_dwarf() && !debug_info_waits() ? index_for_names() : ready_index();
  if (index) {
    index->each_name([&](std::string_view candidate, std::span<const index::Index::Entry> entries) {
      const auto function = std::ranges::find_if(
          entries, [](const auto& e) { return e.kind == index::Kind::function || e.kind == index::Kind::inlined; });
      if (function == entries.end() || !nearest.take(index::base_of(candidate))) return true;
      near.name = NameIndex::qualified(*index, *function);
      if (near.name.empty()) near.name = std::string(candidate);
      return true;
    });
  }
  symbols_->each_plain_function([&](std::string_view candidate) {
    if (nearest.take(candidate)) near.name = std::string(candidate);
  });
  near.distance = nearest.distance();
  return similar_[std::string(name)] = near;
}

std::string_view DebugInfo::similar_file(std::string_view wanted) {
  // Without an index the tables of a large program would all have to be read.
  if (!names_index() && file_.stored_size(".debug_line") > most_lines_read) return {};
  if (!files_listed_) {
    files_listed_ = true;
    each_file([&](std::string_view path) { files_.push_back(path); });
  }
  const auto stem = [](std::string_view name) { return name.substr(0, name.rfind('.')); };
  Nearest nearest(stem(wanted));
  std::string_view found;
  for (const auto path : files_)
    if (nearest.take(stem(base_name(path)))) found = path;
  return found;
}

}  // namespace trapline::sym
