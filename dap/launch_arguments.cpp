#include "dap/launch_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "dap/launch_table.hpp"
#include "proto/wire/nearest.hpp"
#include "proto/wire/schema.hpp"

namespace trapline::dap {
namespace {

using nlohmann::json;

bool belongs(Where where, StartKind kind) {
  return where == Where::both || (where == Where::launch) == (kind == StartKind::launch);
}

// A value that asks for nothing: no reason to warn that the feature is missing.
bool asks_nothing(const json& value, std::string_view fallback) {
  if (value == false || value == "none" || value == "off" || value == "") return true;
  if ((value.is_array() || value.is_object()) && value.empty()) return true;
  return !fallback.empty() && value == json::parse(fallback);
}

// Takes the keys of one row out of `arguments`, aliases first, so that the canonical name has the last word.
void read_row(const Row& row, const json& arguments, Draft& draft) {
  const auto take = [&](std::string_view key, std::string_view schema, Convert convert) {
    const auto found = arguments.find(std::string(key));
    if (found == arguments.end() || found->is_null() || draft.problem) return;
    const json shape = json::parse(schema);
    if (auto fits = wire::check_schema(shape, *found, key, shape); !fits) {
      draft.problem = std::move(fits).error();
      return;
    }
    const json value = convert ? convert(*found) : *found;
    if (value.is_null()) return;
    if (row.apply) return row.apply(draft, value);
    if (!asks_nothing(value, row.fallback))
      draft.warn(fmt::format("'{}' is not available in this version and has no effect", key));
  };
  for (const auto& alias : row.aliases)
    take(alias.name, alias.schema.empty() ? row.schema : alias.schema, alias.convert);
  take(row.name, row.schema, nullptr);
}

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Names what will have no effect: keys of the other request, keys of other debuggers, and keys that nobody knows.
void report_keys(StartKind kind, const json& arguments, Draft& draft) {
  std::vector<std::string_view> here, there;
  for (const auto& row : rows()) {
    auto& names = belongs(row.where, kind) ? here : there;
    names.push_back(row.name);
    for (const auto& alias : row.aliases) names.push_back(alias.name);
  }
  const std::string_view us = kind == StartKind::launch ? "launch" : "attach";
  const std::string_view other = kind == StartKind::launch ? "attach" : "launch";
  std::string foreign;
  for (const auto& [key, value] : arguments.items()) {
    if (contains(here, key) || contains(editor_keys(), key)) continue;
    if (contains(foreign_keys(), key)) {
      foreign += (foreign.empty() ? "" : ", ") + key;
    } else if (contains(there, key)) {
      draft.note(fmt::format("'{}' is an argument of {} and has no effect on {}", key, other, us));
    } else if (const auto near = wire::nearest(key, here)) {
      draft.warn(fmt::format("unknown {} argument '{}' has no effect; did you mean '{}'?", us, key, *near));
    } else {
      draft.warn(fmt::format("unknown {} argument '{}' has no effect", us, key));
    }
  }
  if (!foreign.empty()) draft.note(fmt::format("ignored, since they mean nothing to trapline: {}", foreign));
}

// `name` is the process's name, unless an editor sent its whole configuration (then `type` and `request` come along):
// there it is the configuration's title, and a process that happens to be called the same is not what was meant.
void settle_attach_target(const json& arguments, Draft& draft) {
  auto& attach = draft.request.attach;
  if (attach.pid || !draft.request.session.empty()) {
    attach.name.clear();
    return;
  }
  if (!attach.name.empty()) return;
  const auto name = arguments.find("name");
  const bool from_editor = arguments.contains("type") || arguments.contains("request");
  if (name != arguments.end() && name->is_string() && !from_editor) {
    attach.name = name->get<std::string>();
  } else if (!attach.program.empty()) {
    attach.name = attach.program.substr(attach.program.find_last_of('/') + 1);
  } else if (name != arguments.end() && from_editor) {
    draft.refuse(
        Errc::bad_request,
        "attach: which process? neither pid nor processName is given, and `name` is this configuration's title",
        R"(set "pid" to its number, or "processName" to its program's name)");
  } else {
    draft.refuse(Errc::bad_request, "attach: which process? neither pid nor name is given",
                 R"(set "pid" to its number, or "name" to its program's name)");
  }
}

json schema_for(StartKind kind) {
  json properties = json::object();
  for (const auto& row : rows()) {
    if (!belongs(row.where, kind)) continue;
    json entry = json::parse(row.schema);
    entry["description"] = row.description;
    if (!row.fallback.empty()) entry["default"] = json::parse(row.fallback);
    properties[std::string(row.name)] = std::move(entry);
    for (const auto& alias : row.aliases) {
      json other = json::parse(alias.schema.empty() ? row.schema : alias.schema);
      other["description"] = fmt::format("Another name for `{}`.", row.name);
      if (!properties.contains(std::string(alias.name))) properties[std::string(alias.name)] = std::move(other);
    }
  }
  json schema{{"type", "object"}, {"properties", std::move(properties)}};
  if (kind == StartKind::launch) schema["required"] = {"program"};
  return schema;
}

}  // namespace

Result<StartRequest> parse_start(StartKind kind, const nlohmann::json& arguments) {
  const std::string_view us = kind == StartKind::launch ? "launch" : "attach";
  if (!arguments.is_object()) return fail(Errc::bad_request, fmt::format("{}: its arguments are an object", us));
  try {
    Draft draft;
    draft.request.kind = kind;
    for (const auto& row : rows())
      if (belongs(row.where, kind)) read_row(row, arguments, draft);
    report_keys(kind, arguments, draft);
    if (!draft.problem && kind == StartKind::attach) settle_attach_target(arguments, draft);
    if (!draft.problem && kind == StartKind::launch && draft.request.launch.program.empty())
      draft.refuse(Errc::bad_request, "launch: program: is missing", "set \"program\" to the path of what to run");
    if (draft.problem) {
      if (!draft.problem->message.starts_with(us))
        draft.problem->message = fmt::format("{}: {}", us, draft.problem->message);
      return std::unexpected(std::move(*draft.problem));
    }
    return std::move(draft.request);
  } catch (const json::exception& e) {  // a row's schema and its apply disagree
    return fail(Errc::internal, fmt::format("{}: {}", us, e.what()));
  }
}

nlohmann::json launch_schema() { return schema_for(StartKind::launch); }
nlohmann::json attach_schema() { return schema_for(StartKind::attach); }

void Draft::refuse(Errc code, std::string text, std::string hint) {
  if (!problem) problem = Error{.code = code, .message = std::move(text), .os_errno = 0, .hint = std::move(hint)};
}

proto::SourceOptions& Draft::sources() {
  return request.kind == StartKind::launch ? request.launch.sources : request.attach.sources;
}

proto::EvaluationOptions& Draft::evaluation() {
  return request.kind == StartKind::launch ? request.launch.evaluation : request.attach.evaluation;
}

std::map<std::string, proto::SignalPolicy>& Draft::signals() {
  return request.kind == StartKind::launch ? request.launch.signals : request.attach.signals;
}

}  // namespace trapline::dap
