// DAP `next`, `stepIn` and `stepOut`: one verb with three directions.
#include "dap/handlers/handlers.hpp"

namespace trapline::dap {
namespace {

proto::StepUnit unit_of(spec::SteppingGranularity granularity) {
  switch (granularity) {
    case spec::SteppingGranularity::statement: return proto::StepUnit::statement;
    case spec::SteppingGranularity::line: return proto::StepUnit::line;
    case spec::SteppingGranularity::instruction: return proto::StepUnit::instruction;
  }
  return proto::StepUnit::statement;
}

Result<spec::NoBody> step(Session& session, const spec::StepArguments& args, proto::StepKind kind) {
  TL_TRY(const auto thread, thread_of(args.thread_id));
  TL_TRY_VOID(session.control().step(
      {.thread = thread, .kind = kind, .unit = unit_of(args.granularity), .single_thread = args.single_thread}));
  session.resumed_by_us();
  return spec::NoBody{};
}

}  // namespace

Result<spec::NoBody> handle(spec::Next, Session& session, const spec::StepArguments& args) {
  return step(session, args, proto::StepKind::over);
}

Result<spec::NoBody> handle(spec::StepIn, Session& session, const spec::StepArguments& args) {
  return step(session, args, proto::StepKind::into);
}

Result<spec::NoBody> handle(spec::StepOut, Session& session, const spec::StepArguments& args) {
  return step(session, args, proto::StepKind::out);
}

}  // namespace trapline::dap
