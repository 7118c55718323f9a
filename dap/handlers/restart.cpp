// DAP `restart`: the same program again, with the newest arguments where the client sends them.
#include "dap/handlers/handlers.hpp"
#include "dap/launch_arguments.hpp"

namespace trapline::dap {

void handle(spec::Restart, Session& session, const spec::RestartArguments& args, Reply<spec::NoBody> reply) {
  std::optional<StartRequest> changed;
  if (args.arguments && session.settings().kind == StartKind::launch) {
    auto request = parse_start(StartKind::launch, *args.arguments);
    if (!request) return reply(std::unexpected(std::move(request).error()));
    changed = std::move(*request);
  }
  session.starter().restart(std::move(changed), std::move(reply));
}

}  // namespace trapline::dap
