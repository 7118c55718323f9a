// Questions about code by load address, and names and lines turned into load addresses.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "daemon/image/modules.hpp"
#include "daemon/image/modules_impl.hpp"
#include "daemon/sym/regex.hpp"

namespace trapline::image {
namespace {

LoadRange loaded(const sym::FileRange& range, std::uint64_t bias) { return {{range.begin + bias}, {range.end + bias}}; }

// The names of what is in a list, the first few of them.
std::string listed(const std::set<std::string>& names) {
  constexpr std::size_t shown = 4;
  std::string text;
  std::size_t count = 0;
  for (const auto& name : names) {
    if (count == shown) return fmt::format("{} and {} more", text, names.size() - shown);
    text += (count++ == 0 ? "" : ", ") + name;
  }
  return text;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

std::string function_name(const sym::Module& module, const sym::LineMatch& match) {
  if (match.function)
    for (const auto& scope : module.inline_chain(match.address))
      if (scope.die == match.function) return scope.name;
  const auto function = module.function_at(match.address);
  return function ? function->name : std::string{};
}

CodePlace place_in(const MappedModule& module) {
  return {.module = module.id,
          .module_name = base_name(module.path),
          .function = {},
          .function_begin = {},
          .file = {},
          .line = {}};
}

}  // namespace

std::optional<CodePlace> Modules::place(LoadAddr pc) const {
  const MappedModule* module = find(pc);
  if (!module) return std::nullopt;
  const std::uint64_t at = pc.value - module->bias;
  CodePlace place = place_in(*module);
  if (const auto function = module->symbols->function_at(at)) {
    place.function = function->name;
    place.function_begin = {function->entry + module->bias};
  }
  if (const auto row = module->symbols->line_at(at)) {
    place.file = row->file;
    place.line = row->line;
    place.column = row->column;
    place.has_line_info = true;
  }
  return place;
}

std::optional<CodePlace> Modules::place_without_opening(LoadAddr pc) const {
  const MappedModule* module = find(pc);
  if (!module || !module->symbols->debug_info_waits()) return std::nullopt;
  CodePlace place = place_in(*module);
  if (const auto symbol = module->symbols->symbol_at(pc.value - module->bias); symbol && symbol->function) {
    place.function = sym::without_parameters(sym::demangle(symbol->name));
    place.function_begin = {symbol->address + module->bias};
  }
  return place;
}

std::vector<InlineLevel> Modules::inline_chain(LoadAddr pc) const {
  std::vector<InlineLevel> levels;
  const MappedModule* module = find(pc);
  if (!module) return levels;
  const std::uint64_t at = pc.value - module->bias;
  auto scopes = module->symbols->inline_chain(at);
  if (scopes.empty()) return levels;
  std::string file;
  Line line;
  std::uint32_t column = 0;
  if (const auto row = module->symbols->line_at(at)) {
    file = row->file;
    line = row->line;
    column = row->column;
  }
  for (auto& scope : scopes) {
    InlineLevel level{.function = std::move(scope.name),
                      .die = scope.die,
                      .file = std::move(file),
                      .line = line,
                      .column = column,
                      .ranges = {}};
    for (const auto& range : scope.ranges) level.ranges.push_back(loaded(range, module->bias));
    levels.push_back(std::move(level));
    file = scope.call_file;
    line = scope.call_line;
    column = scope.call_column;
  }
  return levels;
}

std::optional<LineSpan> Modules::line_span(LoadAddr pc) const {
  const MappedModule* module = find(pc);
  const auto row = module ? module->symbols->line_at(pc.value - module->bias) : std::nullopt;
  if (!row) return std::nullopt;
  return LineSpan{.range = loaded({row->address, row->end}, module->bias),
                  .file = std::string(row->file),
                  .line = row->line,
                  .is_statement = row->is_statement};
}

std::optional<LoadRange> Modules::function_range(LoadAddr pc) const {
  const MappedModule* module = find(pc);
  const std::uint64_t at = module ? pc.value - module->bias : 0;
  const auto function = module ? module->symbols->function_at(at) : std::nullopt;
  if (!function) return std::nullopt;
  for (const auto& range : function->ranges)
    if (range.contains(at)) return loaded(range, module->bias);
  return std::nullopt;
}

std::optional<LoadAddr> Modules::entry_of_program() const {
  const auto* program = impl_->with_role(Role::program);
  if (!program) return std::nullopt;
  return LoadAddr{program->mapped.symbols->entry() + program->mapped.bias};
}

LoadAddr Modules::after_prologue(LoadAddr function_begin) const {
  const MappedModule* module = find(function_begin);
  if (!module) return function_begin;
  return {module->symbols->after_prologue(function_begin.value - module->bias) + module->bias};
}

bool Modules::in_plt(LoadAddr pc) const {
  const MappedModule* module = find(pc);
  if (!module) return false;
  return std::ranges::any_of(std::initializer_list<std::string_view>{".plt", ".plt.sec", ".plt.got"}, [&](auto name) {
    const auto section = module->symbols->section(name);
    return section && section->contains(pc.value - module->bias);
  });
}

bool Modules::in_dynamic_loader(LoadAddr pc) const {
  const auto* entry = impl_->at(pc);
  return entry && entry->role == Role::loader;
}

Resolution Modules::resolve_line(std::string_view file, Line line, std::uint32_t column) const {
  Resolution exact, moved;
  std::string near_match, refusal;
  Line moved_to;
  bool known = false;
  std::set<std::string> files;
  for (const auto& entry : impl_->entries) {
    const auto& module = entry->mapped;
    if (!module.symbols->has_debug_info()) continue;
    const auto query = module.symbols->addresses_of(file, line, column);
    known = known || query.file_known;
    if (near_match.empty()) near_match = query.near_match;
    if (refusal.empty()) refusal = query.refusal;
    const bool here = query.moved_to.value == 0;
    if (!here && (moved_to.value == 0 || query.moved_to < moved_to)) {
      moved_to = query.moved_to;  // of several modules the nearest line counts
      moved.locations.clear();
    }
    if (!here && query.moved_to != moved_to) continue;
    for (const auto& match : query.matches) {
      files.insert(std::string(match.file));
      (here ? exact : moved)
          .locations.push_back({.address = {match.address + module.bias},
                                .module = module.id,
                                .function = function_name(*module.symbols, match),
                                .file = std::string(match.file),
                                .line = match.line,
                                .column = match.column,
                                .md5 = hex(match.md5)});
    }
  }
  if (exact.locations.empty()) {
    exact = std::move(moved);
    if (!exact.locations.empty())
      exact.message = fmt::format("line {} has no code; moved to line {}", line.value, moved_to.value);
  }
  if (exact.locations.empty()) {
    if (!refusal.empty())
      exact.message = refusal;
    else if (known)
      exact.message = fmt::format("no code at line {} of {} or behind it", line.value, file);
    else if (!near_match.empty())
      exact.message = fmt::format("no module was compiled from {}; did you mean {}?", file, near_match);
    else
      exact.message = fmt::format("no module with debug information was compiled from {}", file);
  } else if (files.size() > 1) {
    exact.message = fmt::format("{} names several files: {}", file, listed(files));
  }
  return exact;
}

Resolution Modules::resolve_function(std::string_view name) const {
  Resolution found;
  std::set<std::uint64_t> seen;
  const auto add = [&](const MappedModule& module, const sym::Function& function, std::uint64_t at) {
    if (!seen.insert(at + module.bias).second) return;
    ResolvedLocation location{
        .address = {at + module.bias}, .module = module.id, .function = function.name, .file = {}, .line = {}};
    if (const auto row = module.symbols->line_at(at)) {
      location.file = row->file;
      location.line = row->line;
      location.column = row->column;
    }
    found.locations.push_back(std::move(location));
  };
  for (const auto& entry : impl_->entries) {
    const auto& module = entry->mapped;
    for (const auto& function : module.symbols->functions_named(name))
      add(module, function, module.symbols->after_prologue(function.entry));
    if (name == "main" && !found.locations.empty()) return found;  // libraries may export one too; it is never meant
    for (const auto& inlined : module.symbols->inlined_instances(name)) add(module, inlined, inlined.entry);
  }
  if (!found.locations.empty()) return found;
  found.message = fmt::format("no function {} in the loaded modules", name);
  sym::Module::Near nearest;
  for (const auto& entry : impl_->entries)
    if (auto near = entry->mapped.symbols->similar_function(name);
        !near.name.empty() && (nearest.name.empty() || near.distance < nearest.distance))
      nearest = std::move(near);
  if (!nearest.name.empty()) found.message += fmt::format("; did you mean {}?", nearest.name);
  if (const auto pattern = sym::Regex::pattern_in(name); !pattern.empty())
    if (const auto regex = sym::Regex::compile(pattern); !regex) found.message = regex.error().message;
  return found;
}

std::optional<LoadAddr> Modules::symbol_address(std::string_view elf_name) const {
  for (const auto& entry : impl_->entries) {
    const auto symbols = entry->mapped.symbols->symbols_named(elf_name);
    if (!symbols.empty()) return LoadAddr{symbols.front().address + entry->mapped.bias};
  }
  return std::nullopt;
}

std::optional<std::pair<std::string, ByteCount>> Modules::symbol_at(LoadAddr at) const {
  const MappedModule* module = find(at);
  const auto symbol = module ? module->symbols->symbol_at(at.value - module->bias) : std::nullopt;
  if (!symbol) return std::nullopt;
  return std::pair(sym::demangle(symbol->name), ByteCount{at.value - module->bias - symbol->address});
}

std::vector<std::string> Modules::source_files() const {
  std::set<std::string> files;
  for (const auto& entry : impl_->entries)
    for (auto& file : entry->mapped.symbols->source_files()) files.insert(std::move(file));
  return {files.begin(), files.end()};
}

}  // namespace trapline::image
