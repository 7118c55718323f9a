#include "client/remote_control.hpp"

#include <fmt/format.h>

#include <utility>

#include "proto/rpc/shapes.hpp"

namespace trapline::client {
namespace {

Json hold_and(Json arguments) {
  arguments["hold"] = true;
  return arguments;
}

void add_debuginfod(Json& arguments, const proto::DebuginfodOptions& options) {
  if (options == proto::DebuginfodOptions{}) return;
  Json& said = arguments["debuginfod"] = Json::object();
  if (!options.urls.empty()) said["urls"] = options.urls;
  if (options.timeout) said["timeout"] = options.timeout->count();
  if (!options.cache.empty()) said["cache"] = options.cache;
  if (options.use == proto::Debuginfod::off) said["enabled"] = false;
  if (options.use == proto::Debuginfod::cached) said["enabled"] = "cached";
  if (options.use == proto::Debuginfod::on) said["enabled"] = true;
}

void add_sources(Json& arguments, const proto::SourceOptions& sources) {
  for (const auto& [from, to] : sources.source_map) arguments["sourceMap"][from] = to ? Json(*to) : Json(nullptr);
  if (!sources.visualizers.empty()) arguments["visualizers"] = sources.visualizers;
  if (!sources.just_my_code) arguments["justMyCode"] = false;
  if (!sources.debug_file_dirs.empty()) arguments["symbols"]["searchPaths"] = sources.debug_file_dirs;
  if (!sources.index_dir.empty()) arguments["symbols"]["cacheDir"] = sources.index_dir;
  if (!sources.symbols_exclude.empty()) arguments["symbols"]["exclude"] = sources.symbols_exclude;
  if (sources.load_eagerly) arguments["symbols"]["load"] = "eager";
  add_debuginfod(arguments, sources.debuginfod);
}

template <class T>
Result<T> read(Result<Json> answer) {
  if (!answer) return std::unexpected(answer.error());
  return rpc::read_as<T>(*answer);
}

}  // namespace

Json launch_arguments(const proto::LaunchSpec& spec) {
  Json arguments{{"program", spec.program}, {"args", spec.args}};
  if (!spec.cwd.empty()) arguments["cwd"] = spec.cwd;
  for (const auto& [name, value] : spec.env) arguments["env"][name] = value ? Json(*value) : Json(nullptr);
  if (!spec.inherit_env) arguments["inheritEnv"] = false;
  if (!spec.env_file.empty()) arguments["envFile"] = spec.env_file;
  if (spec.stop_at == proto::StopAt::entry) arguments["stopOnEntry"] = "entry";
  if (spec.stop_at == proto::StopAt::main) arguments["stopOnEntry"] = "main";
  const auto& stdio = spec.stdio;
  const auto file = [](const std::string& path) { return path.empty() ? Json(nullptr) : Json(path); };
  if (!stdio.in.empty() || !stdio.out.empty() || !stdio.err.empty())
    arguments["stdio"] = Json::array({file(stdio.in), file(stdio.out), file(stdio.err)});
  arguments["console"] = "internalConsole";
  if (!spec.disable_aslr) arguments["disableASLR"] = false;
  if (!spec.wrapper.empty()) arguments["wrapper"] = spec.wrapper;
  if (!spec.user.empty()) arguments["user"] = spec.user;
  add_sources(arguments, spec.sources);
  return arguments;
}

Json attach_arguments(const proto::AttachSpec& spec) {
  Json arguments = Json::object();
  if (spec.pid) arguments["pid"] = spec.pid->value;
  if (!spec.name.empty()) arguments["name"] = spec.name;
  if (spec.wait_for) arguments["waitFor"] = true;
  if (!spec.program.empty()) arguments["program"] = spec.program;
  if (spec.stop_on_attach) arguments["stopOnAttach"] = true;
  add_sources(arguments, spec.sources);
  return arguments;
}

RemoteControl::RemoteControl(Connection& connection) : connection_(connection) {
  connection_.on_notification([this](const std::string& method, const Json& params) { on_event(method, params); });
}

proto::Subscription RemoteControl::subscribe(proto::Listener listener) {
  const auto id = next_listener_++;
  listeners_[id] = std::move(listener);
  return proto::Subscription([this, id] { listeners_.erase(id); });
}

void RemoteControl::on_event(const std::string& method, const Json& params) {
  if (!method.starts_with("event.")) return;
  const auto event = rpc::read_event(std::string_view(method).substr(6), params);
  if (!event) return;  // of a newer daemon
  if (const auto* stopped = std::get_if<proto::StoppedEvent>(&*event)) {
    stop_ = stopped->stop;
    state_ = proto::RunState::stopped;
  } else if (const auto* exited = std::get_if<proto::ExitedEvent>(&*event)) {
    stop_.reset();
    exit_ = exited->status;
    state_ = proto::RunState::exited;
  } else if (std::holds_alternative<proto::ContinuedEvent>(*event)) {
    went_on();
  } else if (std::holds_alternative<proto::DetachedEvent>(*event)) {
    went_on();
    state_ = proto::RunState::none;
    process_.reset();
  } else if (const auto* process = std::get_if<proto::ProcessEvent>(&*event)) {
    process_ = process->process;
  }
  const auto listeners = listeners_;
  for (const auto& [id, listener] : listeners)
    if (listeners_.contains(id)) listener(*event);
}

void RemoteControl::went_on() {
  stop_.reset();
  state_ = proto::RunState::running;
}

void RemoteControl::ask_for_stop() {
  const auto answer = read<rpc::StopAnswer>(connection_.call("execution.wait", {{"timeoutMs", 0}}));
  if (!answer) return;
  const auto stop = rpc::read_stop(*answer);
  if (stop && std::holds_alternative<proto::Stop>(*stop)) stop_ = std::get<proto::Stop>(*stop);
}

Result<proto::ProcessInfo> RemoteControl::opened(Result<Json> answer, proto::StartMethod method) {
  if (!answer) return std::unexpected(answer.error());
  session_ = answer->value("session", "");
  process_ = proto::ProcessInfo{
      .name = answer->value("program", ""), .pid = Pid{answer->value("pid", 0)}, .start_method = method};
  exit_.reset();
  if (const auto state = rpc::read_as<proto::RunState>(answer->value("state", Json("running")))) state_ = *state;
  if (state_ == proto::RunState::held || state_ == proto::RunState::stopped) ask_for_stop();
  return *process_;
}

void RemoteControl::launch(proto::LaunchSpec spec, Reply<proto::ProcessInfo> reply) {
  reply(opened(connection_.call("session.launch", hold_and(launch_arguments(spec))), proto::StartMethod::launch));
}

void RemoteControl::attach(proto::AttachSpec spec, Reply<proto::ProcessInfo> reply) {
  reply(opened(connection_.call("session.attach", hold_and(attach_arguments(spec))), proto::StartMethod::attach));
}

Result<proto::ProcessInfo> RemoteControl::join(const std::string& session) {
  return opened(connection_.call("session.join", {{"session", session}}), proto::StartMethod::attach);
}

void RemoteControl::restart(std::optional<proto::LaunchSpec>, Reply<proto::ProcessInfo> reply) {
  reply(opened(connection_.call("session.restart", Json::object()), proto::StartMethod::launch));
}

Result<void> RemoteControl::plain(std::string_view method, Json params) {
  if (auto answer = connection_.call(method, std::move(params)); !answer) return std::unexpected(answer.error());
  return {};
}

Result<void> RemoteControl::start() {
  TL_TRY_VOID(plain("session.start", Json::object()));
  if (state_ == proto::RunState::held) went_on();
  return {};
}
Result<void> RemoteControl::detach() {
  TL_TRY_VOID(plain("session.detach", Json::object()));
  // The event follows its answer; until it comes nobody may take the debuggee for ours.
  if (state_ == proto::RunState::exited) return {};
  went_on();
  state_ = proto::RunState::none;
  return {};
}
Result<void> RemoteControl::kill() { return plain("session.kill", Json::object()); }
Result<void> RemoteControl::terminate() { return plain("session.terminate", Json::object()); }

Result<std::vector<proto::BreakpointInfo>> RemoteControl::edit_breakpoints(std::span<const BreakpointId> remove,
                                                                           std::span<const proto::BreakpointSpec> add) {
  Json params{{"remove", Json::array()}, {"add", Json::array()}};
  for (const auto id : remove) params["remove"].push_back(id.value);
  for (const auto& spec : add) params["add"].push_back(rpc::write(rpc::breakpoint_params(spec)));
  TL_TRY(const auto answers,
         read<std::vector<rpc::BreakpointAnswer>>(connection_.call("breakpoint.edit", std::move(params))));
  std::vector<proto::BreakpointInfo> infos;
  for (const auto& answer : answers) {
    TL_TRY(auto info, rpc::breakpoint_info(answer));
    infos.push_back(std::move(info));
  }
  return infos;
}

std::vector<proto::BreakpointInfo> RemoteControl::breakpoints() const {
  std::vector<proto::BreakpointInfo> infos;
  if (const auto answers =
          read<std::vector<rpc::BreakpointAnswer>>(connection_.call("breakpoint.list", Json::object())))
    for (const auto& answer : *answers)
      if (auto info = rpc::breakpoint_info(answer)) infos.push_back(*std::move(info));
  return infos;
}

Result<void> RemoteControl::resume(proto::ResumeScope scope) {
  Json params = Json::object();
  if (scope.only) params["thread"] = scope.only->value;
  TL_TRY_VOID(plain("execution.continue", std::move(params)));
  went_on();
  return {};
}

Result<void> RemoteControl::pause() { return plain("execution.pause", Json::object()); }

Result<void> RemoteControl::step(const proto::StepSpec& step) {
  const auto method = step.kind == proto::StepKind::over   ? "execution.next"
                      : step.kind == proto::StepKind::into ? "execution.stepIn"
                                                           : "execution.stepOut";
  TL_TRY_VOID(plain(
      method, {{"thread", step.thread.value}, {"unit", rpc::write(step.unit)}, {"singleThread", step.single_thread}}));
  went_on();
  return {};
}

Result<void> RemoteControl::run_to(Tid thread, const proto::BreakpointPlace& place) {
  const auto fields = rpc::place_fields(place);
  Json params{{"thread", thread.value}};
  if (!fields.file.empty()) params["file"] = fields.file;
  if (fields.line.value != 0) params["line"] = fields.line.value;
  if (!fields.function.empty()) params["function"] = fields.function;
  if (fields.address) params["address"] = rpc::write(*fields.address);
  TL_TRY_VOID(plain("execution.until", std::move(params)));
  went_on();
  return {};
}

Result<std::vector<proto::ThreadInfo>> RemoteControl::threads() {
  return read<std::vector<proto::ThreadInfo>>(connection_.call("thread.list", Json::object()));
}

Result<proto::StackPage> RemoteControl::stack(Tid thread, std::uint32_t start, std::uint32_t count) {
  return read<proto::StackPage>(
      connection_.call("thread.stack", {{"thread", thread.value}, {"start", start}, {"count", count}}));
}

Result<std::vector<proto::ScopeInfo>> RemoteControl::scopes(FrameId frame) {
  return read<std::vector<proto::ScopeInfo>>(connection_.call("frame.scopes", {{"frame", frame.value}}));
}

Result<std::vector<proto::ValueInfo>> RemoteControl::children(ValueRef ref, std::uint64_t start, std::uint64_t count,
                                                              proto::ValueFormat format) {
  return read<std::vector<proto::ValueInfo>>(connection_.call(
      "value.children", {{"ref", ref.value}, {"start", start}, {"count", count}, {"format", rpc::write(format)}}));
}

Result<proto::ValueInfo> RemoteControl::evaluate(const proto::EvaluateSpec& spec) {
  Json params{
      {"expression", spec.expression}, {"context", rpc::write(spec.context)}, {"format", rpc::write(spec.format)}};
  if (spec.frame) params["frame"] = spec.frame->value;
  return read<proto::ValueInfo>(connection_.call("evaluate", std::move(params)));
}

Result<proto::ValueInfo> RemoteControl::set_expression(const proto::EvaluateSpec& target, const std::string& text) {
  Json params{{"expression", target.expression}, {"value", text}, {"format", rpc::write(target.format)}};
  if (target.frame) params["frame"] = target.frame->value;
  return read<proto::ValueInfo>(connection_.call("expression.set", std::move(params)));
}

Result<proto::CompletionInfo> RemoteControl::completions(const proto::CompletionSpec& spec) {
  Json params{{"text", spec.text}, {"cursor", spec.cursor}};
  if (spec.frame) params["frame"] = spec.frame->value;
  return read<proto::CompletionInfo>(connection_.call("expression.complete", std::move(params)));
}

Result<proto::ValueInfo> RemoteControl::set_value(ValueRef container, const std::string& name, const std::string& text,
                                                  proto::ValueFormat format) {
  return read<proto::ValueInfo>(connection_.call(
      "value.set", {{"ref", container.value}, {"name", name}, {"value", text}, {"format", rpc::write(format)}}));
}

Result<proto::ExceptionInfo> RemoteControl::exception_info(Tid thread) {
  return read<proto::ExceptionInfo>(connection_.call("thread.exception", {{"thread", thread.value}}));
}

Result<std::vector<std::byte>> RemoteControl::read_memory(LoadAddr at, ByteCount size) {
  TL_TRY(const auto answer, connection_.call("memory.read", {{"address", rpc::write(at)}, {"count", size.value}}));
  return rpc::read_as<std::vector<std::byte>>(answer.value("data", Json("")));
}

Result<ByteCount> RemoteControl::write_memory(LoadAddr at, std::span<const std::byte> bytes) {
  TL_TRY(const auto answer,
         connection_.call("memory.write", {{"address", rpc::write(at)},
                                           {"data", rpc::write(std::vector(bytes.begin(), bytes.end()))}}));
  return ByteCount{answer.value("written", std::uint64_t{0})};
}

Result<std::vector<proto::RegisterInfo>> RemoteControl::registers(FrameId frame) {
  return read<std::vector<proto::RegisterInfo>>(connection_.call("register.read", {{"frame", frame.value}}));
}

Result<void> RemoteControl::write_register(FrameId frame, const std::string& name, const std::string& text) {
  return plain("register.write", {{"frame", frame.value}, {"name", name}, {"value", text}});
}

Result<std::vector<proto::Instruction>> RemoteControl::disassemble(LoadAddr at, std::int64_t instruction_offset,
                                                                   std::uint32_t count) {
  return read<std::vector<proto::Instruction>>(
      connection_.call("disassemble", {{"address", rpc::write(at)}, {"offset", instruction_offset}, {"count", count}}));
}

std::vector<proto::ModuleInfo> RemoteControl::modules() {
  return read<std::vector<proto::ModuleInfo>>(connection_.call("modules.list", Json::object()))
      .value_or(std::vector<proto::ModuleInfo>{});
}

Result<std::vector<std::string>> RemoteControl::source_files() {
  return read<std::vector<std::string>>(connection_.call("source.list", Json::object()));
}

Result<std::string> RemoteControl::source_text(const std::string& path) {
  TL_TRY(const auto answer, connection_.call("source.read", {{"path", path}}));
  return answer.value("text", "");
}

Result<std::vector<proto::SymbolInfo>> RemoteControl::find_symbols(const std::string& query, std::uint32_t limit) {
  return read<std::vector<proto::SymbolInfo>>(connection_.call("symbols.find", {{"query", query}, {"limit", limit}}));
}

std::map<std::string, double> RemoteControl::stats() {
  return read<std::map<std::string, double>>(connection_.call("stats.get", Json::object()))
      .value_or(std::map<std::string, double>{});
}

}  // namespace trapline::client
