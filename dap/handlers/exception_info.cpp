#include "dap/handlers/handlers.hpp"

namespace trapline::dap {

Result<spec::ExceptionInfoResponse> handle(spec::ExceptionInfo, Session& session,
                                           const spec::ExceptionInfoArguments& args) {
  TL_TRY(const auto thread, thread_of(args.thread_id));
  TL_TRY(const auto info, session.control().exception_info(thread));
  return spec::ExceptionInfoResponse{
      .exception_id = info.id,
      .description = info.description,
      .break_mode = info.unhandled ? "unhandled" : "always",
      .details = {.message = info.what.empty() ? info.description : info.what, .type_name = info.type_name}};
}

}  // namespace trapline::dap
