// rpc, sessions, stats: JSON-RPC as it is.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/text.hpp"

namespace trapline::client {
namespace {

Json error_json(const Error& error) {
  Json object{{"code", static_cast<int>(error.code)},
              {"message", error.message},
              {"data", {{"blame", name_of(blame_for(error.code))}}}};
  if (!error.hint.empty()) object["data"]["hint"] = error.hint;
  return {{"error", std::move(object)}};
}

void print_line(const Json& value) {
  fmt::print("{}\n", value.dump(-1, ' ', false, Json::error_handler_t::replace));
  std::fflush(stdout);
}

// METHOD [JSON], or {"method": ..., "params": ...}.
Result<std::pair<std::string, Json>> read_call(const std::string& line) {
  const auto begin = line.find_first_not_of(" \t");
  if (line[begin] == '{') {
    auto object = Json::parse(line, nullptr, false);
    if (object.is_discarded() || !object.contains("method") || !object["method"].is_string())
      return fail(Errc::bad_request, fmt::format("no call: {}", line));
    return std::pair(object["method"].get<std::string>(), object.value("params", Json::object()));
  }
  const auto end = line.find_first_of(" \t", begin);
  const auto rest = end == std::string::npos ? std::string::npos : line.find_first_not_of(" \t", end);
  auto params = rest == std::string::npos ? Json::object() : Json::parse(line.substr(rest), nullptr, false);
  if (params.is_discarded())
    return fail(Errc::bad_request, fmt::format("the parameters are no JSON: {}", line.substr(rest)));
  return std::pair(line.substr(begin, end == std::string::npos ? end : end - begin), std::move(params));
}

}  // namespace

int failed(const Common& common, const Error& error) {
  if (common.json)
    print_line(error_json(error));
  else
    fmt::print(stderr, "trapline: {}\n{}", error.message, error.hint.empty() ? "" : fmt::format("  {}\n", error.hint));
  return 1;
}

int rpc_verb(const Common& common, const std::string& method, const std::string& text) {
  auto params = text.empty() ? Json::object() : Json::parse(text, nullptr, false);
  if (params.is_discarded())
    return failed(common, Error{.code = Errc::bad_request,
                                .message = fmt::format("the parameters are no JSON: {}", text),
                                .hint = "quote them for the shell: '{\"pid\": 1}'"});
  auto connection = connect_or_start(common.where);
  if (!connection) return failed(common, connection.error());
  const auto answer = (*connection)->call(method, std::move(params));
  if (!answer) {
    print_line(error_json(answer.error()));
    return 1;
  }
  print_line(*answer);
  return 0;
}

// One connection for the whole file, so that a session lives from its launch to the end. Stops at the first error.
int rpc_script_verb(const Common& common, const std::string& file) {
  std::ifstream opened;
  if (file != "-") {
    opened.open(file);
    if (!opened)
      return failed(common, Error{.code = Errc::not_found,
                                  .message = fmt::format("script {} cannot be read", file),
                                  .hint = "a file with a call a line: METHOD JSON; - reads stdin"});
  }
  std::istream& input = file == "-" ? std::cin : opened;
  auto connection = connect_or_start(common.where);
  if (!connection) return failed(common, connection.error());
  for (std::string line; std::getline(input, line);) {
    const auto begin = line.find_first_not_of(" \t\r");
    if (begin == std::string::npos || line[begin] == '#') continue;
    const auto call = read_call(line);
    if (!call) return failed(common, call.error());
    const auto answer = (*connection)->call(call->first, call->second);
    print_line(answer ? *answer : error_json(answer.error()));
    if (!answer) return 1;
  }
  return 0;
}

int sessions_verb(const Common& common) {
  auto connection = connect_or_start(common.where);
  if (!connection) return failed(common, connection.error());
  const auto sessions = (*connection)->call("session.list", Json::object());
  if (!sessions) return failed(common, sessions.error());
  if (common.json) {
    print_line(*sessions);
    return 0;
  }
  if (sessions->empty()) fmt::print("No sessions.\n");
  for (const auto& one : *sessions)
    fmt::print("{:<10} {:<9} pid {:<8} {} client{}  {}\n", one.value("session", ""), one.value("state", ""),
               one.value("pid", 0), one.value("clients", 0), one.value("clients", 0) == 1 ? "" : "s",
               one.value("program", ""));
  return 0;
}

int stats_verb(const Common& common, bool watch) {
  auto connection = connect_or_start(common.where);
  if (!connection) return failed(common, connection.error());
  do {
    const auto stats = (*connection)->call("stats.get", Json::object());
    if (!stats) return failed(common, stats.error());
    if (common.json)
      print_line(*stats);
    else
      for (const auto& [name, value] : stats->items())
        if (value.is_number())  // counters as they are, times in a readable number of digits
          fmt::print("{:<28} {:.10g}\n", name, value.get<double>());
        else
          fmt::print("{:<28} {}\n", name, value.dump());
    if (!watch) break;
    if (!common.json) fmt::print("\n");
    std::fflush(stdout);
  } while ((*connection)->poll(std::chrono::seconds(1)));
  return 0;
}

}  // namespace trapline::client
