// DAP `stackTrace`, by pages: a deep stack costs what is asked for.
#include "dap/handlers/handlers.hpp"
#include "dap/shapes/frames.hpp"

namespace trapline::dap {

Result<spec::StackTraceResponse> handle(spec::StackTrace, Session& session, const spec::StackTraceArguments& args) {
  TL_TRY(const auto thread, thread_of(args.thread_id));
  TL_TRY(const auto page, session.control().stack(thread, args.start_frame, args.levels));
  spec::StackTraceResponse response{.stack_frames = {}, .total_frames = page.total};
  response.stack_frames.reserve(page.frames.size());
  for (const auto& frame : page.frames) {
    response.stack_frames.push_back(shape_frame(frame, session.handles(), session.sources(), session.coordinates()));
    response.stack_frames.back().name = formatted_name(frame, args.format, session.control(), session.coordinates());
  }
  return response;
}

}  // namespace trapline::dap
