// DAP `disconnect`: a launched program ends, an attached one is left as it was found, unless the client says otherwise.
#include "dap/handlers/handlers.hpp"

namespace trapline::dap {
namespace {

bool wants_termination(Session& session, const spec::DisconnectArguments& args) {
  if (args.terminate_debuggee) return *args.terminate_debuggee;
  if (session.starter().joined()) return false;
  if (session.settings().on_disconnect != OnDisconnect::as_started)
    return session.settings().on_disconnect == OnDisconnect::terminate;
  return session.settings().kind == StartKind::launch;
}

bool already_gone(const Error& error) {
  return error.code == Errc::process_gone || error.code == Errc::no_debuggee || error.code == Errc::no_process;
}

}  // namespace

void handle(spec::Disconnect, Session& session, const spec::DisconnectArguments& args, Reply<spec::NoBody> reply) {
  const auto leave = [&session, reply] {
    reply(spec::NoBody{});
    session.end();
  };
  auto& control = session.control();
  if (session.starter().waiting()) {
    session.cancel_starts();
    return leave();
  }
  const auto state = control.state();
  const bool there = state != proto::RunState::none && state != proto::RunState::exited;
  if (!there || !session.starter().following()) {
    session.breakpoints().clear();
    return leave();
  }
  if (wants_termination(session, args)) {
    if (auto killed = control.kill(); !killed && !already_gone(killed.error()))
      return reply(std::unexpected(std::move(killed).error()));
    return session.when_gone(leave);  // the client hears `exited` and `terminated` before the answer
  }
  if (session.others() == Others::some) {
    session.breakpoints().clear();
    return leave();
  }
  if (auto left = control.detach(); !left && !already_gone(left.error()))
    return reply(std::unexpected(std::move(left).error()));
  leave();
}

}  // namespace trapline::dap
