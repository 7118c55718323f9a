// Modules, source files, symbols, counters.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "daemon/session/session_impl.hpp"
#include "daemon/sym/regex.hpp"
#include "daemon/util/rooted.hpp"

namespace trapline::session {
namespace {

constexpr std::uintmax_t largest_source = 64u << 20;

const char* kind_text(sym::Module::Named::Kind kind) {
  switch (kind) {
    case sym::Module::Named::Kind::type: return "type";
    case sym::Module::Named::Kind::variable: return "variable";
    case sym::Module::Named::Kind::enumerator: return "enumerator";
  }
  return "";
}

// Those that the query names first: by its parameters, its template arguments, a regular expression. Then those that
// contain it.
std::vector<sym::Function> functions_for(const sym::Module& symbols, const std::string& query, std::size_t limit) {
  auto found = query.empty() ? std::vector<sym::Function>{} : symbols.functions_named(query);
  if (sym::Regex::pattern_in(query).empty() && query.find('(') == std::string::npos) {
    std::set<std::uint64_t> known;
    for (const auto& function : found) known.insert(function.entry);
    for (auto& function : symbols.search_functions(query, limit))
      if (known.insert(function.entry).second) found.push_back(std::move(function));
  }
  if (found.size() > limit) found.resize(limit);
  return found;
}

}  // namespace

std::vector<proto::ModuleInfo> Session::modules() {
  std::vector<proto::ModuleInfo> list;
  if (!modules_) return list;
  for (const auto* module : modules_->all()) list.push_back(describe(*module));
  return list;
}

Result<std::vector<std::string>> Session::source_files() {
  TL_TRY_VOID(require_debuggee());
  std::set<std::string> files;
  for (const auto& file : modules_->source_files())
    if (auto local = sources_.to_local(file); !local.empty()) files.insert(std::move(local));
  return std::vector<std::string>(files.begin(), files.end());
}

Result<std::string> read_text(const std::string& file) {
  std::error_code problem;
  if (std::filesystem::file_size(file, problem) > largest_source || problem)
    return fail(Errc::too_large, fmt::format("source file {} is over 64 MiB", file));
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return fail(Errc::not_found, fmt::format("source file {} cannot be read", file));
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

Result<std::string> Session::source_text(const std::string& path) {
  namespace fs = std::filesystem;
  auto local = sources_.to_local(path);
  std::error_code problem;
  // In a container the source may lie where the program was built.
  if (modules_ && !modules_->root().empty() && !local.empty() && !fs::is_regular_file(local, problem))
    local = util::path_in_root(modules_->root(), path);
  if (local.empty() || !fs::is_regular_file(local, problem))
    return fail_hint(Errc::not_found, fmt::format("source file {} is not on this machine", path),
                     "map its folder with `sourceMap`");
  return read_text(local);
}

Result<std::vector<proto::SymbolInfo>> Session::find_symbols(const std::string& query, std::uint32_t limit) {
  TL_TRY_VOID(require_debuggee());
  const auto pattern = sym::Regex::pattern_in(query);
  if (!pattern.empty()) TL_TRY_VOID(sym::Regex::compile(pattern));
  std::vector<proto::SymbolInfo> found;
  for (const auto* module : modules_->all()) {
    if (!module->symbols || found.size() >= limit) continue;
    const auto name = std::filesystem::path(module->path).filename().string();
    for (const auto& function : functions_for(*module->symbols, query, limit - found.size())) {
      proto::SymbolInfo symbol{.name = function.name,
                               .kind = "function",
                               .address = LoadAddr{function.entry + module->bias},
                               .file = {},
                               .line = {},
                               .module = name};
      if (const auto place = modules_->place(symbol.address)) {
        symbol.file = sources_.to_local(place->file);
        symbol.line = place->line;
      }
      found.push_back(std::move(symbol));
    }
    for (const auto& one : module->symbols->find_named(query, limit - found.size()))
      found.push_back({.name = one.name,
                       .kind = kind_text(one.kind),
                       .address = LoadAddr{one.address ? *one.address + module->bias : 0},
                       .file = one.file.empty() ? std::string{} : sources_.to_local(std::string(one.file)),
                       .line = one.line,
                       .module = name});
  }
  return found;
}

std::map<std::string, double> Session::stats() {
  std::map<std::string, double> numbers;
  const auto listed = breakpoints_.all();
  numbers["breakpoints"] = static_cast<double>(listed.size());
  double hits = 0;
  double evaluations = 0;
  for (const auto& breakpoint : listed) {
    hits += static_cast<double>(breakpoint.hits);
    evaluations += static_cast<double>(breakpoint.evaluations);
  }
  numbers["breakpointHits"] = hits;
  numbers["breakpointEvaluations"] = evaluations;
  if (modules_) numbers["modules"] = static_cast<double>(modules_->all().size());
  if (!inferior_) return numbers;
  const auto counters = inferior_->counters();
  numbers["threads"] = static_cast<double>(inferior_->threads().size());
  numbers["sites"] = static_cast<double>(inferior_->sites().size());
  numbers["stops"] = static_cast<double>(counters.stops);
  numbers["internalStops"] = static_cast<double>(counters.internal_stops);
  numbers["stepsOver"] = static_cast<double>(counters.steps_over);
  numbers["emulated"] = static_cast<double>(counters.emulated);
  numbers["displaced"] = static_cast<double>(counters.displaced);
  numbers["inPlace"] = static_cast<double>(counters.in_place);
  numbers["wakeups"] = static_cast<double>(counters.wakeups);
  return numbers;
}

}  // namespace trapline::session
