#include "dap/dispatch.hpp"

#include <fmt/format.h>

#include <array>

#include "dap/handlers/handlers.hpp"
#include "dap/session.hpp"
#include "proto/wire/fields.hpp"
#include "proto/wire/nearest.hpp"

namespace trapline::dap {
namespace {

namespace spec = proto::dap;

template <class Request>
void run(Session& session, spec::Seq request, const nlohmann::json& raw) {
  static const nlohmann::json none = nlohmann::json::object();
  auto args = wire::read<typename Request::Arguments>(raw.is_null() ? none : raw, "arguments");
  if (!args) return session.answer(request, std::unexpected(std::move(args).error()));
  using Response = typename Request::Response;
  const auto to_body = [](Result<Response> response) -> Result<nlohmann::json> {
    if (!response) return std::unexpected(std::move(response).error());
    return nlohmann::json(*response);
  };
  if constexpr (requires { handle(Request{}, session, *args, Reply<Response>{}); }) {
    handle(Request{}, session, *args, session.guarded([&session, request, to_body](Result<Response> response) {
      session.answer(request, to_body(std::move(response)));
    }));
  } else {
    session.answer(request, to_body(handle(Request{}, session, *args)));
  }
}

template <class Request>
constexpr Route route() {
  return {Request::command, Request::needs, Request::capabilities, run<Request>};
}

constexpr std::array table{
    route<spec::Initialize>(),
    route<spec::Launch>(),
    route<spec::Attach>(),
    route<spec::ConfigurationDone>(),
    route<spec::Restart>(),
    route<spec::Disconnect>(),
    route<spec::Terminate>(),
    route<spec::Cancel>(),
    route<spec::SetBreakpoints>(),
    route<spec::SetFunctionBreakpoints>(),
    route<spec::SetInstructionBreakpoints>(),
    route<spec::SetExceptionBreakpoints>(),
    route<spec::Continue>(),
    route<spec::Next>(),
    route<spec::StepIn>(),
    route<spec::StepOut>(),
    route<spec::Pause>(),
    route<spec::Threads>(),
    route<spec::StackTrace>(),
    route<spec::Scopes>(),
    route<spec::Variables>(),
    route<spec::SetVariable>(),
    route<spec::Evaluate>(),
    route<spec::SetExpression>(),
    route<spec::Completions>(),
    route<spec::ExceptionInfo>(),
    route<spec::SourceText>(),
    route<spec::Modules>(),
    route<spec::LoadedSources>(),
    route<spec::ReadMemory>(),
    route<spec::WriteMemory>(),
    route<spec::Disassemble>(),
};

std::string sentence(const Error& error) {
  std::string text = error.message;
  if (!error.hint.empty()) text += fmt::format("; {}", error.hint);
  if (blame_for(error.code) == Blame::us)
    text += fmt::format(" (a bug in trapline, please report it: {}:{})", error.where.file_name(), error.where.line());
  return text;
}

// What an editor asks by itself after a stop; who goes on at once overtakes it.
bool asked_by_itself(std::string_view command) {
  return command == spec::StackTrace::command || command == spec::Scopes::command ||
         command == spec::Variables::command || command == spec::ExceptionInfo::command;
}

// An editor shows an expression's error in its place, and asks about frames of a stop that is over as a matter of
// course: a dialog on top of that would only be in the way.
bool show_user(const Error& error, std::string_view command) {
  if (error.code == Errc::cancelled || error.code == Errc::stale_reference) return false;
  if ((error.code == Errc::not_stopped || error.code == Errc::no_debuggee) && asked_by_itself(command)) return false;
  return command != spec::Evaluate::command && blame_for(error.code) != Blame::nobody;
}

}  // namespace

std::span<const Route> routes() { return table; }

Result<const Route*> find_route(std::string_view command) {
  std::array<std::string_view, table.size()> known;
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].command == command) return &table[i];
    known[i] = table[i].command;
  }
  if (const auto near = wire::nearest(command, known))
    return fail(Errc::unknown_request, fmt::format("unknown request '{}'; did you mean '{}'?", command, *near));
  return fail(Errc::unknown_request, fmt::format("unknown request '{}'", command));
}

Result<void> check_needs(const Route& route, const proto::Control& control, bool starting) {
  if (route.needs == spec::Needs::nothing || (route.needs == spec::Needs::start && starting)) return {};
  switch (control.state()) {
    case proto::RunState::none:
      return fail_hint(Errc::no_debuggee, fmt::format("{}: no program is being debugged", route.command),
                       "send launch or attach first");
    case proto::RunState::exited:
      return fail_hint(Errc::no_debuggee, fmt::format("{}: the program has ended", route.command),
                       "restart it, or disconnect");
    case proto::RunState::held:
      if (route.needs != spec::Needs::stopped) return {};
      return fail_hint(Errc::not_stopped, fmt::format("{}: the program has not been started", route.command),
                       "send configurationDone first");
    case proto::RunState::running:
      if (route.needs != spec::Needs::stopped) return {};
      return fail_hint(Errc::not_stopped, fmt::format("{}: the program is running", route.command), "pause it first");
    case proto::RunState::stopped: return {};
  }
  return {};
}

nlohmann::json error_answer(spec::Seq request, std::string_view command, const Error& error) {
  const auto text = sentence(error);
  // The two short forms of the specification; clients that know no body.error show this text.
  const std::string_view short_form = error.code == Errc::cancelled     ? "cancelled"
                                      : error.code == Errc::not_stopped ? "notStopped"
                                                                        : std::string_view(text);
  return spec::error_envelope(
      request, command, short_form,
      {.id = static_cast<std::int32_t>(error.code), .format = text, .show_user = show_user(error, command)});
}

spec::Capabilities collect_capabilities() {
  spec::Capabilities all;
  for (const auto& one : table)
    all.supported.insert(all.supported.end(), one.capabilities.begin(), one.capabilities.end());
  all.breakpoint_modes = {
      {"auto", "Automatic", "The cheapest way that is correct at this place", {"source", "instruction"}},
      {"trap", "Trap", "A trap instruction in the program's text", {"source", "instruction"}}};
  all.completion_trigger_characters = {".", ">", ":", "$"};
  return all;
}

nlohmann::json capabilities() { return nlohmann::json(collect_capabilities()); }

}  // namespace trapline::dap
