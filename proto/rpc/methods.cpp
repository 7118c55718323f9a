#include "proto/rpc/methods.hpp"

#include <algorithm>

#include "proto/rpc/method_rooms.hpp"
#include "proto/wire/nearest.hpp"

namespace trapline::rpc {
namespace {

MethodTable make_table() {
  MethodTable table;
  Registry registry(table);
  add_session_methods(registry);
  add_breakpoint_methods(registry);
  add_execution_methods(registry);
  add_look_methods(registry);
  add_memory_methods(registry);
  add_symbol_methods(registry);
  std::ranges::sort(table.methods, {}, &Method::name);
  return table;
}

// OpenRPC: the parameters of a method are a list of named ones, out of the object's schema.
Json parameter_list(const Json& schema) {
  Json list = Json::array();
  const auto properties = schema.value("properties", Json::object());
  const auto required = schema.value("required", Json::array());
  for (const auto& [name, property] : properties.items()) {
    Json entry{{"name", name}, {"schema", property}};
    if (std::ranges::find(required, Json(name)) != required.end()) entry["required"] = true;
    list.push_back(std::move(entry));
  }
  return list;
}

void add_properties(Json& schema, const Json& more) {
  const auto properties = more.find("properties");
  if (properties == more.end()) return;
  for (const auto& [key, value] : properties->items()) schema["properties"][key] = value;
}

}  // namespace

const Method* MethodTable::find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(methods, name, {}, &Method::name);
  return found != methods.end() && found->name == name ? &*found : nullptr;
}

const MethodTable& method_table() {
  static const MethodTable table = make_table();
  return table;
}

Error unknown_method(std::string_view name) {
  std::vector<std::string_view> known;
  for (const auto& method : method_table().methods) known.emplace_back(method.name);
  const auto near = wire::nearest(name, known);
  return {.code = Errc::unknown_request,
          .message = fmt::format("no method is called \"{}\"", name.substr(0, 80)),
          .os_errno = 0,
          .hint = near ? fmt::format("did you mean \"{}\"? rpc.discover lists all methods", *near)
                       : "rpc.discover lists all methods"};
}

void dispatch(Desk& desk, const Call& call, Answer answer) {
  const auto* method = method_table().find(call.method);
  if (method == nullptr) return answer(std::unexpected(unknown_method(call.method)));
  if (!call.params.is_object())
    return answer(
        fail_hint(Errc::bad_request, "parameters go by name, not by position", R"(write "params": {"name": value})"));
  method->run(desk, call.params, [name = method->name, answer = std::move(answer)](Result<Json> value) {
    if (!value && value.error().code == Errc::bad_request) {
      auto error = std::move(value).error();
      error.message = fmt::format("{}: {}", name, error.message);
      return answer(std::unexpected(std::move(error)));
    }
    answer(std::move(value));
  });
}

Json discover(const Json& launch, const Json& attach) {
  const auto& table = method_table();
  Components components = table.components;
  Json methods = Json::array();
  for (const auto& method : table.methods) {
    Json params = method.params;
    if (method.name == "session.launch") add_properties(params, launch);
    if (method.name == "session.attach") add_properties(params, attach);
    methods.push_back({{"name", method.name},
                       {"summary", method.summary},
                       {"paramStructure", "by-name"},
                       {"params", parameter_list(params)},
                       {"result", {{"name", "result"}, {"schema", method.result}}}});
  }
  Json events = Json::array();
  for (auto& [name, schema] : event_schemas(components))
    events.push_back({{"name", "event." + name}, {"params", std::move(schema)}});
  Json schemas = Json::object();
  for (auto& [name, schema] : components) schemas[name] = schema;
  return {{"openrpc", "1.2.6"},
          {"info", {{"title", "trapline"}, {"version", "0.1.0"}, {"license", {{"name", "Apache-2.0"}}}}},
          {"methods", methods},
          {"x-events", events},
          {"components", {{"schemas", schemas}}}};
}

Result<Tid> thread_or_current(proto::Control& control, const std::optional<Tid>& named) {
  if (named) return *named;
  if (const auto stop = control.current_stop()) return stop->thread;
  TL_TRY(const auto threads, control.threads());
  if (!threads.empty()) return threads.front().id;
  return fail_hint(Errc::no_debuggee, "there is no thread", "call session.launch or session.attach first");
}

Result<FrameId> frame_or_current(proto::Control& control, const std::optional<FrameId>& named,
                                 const std::optional<Tid>& thread) {
  if (named) return *named;
  TL_TRY(const auto tid, thread_or_current(control, thread));
  TL_TRY(const auto page, control.stack(tid, 0, 1));
  if (page.frames.empty()) return fail(Errc::not_found, fmt::format("thread {} has no frame", tid.value));
  return page.frames.front().id;
}

}  // namespace trapline::rpc
