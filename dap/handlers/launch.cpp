// DAP `launch` and `attach`: answered once the client is configured and the debuggee is there.
#include "dap/handlers/handlers.hpp"
#include "dap/launch_arguments.hpp"

namespace trapline::dap {
namespace {

void start(StartKind kind, Session& session, const spec::StartArguments& args, Reply<spec::NoBody> reply) {
  auto request = parse_start(kind, args.raw);
  if (!request) return reply(std::unexpected(std::move(request).error()));
  session.when_cancelled([&session] { session.starter().cancel(); });
  session.starter().start(std::move(*request), std::move(reply));
}

}  // namespace

void handle(spec::Launch, Session& session, const spec::StartArguments& args, Reply<spec::NoBody> reply) {
  start(StartKind::launch, session, args, std::move(reply));
}

void handle(spec::Attach, Session& session, const spec::StartArguments& args, Reply<spec::NoBody> reply) {
  start(StartKind::attach, session, args, std::move(reply));
}

}  // namespace trapline::dap
