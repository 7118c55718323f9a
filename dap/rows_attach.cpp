// Arguments of attach alone.
#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "dap/rows.hpp"

namespace trapline::dap {
namespace {

using nlohmann::json;

constexpr std::string_view text = R"({"type":"string"})";

// "${command:pickProcess}" gives a string.
void apply_pid(Draft& draft, const json& value) {
  std::int64_t pid = 0;
  if (value.is_string()) {
    const auto& digits = value.get_ref<const std::string&>();
    const auto [rest, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
    if (digits.empty() || rest != digits.data() + digits.size() || problem != std::errc{})
      return draft.refuse(
          Errc::bad_request, fmt::format("pid: '{}' is no process number", digits),
          digits.starts_with("${") ? "the editor left the variable as it is; does it know the command?" : "");
  } else {
    pid = value.get<std::int64_t>();
  }
  if (pid < 1 || pid > std::numeric_limits<pid_t>::max())
    return draft.refuse(Errc::bad_request, fmt::format("pid: {} is no process number", pid));
  draft.request.attach.pid = Pid{static_cast<pid_t>(pid)};
}

void apply_name(Draft& draft, const json& value) { draft.request.attach.name = value.get<std::string>(); }

void apply_wait_for(Draft& draft, const json& value) {
  if (value.is_string()) draft.request.attach.name = value.get<std::string>();
  draft.request.attach.wait_for = value.is_string() || value == true;
}

void apply_on_disconnect(Draft& draft, const json& value) {
  if (value == "terminate")
    draft.request.on_disconnect = OnDisconnect::terminate;
  else
    draft.request.on_disconnect = OnDisconnect::detach;
  if (value == "suspend" || value == "keep")
    draft.warn(fmt::format("'onDisconnect' \"{}\" is not available in this version: the program is left running",
                           value.get<std::string>()));
}

}  // namespace

std::vector<Row> attach_rows() {
  using enum Where;
  return {
      {"pid", attach, R"({"type":["integer","string"]})", "", "Number of the process.", apply_pid, {{"processId"}}},
      {"processName", attach, text, "",
       "Name of the process: a glob on its program's name or its command name. Clients that send no `type` and "
       "`request` "
       "may call it `name`; in an editor's configuration that is the title.",
       apply_name},
      {"waitFor", attach, R"({"type":["boolean","string"]})", "false",
       "Wait for a process of that name to start; a string is the name.", apply_wait_for},
      {"all", attach, R"({"type":"boolean"})", "false", "Attach to every process of that name.",
       [](Draft& d, const json& v) {
         if (v == true) refuse_feature(d, "all", "attach to each process in a session of its own");
       }},
      {"container",
       attach,
       R"({"type":["string","object"]})",
       "",
       "Container or namespace of the process.",
       [](Draft& d, const json&) { refuse_feature(d, "container", "attach by the process's number on this machine"); },
       {{"namespace"}, {"pipeTransport"}}},
      {"stopOnAttach",
       attach,
       R"({"type":"boolean"})",
       "false",
       "Stop the process once attached.",
       [](Draft& d, const json& v) { d.request.attach.stop_on_attach = v.get<bool>(); },
       {{"stopAtEntry"},
        {"stopOnEntry", R"({"type":["boolean","string"]})", [](const json& v) { return json(v != false); }}}},
      {"onDisconnect", attach, R"({"type":"string","enum":["detach","suspend","terminate","keep"]})", R"("detach")",
       "What happens to the program when the editor disconnects.", apply_on_disconnect},
  };
}

}  // namespace trapline::dap
