#pragma once
// One handler a request. Those that take a Reply may answer later. No JSON here: the dispatcher reads and writes it.
#include "dap/session.hpp"
#include "proto/dap/requests.hpp"

namespace trapline::dap {

namespace spec = proto::dap;

Result<spec::Capabilities> handle(spec::Initialize, Session& session, const spec::InitializeArguments& args);
void handle(spec::Launch, Session& session, const spec::StartArguments& args, Reply<spec::NoBody> reply);
void handle(spec::Attach, Session& session, const spec::StartArguments& args, Reply<spec::NoBody> reply);
Result<spec::NoBody> handle(spec::ConfigurationDone, Session& session, const spec::NoArguments& args);
void handle(spec::Restart, Session& session, const spec::RestartArguments& args, Reply<spec::NoBody> reply);
void handle(spec::Disconnect, Session& session, const spec::DisconnectArguments& args, Reply<spec::NoBody> reply);
Result<spec::NoBody> handle(spec::Terminate, Session& session, const spec::TerminateArguments& args);
Result<spec::NoBody> handle(spec::Cancel, Session& session, const spec::CancelArguments& args);

Result<spec::BreakpointsResponse> handle(spec::SetBreakpoints, Session& session,
                                         const spec::SetBreakpointsArguments& args);
Result<spec::BreakpointsResponse> handle(spec::SetFunctionBreakpoints, Session& session,
                                         const spec::SetFunctionBreakpointsArguments& args);
Result<spec::BreakpointsResponse> handle(spec::SetInstructionBreakpoints, Session& session,
                                         const spec::SetInstructionBreakpointsArguments& args);
Result<spec::BreakpointsResponse> handle(spec::SetExceptionBreakpoints, Session& session,
                                         const spec::SetExceptionBreakpointsArguments& args);

Result<spec::ContinueResponse> handle(spec::Continue, Session& session, const spec::ContinueArguments& args);
Result<spec::NoBody> handle(spec::Next, Session& session, const spec::StepArguments& args);
Result<spec::NoBody> handle(spec::StepIn, Session& session, const spec::StepArguments& args);
Result<spec::NoBody> handle(spec::StepOut, Session& session, const spec::StepArguments& args);
Result<spec::NoBody> handle(spec::Pause, Session& session, const spec::PauseArguments& args);

Result<spec::ThreadsResponse> handle(spec::Threads, Session& session, const spec::NoArguments& args);
Result<spec::StackTraceResponse> handle(spec::StackTrace, Session& session, const spec::StackTraceArguments& args);
Result<spec::ScopesResponse> handle(spec::Scopes, Session& session, const spec::ScopesArguments& args);
Result<spec::VariablesResponse> handle(spec::Variables, Session& session, const spec::VariablesArguments& args);
Result<spec::SetVariableResponse> handle(spec::SetVariable, Session& session, const spec::SetVariableArguments& args);
Result<spec::EvaluateResponse> handle(spec::Evaluate, Session& session, const spec::EvaluateArguments& args);
Result<spec::SetVariableResponse> handle(spec::SetExpression, Session& session,
                                         const spec::SetExpressionArguments& args);
Result<spec::CompletionsResponse> handle(spec::Completions, Session& session, const spec::CompletionsArguments& args);
Result<spec::ExceptionInfoResponse> handle(spec::ExceptionInfo, Session& session,
                                           const spec::ExceptionInfoArguments& args);
void handle(spec::SourceText, Session& session, const spec::SourceArguments& args, Reply<spec::SourceResponse> reply);
Result<spec::ModulesResponse> handle(spec::Modules, Session& session, const spec::ModulesArguments& args);
Result<spec::LoadedSourcesResponse> handle(spec::LoadedSources, Session& session, const spec::NoArguments& args);
Result<spec::ReadMemoryResponse> handle(spec::ReadMemory, Session& session, const spec::ReadMemoryArguments& args);
Result<spec::WriteMemoryResponse> handle(spec::WriteMemory, Session& session, const spec::WriteMemoryArguments& args);
Result<spec::DisassembleResponse> handle(spec::Disassemble, Session& session, const spec::DisassembleArguments& args);

// The client's thread id; errors: bad_request.
inline Result<Tid> thread_of(std::int32_t id) {
  if (id < 1) return fail(Errc::bad_request, "arguments.threadId: a thread's id is above 0");
  return Tid{id};
}
// What the request says, else what the launch arguments say (presentation.hex).
inline proto::ValueFormat format_of(const spec::ValueFormat& format, Session& session) {
  return {.hex = format.hex.value_or(session.settings().hex)};
}

}  // namespace trapline::dap
