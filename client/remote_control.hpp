#pragma once
// proto::Control over JSON-RPC: what the prompt and the one-shot verbs speak. Calls block; events come from
// Connection::poll().
#include <map>
#include <memory>
#include <string>

#include "client/connection.hpp"
#include "proto/control.hpp"

namespace trapline::client {

class RemoteControl final : public proto::Control {
 public:
  explicit RemoteControl(Connection& connection);

  proto::Subscription subscribe(proto::Listener listener) override;
  void launch(proto::LaunchSpec spec, Reply<proto::ProcessInfo> reply) override;
  void attach(proto::AttachSpec spec, Reply<proto::ProcessInfo> reply) override;
  Result<proto::ProcessInfo> join(const std::string& session);
  Result<void> start() override;
  void restart(std::optional<proto::LaunchSpec> changed, Reply<proto::ProcessInfo> reply) override;
  Result<void> detach() override;
  Result<void> kill() override;
  Result<void> terminate() override;
  proto::RunState state() const override { return state_; }
  std::optional<proto::ProcessInfo> process() const override { return process_; }
  std::optional<proto::Stop> current_stop() const override { return stop_; }
  std::optional<proto::ExitStatus> exit_status() const override { return exit_; }
  Result<std::vector<proto::BreakpointInfo>> edit_breakpoints(std::span<const BreakpointId> remove,
                                                              std::span<const proto::BreakpointSpec> add) override;
  std::vector<proto::BreakpointInfo> breakpoints() const override;
  Result<void> resume(proto::ResumeScope scope) override;
  Result<void> pause() override;
  Result<void> step(const proto::StepSpec& step) override;
  Result<void> run_to(Tid thread, const proto::BreakpointPlace& place) override;
  Result<std::vector<proto::ThreadInfo>> threads() override;
  Result<proto::StackPage> stack(Tid thread, std::uint32_t start, std::uint32_t count) override;
  Result<std::vector<proto::ScopeInfo>> scopes(FrameId frame) override;
  Result<std::vector<proto::ValueInfo>> children(ValueRef ref, std::uint64_t start, std::uint64_t count,
                                                 proto::ValueFormat format) override;
  Result<proto::ValueInfo> evaluate(const proto::EvaluateSpec& spec) override;
  Result<proto::ValueInfo> set_expression(const proto::EvaluateSpec& target, const std::string& text) override;
  Result<proto::CompletionInfo> completions(const proto::CompletionSpec& spec) override;
  Result<proto::ValueInfo> set_value(ValueRef container, const std::string& name, const std::string& text,
                                     proto::ValueFormat format) override;
  Result<proto::ExceptionInfo> exception_info(Tid thread) override;
  Result<std::vector<std::byte>> read_memory(LoadAddr at, ByteCount size) override;
  Result<ByteCount> write_memory(LoadAddr at, std::span<const std::byte> bytes) override;
  Result<std::vector<proto::RegisterInfo>> registers(FrameId frame) override;
  Result<void> write_register(FrameId frame, const std::string& name, const std::string& text) override;
  Result<std::vector<proto::Instruction>> disassemble(LoadAddr at, std::int64_t instruction_offset,
                                                      std::uint32_t count) override;
  std::vector<proto::ModuleInfo> modules() override;
  Result<std::vector<std::string>> source_files() override;
  Result<std::string> source_text(const std::string& path) override;
  Result<std::vector<proto::SymbolInfo>> find_symbols(const std::string& query, std::uint32_t limit) override;
  std::map<std::string, double> stats() override;

  const std::string& session() const { return session_; }

 private:
  Result<proto::ProcessInfo> opened(Result<Json> answer, proto::StartMethod method);
  Result<void> plain(std::string_view method, Json params);
  void on_event(const std::string& method, const Json& params);
  void went_on();
  // The stop that a fresh or joined session stands at, which no event told us of.
  void ask_for_stop();

  Connection& connection_;
  std::map<std::uint64_t, proto::Listener> listeners_;
  std::uint64_t next_listener_ = 1;
  std::string session_;
  proto::RunState state_ = proto::RunState::none;
  std::optional<proto::ProcessInfo> process_;
  std::optional<proto::Stop> stop_;
  std::optional<proto::ExitStatus> exit_;
};

// The keys of launch-args for what the specs say; defaults are left out.
Json launch_arguments(const proto::LaunchSpec& spec);
Json attach_arguments(const proto::AttachSpec& spec);

}  // namespace trapline::client
