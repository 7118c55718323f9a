#include "dap/handlers/handlers.hpp"
#include "dap/shapes/values.hpp"

namespace trapline::dap {

Result<spec::ScopesResponse> handle(spec::Scopes, Session& session, const spec::ScopesArguments& args) {
  TL_TRY(const auto frame, session.handles().frames.find(args.frame_id));
  TL_TRY(const auto scopes, session.control().scopes(frame));
  spec::ScopesResponse response;
  for (const auto& scope : scopes) {
    if (scope.kind == proto::ScopeKind::registers && !session.settings().show_registers) continue;
    if (scope.kind == proto::ScopeKind::globals && !session.settings().show_globals) continue;
    response.scopes.push_back(shape_scope(scope, session.handles()));
  }
  return response;
}

}  // namespace trapline::dap
