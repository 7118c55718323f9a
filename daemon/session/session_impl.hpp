#pragma once
// The room's inside: one class over several files. life.cpp (launch ... restart), stops.cpp (what the debuggee does),
// points.cpp (breakpoints), looking.cpp (stacks, values, memory), sources.cpp (modules, files, symbols).
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/eval/exceptions.hpp"
#include "daemon/fetch/fetcher.hpp"
#include "daemon/image/modules.hpp"
#include "daemon/index/behind.hpp"
#include "daemon/natvis/engine.hpp"
#include "daemon/run/inferior.hpp"
#include "daemon/session/breakpoint_table.hpp"
#include "daemon/session/launcher.hpp"
#include "daemon/session/output.hpp"
#include "daemon/session/session.hpp"
#include "daemon/session/signals.hpp"
#include "daemon/session/source_map.hpp"
#include "daemon/session/terminal.hpp"
#include "daemon/session/views.hpp"
#include "proto/control.hpp"

namespace trapline::session {

// A source file's text. Errors: not_found, too_large.
Result<std::string> read_text(const std::string& file);

class Session final : public proto::Control, private run::Observer {
 public:
  explicit Session(Environment environment);
  ~Session() override;

  proto::Subscription subscribe(proto::Listener listener) override;

  void launch(proto::LaunchSpec spec, Reply<proto::ProcessInfo> reply) override;
  void attach(proto::AttachSpec spec, Reply<proto::ProcessInfo> reply) override;
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
  std::vector<proto::BreakpointInfo> breakpoints() const override { return breakpoints_.all(); }

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
  void read_source(const std::string& path, Reply<std::string> reply) override;
  Result<std::vector<proto::SymbolInfo>> find_symbols(const std::string& query, std::uint32_t limit) override;
  std::map<std::string, double> stats() override;
  Result<void> cancel_progress(const std::string& id) override;

 private:
  // run::Observer
  run::SiteVerdict at_site(Tid thread, LoadAddr pc, std::span<const trap::Owner> owners) override;
  run::SignalVerdict on_signal(Tid thread, const siginfo_t& info) override;
  void stopped(const run::StopReport& report) override;
  void thread_started(Tid thread) override;
  void thread_exited(Tid thread) override;
  void executed(const std::string& program) override;
  void forked(Pid child) override;
  void exited(int code, int signal, bool core_dumped) override;
  void warned(const std::string& text) override;

  // events
  void emit(proto::Event event);
  void deliver_events();
  void console(std::string text, proto::OutputCategory category = proto::OutputCategory::console);
  void watch_children();
  void pump();

  // life
  Result<void> require_debuggee() const;
  Result<void> require_stopped() const;
  Result<void> require_idle() const;
  bool give_up_waiting();
  void launch_here(proto::LaunchSpec spec, Reply<proto::ProcessInfo> reply);
  void launch_in_terminal(proto::LaunchSpec spec, Reply<proto::ProcessInfo> reply);
  Result<proto::TerminalRequest> terminal_request(const proto::LaunchSpec& spec, const ResolvedLaunch& resolved);
  void adopt(TerminalGate::Waiting waiting, const proto::LaunchSpec& spec, const std::string& program,
             const Reply<proto::ProcessInfo>& reply);
  void try_attach_by_name(std::shared_ptr<proto::AttachSpec> spec, std::chrono::steady_clock::time_point until,
                          Reply<proto::ProcessInfo> reply);
  void attach_pid(const proto::AttachSpec& spec, Pid pid, Reply<proto::ProcessInfo> reply);
  void begin_debuggee(std::unique_ptr<run::Inferior> inferior, proto::ProcessInfo info);
  void hold_at(proto::StopReason reason, Tid thread);
  void end_debuggee();
  void tell_complaints();
  void watch_visualizers();
  void apply_options(const proto::SourceOptions& options, const proto::EvaluationOptions& evaluation,
                     const std::map<std::string, proto::SignalPolicy>& signals);
  void relaunch(Reply<proto::ProcessInfo> reply);
  void stop_at_main();
  void went_on(std::optional<Tid> only);

  // modules and breakpoints
  void load_modules();
  void modules_changed(const image::Changes& changes);
  void place_loader_site();
  enum class Rebind : std::uint8_t { all, functions };
  void bind_all(Rebind which = Rebind::all);
  void place(std::vector<run::Inferior::SiteEdit> edits, std::vector<BreakpointId>* touched = nullptr);
  bool breakpoint_says_stop(Breakpoint& breakpoint, Tid thread, LoadAddr pc);
  void report_condition_error(Breakpoint& breakpoint, const Error& error);
  void write_log(Breakpoint& breakpoint, const eval::FrameView& view, LoadAddr pc);
  proto::ModuleInfo describe(const image::MappedModule& module) const;

  // calls
  bool calls_allowed(proto::EvaluateContext context) const;
  void allow_calls(eval::FrameView& view, FramePlace place, proto::EvaluateContext context);
  Result<arch::CallReturn> call(Tid thread, const arch::CallFrame& frame, bool alone);
  std::optional<eval::Thrown> uncaught_in_call(Tid thread, std::span<const run::CallOrder::Throw> throws);
  Error call_error(const run::CallReport& report, Tid thread, const std::optional<eval::Thrown>& thrown);
  std::string code_place(LoadAddr pc) const;
  void run_on_after_exec();
  void show_another_thread();
  void pin_modules();
  std::size_t unloaded() const;  // of the pinned ones
  void settle_calls(proto::EvaluateContext context);
  void remember_return(const proto::StepSpec& step);
  void take_return(proto::Stop& stop);
  bool returned_to(FramePlace frame) const {
    return returned_ && returned_->thread == frame.thread && frame.level == 0;
  }

  // indexing
  std::string index_folder() const;
  sym::SearchOptions search_options(const proto::SourceOptions& options) const;
  void index_soon();
  void index_next();
  void index_module(std::shared_ptr<const sym::Module> module, const sym::Module::IndexSource& source);
  void index_progressed(std::uint64_t done, std::uint64_t all);
  void index_done(const sym::Module& module, const std::string& path,
                  Result<std::shared_ptr<const index::Index>> index);

  void load_eagerly();

  // fetching
  fetch::Settings fetch_settings() const;
  void fetch_soon();
  void fetch_next();
  void fetch_file(const std::string& build_id);
  void fetch_progressed(std::uint64_t done, std::uint64_t all);
  void fetch_came(Result<std::string> path);
  Result<void> use_fetched();
  void symbols_came();
  void fetch_done(Result<void> outcome);
  void fetch_gives_up(const Error& why);
  ModuleId module_shown(ModuleId id) const;
  bool may_fetch() const;
  fetch::Order source_order(const std::string& path) const;

  // looking
  proto::Stop describe_stop(const run::StopReport& report);
  void fill_place(proto::Stop& stop);
  proto::FrameInfo describe(const stack::Frame& frame, FramePlace place);
  bool user_code(const std::string& file, const std::string& function, std::optional<ModuleId> module) const;
  bool step_skips(LoadAddr pc) const;
  proto::ValueInfo describe(const eval::FrameView& view, FramePlace place, std::string name, std::string expression,
                            const eval::Value& value, const eval::Options& options);
  Result<std::vector<proto::ValueInfo>> scope_children(const ScopeNode& scope, const eval::Options& options);
  Result<std::vector<proto::ValueInfo>> register_children(const FramePlace& frame, const std::string& group);
  Result<std::vector<proto::ValueInfo>> value_children(const ValueNode& node, std::uint64_t start, std::uint64_t count,
                                                       eval::Options options);
  Result<eval::Child> child_named(const eval::FrameView& view, const ValueNode& value, const std::string& name);
  Result<std::vector<eval::Variable>> scope_variables(const ScopeNode& scope);
  Result<proto::ValueInfo> assign(FramePlace place, const std::string& name, const std::string& expression,
                                  const eval::Value& target, const std::string& text, const eval::Options& options);
  Result<std::vector<proto::RegisterInfo>> registers_of(FramePlace place);
  LoadAddr walk_back(LoadAddr at, std::uint64_t instructions);

  Environment environment_;
  asio::signal_set children_;
  asio::steady_timer retry_;
  asio::steady_timer index_timer_;
  asio::steady_timer eager_timer_;
  asio::steady_timer visualizer_timer_;
  struct Indexing {
    std::string id;
    std::string name;
    std::chrono::steady_clock::time_point begun{};
    bool told = false;
  };
  Indexing indexing_;
  std::uint64_t last_progress_ = 0;
  std::set<std::string> index_tried_;
  index::Behind indexer_;
  struct Fetching {
    std::string id;
    std::string name;
    std::string build_id;    // of the module that it is for
    std::string debug_file;  // has come, its dwz file is on its way
    std::chrono::steady_clock::time_point begun{};
    bool told = false;
  };
  Fetching fetching_;
  bool fetch_given_up_ = false;
  std::set<std::string> fetch_tried_;
  std::map<ModuleId, ModuleId> shown_modules_;
  asio::steady_timer fetch_timer_;
  fetch::Fetcher fetcher_;
  std::vector<std::shared_ptr<fetch::Fetcher>> source_fetchers_;
  std::map<std::uint64_t, proto::Listener> listeners_;
  std::uint64_t next_listener_ = 1;
  std::deque<proto::Event> queue_;
  bool delivery_posted_ = false;
  // Posted closures outlive the session only as long as this does.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  proto::RunState state_ = proto::RunState::none;
  std::optional<proto::ProcessInfo> process_;
  std::optional<proto::Stop> stop_;
  std::optional<proto::ExitStatus> exit_;
  std::optional<proto::LaunchSpec> launched_;
  bool stop_on_start_ = false;  // start() reports the stop instead of running on
  bool no_debug_ = false;
  bool called_ = false;       // by the evaluation that is under way
  bool others_ran_ = false;   // for its calls
  bool lost_module_ = false;  // by them
  // The frame that a step may leave; then what its function returned, for the stop that it leads to.
  struct Leaving {
    Tid thread;
    std::string function;
    const sym::Type* type = nullptr;
    LoadAddr to;
    LoadAddr cfa;
  };
  struct Returned {
    Tid thread;
    std::string function;
    eval::Value value;
  };
  std::optional<Leaving> leaving_;
  std::optional<Returned> returned_;
  // Modules as they were before the first call of this stop: values may be of types of one that a call unloaded.
  std::vector<std::shared_ptr<const sym::Module>> pinned_;
  proto::EvaluationOptions evaluation_;
  int graceful_signal_ = 0;  // ours, sent by terminate(): it is no news that the program gets it
  std::function<void()> after_exit_;
  std::function<void(const Error&)> give_up_;  // a launch or attach that still waits (terminal, waitFor)

  proto::SourceOptions options_;
  SourceMap sources_;
  SignalPolicies signals_;
  natvis::Engine visualizers_;
  std::unique_ptr<image::Modules> modules_;
  std::unique_ptr<run::Inferior> inferior_;
  std::unique_ptr<Views> views_;
  BreakpointTable breakpoints_;
  std::vector<BreakpointId> temporary_hit_;
  std::optional<LoadAddr> loader_site_;
  std::optional<LoadAddr> main_site_;
  std::vector<std::shared_ptr<OutputReader>> readers_;
  util::Fd pty_slave_;  // held open, so that a debuggee that closes its terminal does not end our reading
  std::shared_ptr<TerminalGate> gate_;
};

}  // namespace trapline::session
