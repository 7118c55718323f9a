#include "dap/handlers/handlers.hpp"

namespace trapline::dap {

Result<spec::NoBody> handle(spec::ConfigurationDone, Session& session, const spec::NoArguments&) {
  TL_TRY_VOID(session.starter().configuration_done());
  return spec::NoBody{};
}

}  // namespace trapline::dap
