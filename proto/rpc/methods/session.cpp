// session.*, rpc.discover, stats.*
#include "proto/rpc/method_rooms.hpp"

namespace trapline::rpc {
namespace {

struct Opened {
  std::string session;
  std::optional<Pid> pid;
  std::string program;
  proto::RunState state = proto::RunState::none;
};
struct JoinParams {
  std::string session;
};
struct AuthenticateParams {
  std::string token;
};
struct SubscribeParams {
  std::chrono::milliseconds interval{};
};

}  // namespace

template <>
struct Shape<Opened> {
  static constexpr std::string_view name = "Opened";
  static constexpr auto fields = std::tuple{must("session", &Opened::session), maybe("pid", &Opened::pid),
                                            maybe("program", &Opened::program), field("state", &Opened::state)};
};
template <>
struct Shape<JoinParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("session", &JoinParams::session, "an id of session.list")};
};
template <>
struct Shape<AuthenticateParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("token", &AuthenticateParams::token)};
};
template <>
struct Shape<SubscribeParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{must("intervalMs", &SubscribeParams::interval, "between two event.stats; 0 ends them")};
};

namespace {

Opened opened(Desk& desk) {
  const auto process = desk.control().process();
  return {.session = desk.session(),
          .pid = process ? std::optional(process->pid) : std::nullopt,
          .program = process ? process->name : "",
          .state = desk.control().state()};
}

// What launch and attach have in common once the debuggee is held.
Reply<proto::ProcessInfo> opening(Desk& desk, bool start, Reply<Opened> reply) {
  return [&desk, start, reply = std::move(reply)](Result<proto::ProcessInfo> process) {
    if (!process) return reply(std::unexpected(process.error()));
    if (start)
      if (const auto started = desk.control().start(); !started) return reply(std::unexpected(started.error()));
    reply(opened(desk));
  };
}

Result<bool> take_hold(Json& arguments) {
  const auto hold = arguments.find("hold");
  if (hold == arguments.end()) return false;
  if (!hold->is_boolean()) return fail(Errc::bad_request, "\"hold\" must be true or false");
  const bool value = hold->get<bool>();
  arguments.erase("hold");
  return value;
}

void launch(Desk& desk, const Json& params, Reply<Opened> reply) {
  Json arguments = params;
  const auto hold = take_hold(arguments);
  if (!hold) return reply(std::unexpected(hold.error()));
  const bool told = arguments.contains("stopOnEntry") || arguments.contains("stopAtEntry") ||
                    arguments.contains("stopAtBeginningOfMainSubprogram");
  auto spec = desk.launch_spec(arguments);
  if (!spec) return reply(std::unexpected(spec.error()));
  if (!told && !*hold) spec->stop_at = proto::StopAt::entry;
  desk.control().launch(*std::move(spec), opening(desk, !*hold, std::move(reply)));
}

void attach(Desk& desk, const Json& params, Reply<Opened> reply) {
  Json arguments = params;
  const auto hold = take_hold(arguments);
  if (!hold) return reply(std::unexpected(hold.error()));
  auto spec = desk.attach_spec(arguments);
  if (!spec) return reply(std::unexpected(spec.error()));
  desk.control().attach(*std::move(spec), opening(desk, !*hold, std::move(reply)));
}

void restart(Desk& desk, const Nothing&, Reply<Opened> reply) {
  desk.control().restart(std::nullopt, opening(desk, true, std::move(reply)));
}

void list(Desk& desk, const Nothing&, Reply<std::vector<SessionInfo>> reply) { desk.sessions(std::move(reply)); }

// The lobby did the joining where this connection was there; here it is answered, or refused.
Result<Opened> join(Desk& desk, const JoinParams& params) {
  if (params.session != desk.session())
    return fail_hint(Errc::wrong_state,
                     fmt::format("this connection is in session {} and cannot join {}", desk.session(), params.session),
                     "open another connection for the other session");
  return opened(desk);
}

Result<Nothing> done(Result<void> result) {
  if (!result) return std::unexpected(result.error());
  return Nothing{};
}

Result<Nothing> start(Desk& desk, const Nothing&) { return done(desk.control().start()); }
Result<Nothing> detach(Desk& desk, const Nothing&) { return done(desk.control().detach()); }
Result<Nothing> kill(Desk& desk, const Nothing&) { return done(desk.control().kill()); }
Result<Nothing> terminate(Desk& desk, const Nothing&) { return done(desk.control().terminate()); }
Result<Nothing> authenticate(Desk&, const AuthenticateParams&) { return Nothing{}; }
Result<Json> discover_all(Desk& desk, const Nothing&) { return desk.discover(); }
Result<std::map<std::string, double>> stats(Desk& desk, const Nothing&) { return desk.stats(); }
Result<Nothing> subscribe(Desk& desk, const SubscribeParams& params) {
  return done(desk.subscribe_stats(params.interval));
}
Result<Opened> info(Desk& desk, const Nothing&) { return opened(desk); }

void add_hold(Method& method) {
  method.params["properties"] = {
      {"hold", {{"type", "boolean"}, {"description", "leave the debuggee held until session.start"}}}};
  method.params["additionalProperties"] = true;
}

}  // namespace

void add_session_methods(Registry& registry) {
  auto& launching = registry.add_later("session.launch", "Start a program; the keys of a DAP launch request.", launch);
  launching.place = Place::opens;
  launching.in_order = true;
  add_hold(launching);
  auto& attaching =
      registry.add_later("session.attach", "Attach to a running process; the keys of a DAP attach request.", attach);
  attaching.place = Place::opens;
  attaching.in_order = true;
  add_hold(attaching);
  registry.add("session.join", "Become one more client of a session.", join).place = Place::opens;
  registry.add_later("session.list", "The sessions that live.", list).place = Place::anywhere;
  registry.add("session.info", "This connection's session.", info);
  registry.add("session.start", "Let a debuggee go that was launched or attached with hold.", start);
  registry.add("session.detach", "Leave the debuggee running, exactly as found.", detach);
  registry.add("session.kill", "Kill the debuggee.", kill);
  registry.add("session.terminate", "Ask the debuggee to end, with its graceful signal.", terminate);
  registry.add_later("session.restart", "Kill the launched program and start it again.", restart).in_order = true;
  registry.add("session.authenticate", "Present the token of --token-file; the first call over tcp.", authenticate)
      .place = Place::anywhere;
  registry.add("rpc.discover", "This document.", discover_all).place = Place::anywhere;
  registry.add("stats.get", "Counters by name.", stats).place = Place::anywhere;
  registry.add("stats.subscribe", "Send event.stats every intervalMs.", subscribe);
}

}  // namespace trapline::rpc
