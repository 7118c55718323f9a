#pragma once
// A debuggee that is not there: a Control for tests of whatever stands on one. It keeps the promises of
// proto/control.hpp (events never come from within a verb, ids are not reused, frames are void after a resume) and
// writes down each call.
//
// The program it pretends to be: /bin/app, process 4242, threads 4242 "app" and 4243 "worker", stopped in
// compute() <- main() of /src/app.cpp. All of it is public data: a test changes what it needs.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/control.hpp"

namespace trapline::tests {

inline Error an_error(Errc code, std::string message, std::string hint = {}) {
  return {.code = code, .message = std::move(message), .os_errno = 0, .hint = std::move(hint)};
}

class FakeControl : public proto::Control {
 public:
  FakeControl() {
    scopes_of[2] = {{.name = "Arguments", .kind = proto::ScopeKind::arguments, .ref = {10}, .named = 1},
                    {.name = "Locals", .kind = proto::ScopeKind::locals, .ref = {11}, .named = 3},
                    {.name = "Globals", .kind = proto::ScopeKind::globals, .ref = {12}, .named = 1, .expensive = true},
                    {.name = "Registers", .kind = proto::ScopeKind::registers, .ref = {13}, .named = 1}};
    children_of[10] = {value("n", "3", "int")};
    auto list = value("list", "{10, 11, 12}", "int [3]");
    list.ref = {20};
    list.indexed = 3;
    list.memory = LoadAddr{0x7000};
    auto point = value("point", "{x=1, y=2}", "Point");
    point.ref = {21};
    point.named = 2;
    auto broken = value("gone", "<optimized out>", "int");
    broken.read_only = true;
    broken.evaluate_name.clear();
    children_of[11] = {list, point, broken};
    children_of[12] = {value("counter", "7", "long")};
    children_of[13] = {value("rax", "0x2a", "long")};
    children_of[20] = {value("[0]", "10", "int"), value("[1]", "11", "int"), value("[2]", "12", "int")};
    auto base = value("Base", "{}", "Base");
    base.kind = proto::ValueKind::base_class;
    auto shared = value("total", "9", "int");
    shared.kind = proto::ValueKind::static_member;
    children_of[21] = {base, shared};
    expressions["n"] = value("n", "3", "int");
    expressions["list"] = list;
  }

  static proto::ValueInfo value(std::string name, std::string text, std::string type) {
    proto::ValueInfo info;
    info.evaluate_name = name;
    info.name = std::move(name);
    info.value = std::move(text);
    info.type = std::move(type);
    return info;
  }

  // ---- what the test sees and steers
  std::vector<std::string> calls;         // "launch /bin/app", "resume all", "step 4242 over line" ...
  std::map<std::string, Error> failures;  // verb -> what it answers instead
  bool answers_later = false;             // launch, attach, restart: answer() ends them
  proto::LaunchSpec launched;
  proto::AttachSpec attached;
  proto::EvaluateSpec evaluated;
  proto::RunState run_state = proto::RunState::none;
  std::optional<proto::ProcessInfo> info;
  std::optional<proto::Stop> stop;
  std::optional<proto::ExitStatus> status;

  std::vector<proto::ThreadInfo> thread_list{{{4242}, "app", true}, {{4243}, "worker", true}};
  std::vector<proto::FrameInfo> frames{{.id = {1},
                                        .level = 0,
                                        .function = "compute(int)",
                                        .file = "/src/app.cpp",
                                        .line = {7},
                                        .column = 3,
                                        .pc = {0x401010},
                                        .cfa = {0x7ff0},
                                        .module = ModuleId{1},
                                        .module_name = "app"},
                                       {.id = {2},
                                        .level = 1,
                                        .function = "main",
                                        .file = "/src/app.cpp",
                                        .line = {12},
                                        .pc = {0x401050},
                                        .cfa = {0x7ff8},
                                        .module = ModuleId{1},
                                        .module_name = "app"},
                                       {.id = {3},
                                        .level = 2,
                                        .function = "??",
                                        .file = "",
                                        .line = {},
                                        .pc = {0x7f0010},
                                        .cfa = {0x8000},
                                        .module = ModuleId{2},
                                        .module_name = "libc.so.6",
                                        .kind = proto::FrameKind::no_symbols,
                                        .user_code = false}};
  std::map<std::int32_t, std::vector<proto::ScopeInfo>> scopes_of;
  std::map<std::int32_t, std::vector<proto::ValueInfo>> children_of;
  std::map<std::string, proto::ValueInfo> expressions;
  proto::ExceptionInfo exception{"SIGSEGV", "Segmentation fault: address 0x0 is not mapped", "", true};
  LoadAddr memory_at{0x7000};
  std::vector<std::byte> memory = std::vector<std::byte>(16, std::byte{0xab});
  std::vector<proto::Instruction> code{{.address = {0x401010},
                                        .bytes = {std::byte{0x55}},
                                        .text = "push rbp",
                                        .symbol = "compute(int)",
                                        .file = "/src/app.cpp",
                                        .line = {6}},
                                       {.address = {0x401011},
                                        .bytes = {std::byte{0x48}, std::byte{0x89}, std::byte{0xe5}},
                                        .text = "mov rbp, rsp",
                                        .symbol = "compute(int)+1",
                                        .file = "",
                                        .line = {}}};
  std::vector<proto::ModuleInfo> module_list{{.id = {1},
                                              .name = "app",
                                              .path = "/bin/app",
                                              .build_id = "aa",
                                              .range = {{0x400000}, {0x402000}},
                                              .has_symbols = true,
                                              .has_debug_info = true,
                                              .debug_file = "",
                                              .optimized = false},
                                             {.id = {2},
                                              .name = "libc.so.6",
                                              .path = "/lib/libc.so.6",
                                              .build_id = "bb",
                                              .range = {{0x7f0000}, {0x7f8000}},
                                              .has_symbols = true,
                                              .has_debug_info = false,
                                              .debug_file = "",
                                              .optimized = false}};
  std::map<std::string, std::string> sources{{"/src/app.cpp", "int main() { return 0; }\n"}};
  std::vector<proto::BreakpointInfo> breakpoint_list;

  std::vector<std::string> cancelled_progress;
  Result<void> cancel_progress(const std::string& id) override {
    cancelled_progress.push_back(id);
    return {};
  }

  void emit(proto::Event event) { queue_.push_back(std::move(event)); }

  // Delivers what is queued, as the loop does between two verbs.
  void deliver() {
    while (!queue_.empty()) {
      const auto event = std::move(queue_.front());
      queue_.pop_front();
      const auto listeners = *listeners_;  // a listener may unsubscribe meanwhile
      for (const auto& [key, listener] : listeners)
        if (listeners_->contains(key)) listener(event);
    }
  }

  // Ends a launch, attach or restart that answers later.
  void answer(Result<proto::ProcessInfo> result) {
    if (result) take_process(*result);
    if (auto reply = std::exchange(pending_, nullptr)) reply(std::move(result));
  }
  bool has_pending() const { return pending_ != nullptr; }
  proto::ProcessInfo process_info(proto::StartMethod method) const { return {"/bin/app", {4242}, method, 64}; }

  void stop_at(proto::StopReason reason, Tid thread = {4242}, std::vector<BreakpointId> hit = {}) {
    proto::Stop now;
    now.reason = reason;
    now.thread = thread;
    now.breakpoints = std::move(hit);
    stop_with(std::move(now));
  }
  void stop_with(proto::Stop now) {
    run_state = proto::RunState::stopped;
    stop = now;
    emit(proto::StoppedEvent{std::move(now), true});
  }
  void exit_with(proto::ExitStatus how) {
    run_state = proto::RunState::exited;
    status = how;
    stop.reset();
    emit(proto::ExitedEvent{how});
  }
  // The code of a pending breakpoint was loaded.
  void bind(BreakpointId id) {
    for (auto& one : breakpoint_list) {
      if (one.id != id) continue;
      one.verified = true;
      one.pending = false;
      one.message.clear();
      one.locations = {location_of(one.spec)};
      emit(proto::BreakpointEvent{proto::Change::changed, one});
    }
  }

  // ---- Control
  proto::Subscription subscribe(proto::Listener listener) override {
    const int key = ++last_listener_;
    listeners_->emplace(key, std::move(listener));
    return proto::Subscription([listeners = std::weak_ptr(listeners_), key] {
      if (const auto alive = listeners.lock()) alive->erase(key);
    });
  }

  void launch(proto::LaunchSpec spec, Reply<proto::ProcessInfo> reply) override {
    calls.push_back("launch " + spec.program);
    launched = std::move(spec);
    begin("launch", proto::StartMethod::launch, std::move(reply));
  }
  void attach(proto::AttachSpec spec, Reply<proto::ProcessInfo> reply) override {
    calls.push_back("attach " + (spec.pid ? std::to_string(spec.pid->value) : spec.name));
    attached = std::move(spec);
    begin("attach", proto::StartMethod::attach, std::move(reply));
  }
  Result<void> start() override {
    TL_TRY_VOID(note("start"));
    run_state = proto::RunState::running;
    if (info) emit(proto::ProcessEvent{*info});
    const bool at_entry =
        info && info->start_method == proto::StartMethod::launch && launched.stop_at != proto::StopAt::nowhere;
    if (at_entry) stop_at(proto::StopReason::entry);
    if (info && info->start_method == proto::StartMethod::attach && attached.stop_on_attach)
      stop_at(proto::StopReason::attach);
    return {};
  }
  void restart(std::optional<proto::LaunchSpec> changed, Reply<proto::ProcessInfo> reply) override {
    calls.push_back(changed ? "restart " + changed->program : "restart");
    if (changed) launched = std::move(*changed);
    emit(proto::ExitedEvent{{0, 9, false}});  // the old process
    begin("restart", proto::StartMethod::launch, std::move(reply));
  }
  Result<void> detach() override {
    TL_TRY_VOID(note("detach"));
    give_up();
    run_state = proto::RunState::none;
    emit(proto::DetachedEvent{});
    return {};
  }
  Result<void> kill() override {
    TL_TRY_VOID(note("kill"));
    give_up();
    if (run_state != proto::RunState::none) exit_with({0, 9, false});
    return {};
  }
  Result<void> terminate() override { return note("terminate"); }
  proto::RunState state() const override { return run_state; }
  std::optional<proto::ProcessInfo> process() const override { return info; }
  std::optional<proto::Stop> current_stop() const override { return stop; }
  std::optional<proto::ExitStatus> exit_status() const override { return status; }

  // Lines up to 100 of /src/app.cpp and the functions main and compute exist; a file in /src/plugin is loaded later;
  // the condition "(" does not parse.
  Result<std::vector<proto::BreakpointInfo>> edit_breakpoints(std::span<const BreakpointId> remove,
                                                              std::span<const proto::BreakpointSpec> add) override {
    TL_TRY_VOID(note(fmt::format("edit_breakpoints -{} +{}", remove.size(), add.size()), "edit_breakpoints"));
    for (const auto id : remove) std::erase_if(breakpoint_list, [&](const auto& one) { return one.id == id; });
    std::vector<proto::BreakpointInfo> added;
    for (const auto& spec : add) {
      proto::BreakpointInfo one;
      one.id = {++last_breakpoint_};
      one.spec = spec;
      place(one);
      breakpoint_list.push_back(one);
      added.push_back(one);
      emit(proto::BreakpointEvent{proto::Change::added, one});
    }
    return added;
  }
  std::vector<proto::BreakpointInfo> breakpoints() const override { return breakpoint_list; }

  Result<void> resume(proto::ResumeScope scope) override {
    TL_TRY_VOID(note(scope.only ? fmt::format("resume {}", scope.only->value) : "resume all", "resume"));
    run({scope.only.value_or(Tid{4242})}, !scope.only);
    return {};
  }
  Result<void> pause() override {
    TL_TRY_VOID(note("pause"));
    stop_at(proto::StopReason::pause);
    return {};
  }
  Result<void> step(const proto::StepSpec& how) override {
    constexpr const char* kinds[] = {"over", "into", "out"};
    constexpr const char* units[] = {"line", "statement", "instruction"};
    TL_TRY_VOID(note(fmt::format("step {} {} {}{}", how.thread.value, kinds[static_cast<int>(how.kind)],
                                 units[static_cast<int>(how.unit)], how.single_thread ? " alone" : ""),
                     "step"));
    run(how.thread, !how.single_thread);
    stop_at(proto::StopReason::step, how.thread);
    return {};
  }
  Result<void> run_to(Tid thread, const proto::BreakpointPlace&) override {
    return note(fmt::format("run_to {}", thread.value), "run_to");
  }

  Result<std::vector<proto::ThreadInfo>> threads() override {
    TL_TRY_VOID(failure("threads"));
    return thread_list;
  }
  Result<proto::StackPage> stack(Tid thread, std::uint32_t start, std::uint32_t count) override {
    TL_TRY_VOID(note(fmt::format("stack {} {} {}", thread.value, start, count), "stack"));
    if (std::ranges::none_of(thread_list, [&](const auto& one) { return one.id == thread; }))
      return fail(Errc::not_found, fmt::format("no thread {}", thread.value));
    proto::StackPage page;
    const auto first = std::min<std::size_t>(start, frames.size());
    const auto last = count == 0 ? frames.size() : std::min<std::size_t>(frames.size(), first + count);
    page.frames.assign(frames.begin() + static_cast<std::ptrdiff_t>(first),
                       frames.begin() + static_cast<std::ptrdiff_t>(last));
    if (last == frames.size()) page.total = static_cast<std::uint32_t>(frames.size());
    return page;
  }
  Result<std::vector<proto::ScopeInfo>> scopes(FrameId frame) override {
    TL_TRY_VOID(note(fmt::format("scopes {}", frame.value), "scopes"));
    const auto found = scopes_of.find(frame.value);
    return found == scopes_of.end() ? std::vector<proto::ScopeInfo>{} : found->second;
  }
  Result<std::vector<proto::ValueInfo>> children(ValueRef ref, std::uint64_t start, std::uint64_t count,
                                                 proto::ValueFormat format) override {
    TL_TRY_VOID(
        note(fmt::format("children {} {} {}{}", ref.value, start, count, format.hex ? " hex" : ""), "children"));
    const auto found = children_of.find(ref.value);
    if (found == children_of.end()) return fail(Errc::stale_reference, "the value belongs to an earlier stop");
    std::vector<proto::ValueInfo> page;
    for (auto i = start; i < found->second.size() && (count == 0 || i < start + count); ++i)
      page.push_back(found->second[i]);
    return page;
  }
  Result<proto::ValueInfo> evaluate(const proto::EvaluateSpec& spec) override {
    TL_TRY_VOID(note("evaluate " + spec.expression, "evaluate"));
    evaluated = spec;
    if (spec.context == proto::EvaluateContext::hover && spec.expression.find('=') != std::string::npos)
      return fail(Errc::bad_expression, "an assignment is not evaluated on hover");
    const auto found = expressions.find(spec.expression);
    if (found == expressions.end())
      return fail(Errc::bad_expression, fmt::format("no symbol '{}' in this frame", spec.expression));
    return found->second;
  }
  Result<proto::ValueInfo> set_expression(const proto::EvaluateSpec& target, const std::string& text) override {
    TL_TRY_VOID(note(fmt::format("set_expression {} {}", target.expression, text), "set_expression"));
    evaluated = target;
    const auto found = expressions.find(target.expression);
    if (found == expressions.end())
      return fail(Errc::bad_expression, fmt::format("no symbol '{}' in this frame", target.expression));
    found->second.value = text;
    return found->second;
  }
  Result<proto::CompletionInfo> completions(const proto::CompletionSpec& spec) override {
    TL_TRY_VOID(note(fmt::format("completions {} {}", spec.text, spec.cursor), "completions"));
    return completion;
  }
  proto::CompletionInfo completion;
  Result<proto::ValueInfo> set_value(ValueRef container, const std::string& name, const std::string& text,
                                     proto::ValueFormat) override {
    TL_TRY_VOID(note(fmt::format("set_value {} {} {}", container.value, name, text), "set_value"));
    for (auto& child : children_of[container.value]) {
      if (child.name != name) continue;
      child.value = text;
      return child;
    }
    return fail(Errc::not_found, fmt::format("no variable '{}'", name));
  }
  Result<proto::ExceptionInfo> exception_info(Tid) override {
    TL_TRY_VOID(failure("exception_info"));
    return exception;
  }

  Result<std::vector<std::byte>> read_memory(LoadAddr at, ByteCount size) override {
    TL_TRY_VOID(failure("read_memory"));
    if (at < memory_at || at.value >= memory_at.value + memory.size())
      return fail(Errc::bad_address, fmt::format("0x{:x} is not mapped", at.value));
    const auto first = static_cast<std::size_t>(at.value - memory_at.value);
    const auto count = std::min<std::size_t>(size.value, memory.size() - first);
    return std::vector<std::byte>(memory.begin() + static_cast<std::ptrdiff_t>(first),
                                  memory.begin() + static_cast<std::ptrdiff_t>(first + count));
  }
  Result<ByteCount> write_memory(LoadAddr at, std::span<const std::byte> bytes) override {
    TL_TRY_VOID(failure("write_memory"));
    if (at < memory_at || at.value >= memory_at.value + memory.size())
      return fail(Errc::bad_address, fmt::format("0x{:x} is not mapped", at.value));
    const auto first = static_cast<std::size_t>(at.value - memory_at.value);
    const auto count = std::min(bytes.size(), memory.size() - first);
    std::copy_n(bytes.begin(), count, memory.begin() + static_cast<std::ptrdiff_t>(first));
    return ByteCount{count};
  }
  Result<std::vector<proto::RegisterInfo>> registers(FrameId) override {
    return std::vector<proto::RegisterInfo>{{"rax", "general", {std::byte{0x2a}}, "0x2a"}};
  }
  Result<void> write_register(FrameId, const std::string& name, const std::string& text) override {
    return note(fmt::format("write_register {} {}", name, text), "write_register");
  }
  Result<std::vector<proto::Instruction>> disassemble(LoadAddr at, std::int64_t offset, std::uint32_t count) override {
    TL_TRY_VOID(note(fmt::format("disassemble 0x{:x} {} {}", at.value, offset, count), "disassemble"));
    std::int64_t index = 0;
    while (index < static_cast<std::int64_t>(code.size()) && code[static_cast<std::size_t>(index)].address < at)
      ++index;
    std::vector<proto::Instruction> page;
    for (std::int64_t i = index + offset; i < index + offset + count; ++i)
      if (i >= 0 && i < static_cast<std::int64_t>(code.size())) page.push_back(code[static_cast<std::size_t>(i)]);
    return page;
  }

  std::vector<proto::ModuleInfo> modules() override { return module_list; }
  Result<std::vector<std::string>> source_files() override {
    TL_TRY_VOID(failure("source_files"));
    std::vector<std::string> paths;
    for (const auto& [path, text] : sources) paths.push_back(path);
    return paths;
  }
  Result<std::string> source_text(const std::string& path) override {
    TL_TRY_VOID(note("source_text " + path, "source_text"));
    const auto found = sources.find(path);
    if (found == sources.end()) return fail(Errc::not_found, fmt::format("no source text for {}", path));
    return found->second;
  }
  Result<std::vector<proto::SymbolInfo>> find_symbols(const std::string& query, std::uint32_t) override {
    TL_TRY_VOID(failure("find_symbols"));
    return std::vector<proto::SymbolInfo>{{query, "function", {0x401010}, "/src/app.cpp", {6}, "app"}};
  }
  std::map<std::string, double> stats() override { return {{"stops", 3}, {"sites", 1}}; }

 private:
  Result<void> failure(const std::string& verb) const {
    if (const auto found = failures.find(verb); found != failures.end()) return std::unexpected(found->second);
    return {};
  }
  Result<void> note(std::string call, const std::string& verb) {
    calls.push_back(std::move(call));
    return failure(verb);
  }
  Result<void> note(const std::string& verb) { return note(verb, verb); }

  void take_process(const proto::ProcessInfo& process) {
    info = process;
    status.reset();
    run_state = proto::RunState::held;
  }
  void begin(const std::string& verb, proto::StartMethod method, Reply<proto::ProcessInfo> reply) {
    if (auto failed = failure(verb); !failed) return reply(std::unexpected(std::move(failed).error()));
    pending_ = std::move(reply);
    if (!answers_later) answer(process_info(method));
  }
  void give_up() {
    if (pending_) answer(fail(Errc::cancelled, "given up"));
  }
  void run(Tid thread, bool all) {
    run_state = proto::RunState::running;
    stop.reset();
    for (auto& frame : frames) frame.id.value += 100;  // void after a resume
    std::map<std::int32_t, std::vector<proto::ScopeInfo>> moved;
    for (auto& [frame, list] : scopes_of) moved[frame + 100] = std::move(list);
    scopes_of = std::move(moved);
    emit(proto::ContinuedEvent{thread, all});
  }

  static proto::BreakpointLocation location_of(const proto::BreakpointSpec& spec) {
    proto::BreakpointLocation location{.address = {0x401000},
                                       .file = "/src/app.cpp",
                                       .line = {1},
                                       .column = 0,
                                       .function = "compute(int)",
                                       .module = "app"};
    if (const auto* line = std::get_if<proto::LinePlace>(&spec.place)) {
      location.file = line->file;
      location.line = line->line;
      location.column = line->column;
      location.address.value += line->line.value * 16;
    } else if (const auto* address = std::get_if<proto::AddressPlace>(&spec.place)) {
      location.address = address->address;
    }
    return location;
  }
  static void place(proto::BreakpointInfo& one) {
    const auto refuse = [&](std::string why) { one.message = std::move(why); };
    if (one.spec.condition == "(") return refuse("condition: '(' does not end");
    if (const auto* line = std::get_if<proto::LinePlace>(&one.spec.place)) {
      one.pending = line->file.starts_with("/src/plugin");
      if (one.pending) return;
      if (line->file != "/src/app.cpp") return refuse("no code from " + line->file);
      if (line->line.value > 100) return refuse("no code at or after this line");
    }
    if (const auto* function = std::get_if<proto::FunctionPlace>(&one.spec.place);
        function && function->name != "main" && function->name != "compute") {
      one.pending = true;
      return refuse("no function '" + function->name + "' yet");
    }
    one.verified = true;
    one.locations = {location_of(one.spec)};
  }

  std::shared_ptr<std::map<int, proto::Listener>> listeners_ = std::make_shared<std::map<int, proto::Listener>>();
  std::deque<proto::Event> queue_;
  Reply<proto::ProcessInfo> pending_;
  int last_listener_ = 0;
  std::int32_t last_breakpoint_ = 0;
};

}  // namespace trapline::tests
