// symbols.*, modules.*, source.*
#include "proto/rpc/method_rooms.hpp"

namespace trapline::rpc {
namespace {

struct FindParams {
  std::string query;
  std::uint32_t limit = 100;
};
struct SourceParams {
  std::string path;
};
struct SourceAnswer {
  std::string path;
  std::string text;
};

}  // namespace

template <>
struct Shape<FindParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("query", &FindParams::query), field("limit", &FindParams::limit)};
};
template <>
struct Shape<SourceParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("path", &SourceParams::path, "as a frame's file")};
};
template <>
struct Shape<SourceAnswer> {
  static constexpr std::string_view name = "Source";
  static constexpr auto fields = std::tuple{must("path", &SourceAnswer::path), must("text", &SourceAnswer::text)};
};

namespace {

Result<std::vector<proto::SymbolInfo>> find(Desk& desk, const FindParams& params) {
  return desk.control().find_symbols(params.query, params.limit);
}

Result<std::vector<proto::ModuleInfo>> modules(Desk& desk, const Nothing&) { return desk.control().modules(); }

void read_source(Desk& desk, const SourceParams& params, Reply<SourceAnswer> reply) {
  desk.control().read_source(params.path, [path = params.path, reply](Result<std::string> text) {
    if (!text) return reply(std::unexpected(text.error()));
    reply(SourceAnswer{.path = path, .text = *std::move(text)});
  });
}

Result<std::vector<std::string>> source_list(Desk& desk, const Nothing&) { return desk.control().source_files(); }

}  // namespace

void add_symbol_methods(Registry& registry) {
  registry.add("symbols.find",
               "Functions, types, variables and enumerators by name, by a part of it, or by /regular expression/.",
               find);
  registry.add("modules.list", "The program and the libraries it has loaded.", modules);
  registry.add_later("source.read", "The text of a source file.", read_source);
  registry.add("source.list", "The source files that the debug information names.", source_list);
}

}  // namespace trapline::rpc
