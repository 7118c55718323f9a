#pragma once
// Control: every verb a front end may ask of a debuggee, in words/ types.
//
// daemon/session implements it on a live process, client/ implements it over JSON-RPC, tests/ fake it. DAP is a
// translation of it and JSON-RPC its serialisation, so each verb is written once and every front end has it.
//
// Thread: all calls and all events are on the loop's thread. Events are delivered after the verb that caused them has
// returned, never from within it.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "proto/words/addr.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::proto {

// ---- life of a debuggee -------------------------------------------------------------------------------------------

enum class Console : std::uint8_t { internal, integrated, external };  // internal: a pty of ours
enum class StopAt : std::uint8_t { nowhere, entry, main };

// What a terminal (VS Code's, tmux) is asked to run. `args[0]` is a program of ours that waits to be seized.
struct TerminalRequest {
  Console kind = Console::integrated;
  std::string title;
  std::string cwd;
  std::vector<std::string> args;
  std::map<std::string, std::optional<std::string>> env;
};

struct StdioFiles {  // a path each; empty: as the console gives it
  std::string in;
  std::string out;
  std::string err;
};

// Debug information that is not on this machine, from debuginfod servers. `automatic`: where DEBUGINFOD_URLS names
// some.
enum class Debuginfod : std::uint8_t { off, cached, automatic, on };  // cached: what was fetched before, nothing more
struct DebuginfodOptions {
  Debuginfod use = Debuginfod::automatic;
  std::vector<std::string> urls{};                // empty: DEBUGINFOD_URLS
  std::optional<std::chrono::seconds> timeout{};  // without 100 KB more; none: DEBUGINFOD_TIMEOUT, or 90 s
  std::string cache{};                            // folder; empty: the one that all debuginfod clients share
  bool operator==(const DebuginfodOptions&) const = default;
};

// What launch and attach have in common.
struct SourceOptions {
  std::vector<std::pair<std::string, std::optional<std::string>>>
      source_map;  // from prefix -> to prefix; nullopt hides
  std::string relative_path_base;
  std::vector<std::string> debug_file_dirs;  // besides /usr/lib/debug
  std::string index_dir;                     // where symbol indexes are kept; empty: the daemon's folder
  std::vector<std::string> symbols_exclude;  // globs of modules whose debug information is left out
  DebuginfodOptions debuginfod{};
  bool load_eagerly = false;  // open all debug information behind the start; else when it is first asked for
  bool just_my_code = true;
  std::vector<std::string> skip_files;  // globs; step-in goes through
  std::vector<std::string> skip_functions;
  std::vector<std::string> visualizers;  // natvis files and folders of them, besides those in the box
};

// Functions of the debuggee that an expression calls: `explicitly`, in the console and in watches; never in a hover.
enum class CallsAllowed : std::uint8_t { never, explicitly, always };
struct EvaluationOptions {
  CallsAllowed allow_calls = CallsAllowed::explicitly;
  std::chrono::milliseconds timeout{1000};  // of one call
};

struct SignalPolicy {
  bool stop = true;
  bool pass = true;
  bool print = true;
};

struct LaunchSpec {
  std::string program;
  std::vector<std::string> args;
  std::string cwd;
  std::vector<std::pair<std::string, std::optional<std::string>>> env;  // in order; nullopt unsets
  bool inherit_env = true;
  std::string env_file;
  StopAt stop_at = StopAt::nowhere;
  Console console = Console::internal;
  StdioFiles stdio;
  bool disable_aslr = true;
  std::vector<std::string> wrapper;  // e.g. {"numactl","-N0"}; followed through its execs to `program`
  std::string user;
  bool no_debug = false;
  bool detach_on_error = true;  // the last client vanished: true leaves the program running
  std::string graceful_signal = "SIGTERM";
  std::map<std::string, SignalPolicy> signals;
  SourceOptions sources;
  EvaluationOptions evaluation{};
  std::chrono::seconds timeout{30};
  // Set where the front end can open a terminal; unset: a pty serves every Console.
  std::function<void(TerminalRequest, Reply<void>)> open_terminal;
};

struct AttachSpec {
  std::optional<Pid> pid;
  std::string name;  // glob on exe's base name or comm
  bool wait_for = false;
  std::string program;  // empty: /proc/PID/exe
  bool stop_on_attach = false;
  std::map<std::string, SignalPolicy> signals;
  SourceOptions sources;
  EvaluationOptions evaluation{};
  std::chrono::seconds timeout{30};
};

enum class StartMethod : std::uint8_t { launch, attach };

struct ProcessInfo {
  std::string name;  // path of the program
  Pid pid;
  StartMethod start_method = StartMethod::launch;
  int pointer_bits = 64;
};

enum class RunState : std::uint8_t { none, held, running, stopped, exited };
// none: nothing launched yet. held: launched or attached, waiting for start(). The others as they read.

// ---- breakpoints ---------------------------------------------------------------------------------------------------

enum class BreakpointMode : std::uint8_t { automatic, inline_pad, trap, hardware };

struct LinePlace {
  std::string file;
  Line line;
  std::uint32_t column = 0;  // 1-based; 0: any
  std::string md5{};         // of the file as the client shows it, 32 hex digits; empty: as it is on disk
  bool operator==(const LinePlace&) const = default;
};
struct FunctionPlace {
  std::string name;
  bool operator==(const FunctionPlace&) const = default;
};
struct AddressPlace {
  LoadAddr address;
  bool operator==(const AddressPlace&) const = default;
};
using BreakpointPlace = std::variant<LinePlace, FunctionPlace, AddressPlace>;

struct BreakpointSpec {
  BreakpointPlace place;
  std::string condition;      // empty: none
  std::string hit_condition;  // "5", ">= 3", "% 2"; empty: none
  std::string log_message;    // with {expression}; empty: stop
  BreakpointMode mode = BreakpointMode::automatic;
  std::optional<Tid> thread;
  bool temporary = false;
  bool operator==(const BreakpointSpec&) const = default;
};

struct BreakpointLocation {
  LoadAddr address;
  std::string file;
  Line line;
  std::uint32_t column = 0;
  std::string function;
  std::string module;
  BreakpointMode mode = BreakpointMode::trap;  // which one it got
};

struct BreakpointInfo {
  BreakpointId id;
  BreakpointSpec spec;
  bool verified = false;
  bool pending = false;  // not bound yet, may bind later (DAP reason "pending"); else "failed"
  std::string message;   // why not verified, why another mode, the near match
  std::vector<BreakpointLocation> locations;
  std::uint64_t hits = 0;         // passes with a true condition
  std::uint64_t evaluations = 0;  // passes
  double nanoseconds_per_evaluation = 0;
};

// ---- running
// ---------------------------------------------------------------------------------------------------------

struct ResumeScope {
  std::optional<Tid> only;  // nullopt: all threads
};

enum class StepKind : std::uint8_t { over, into, out };
enum class StepUnit : std::uint8_t { line, statement, instruction };

struct StepSpec {
  Tid thread;
  StepKind kind = StepKind::over;
  StepUnit unit = StepUnit::line;
  bool single_thread = false;
};

enum class StopReason : std::uint8_t { entry, breakpoint, step, pause, signal, exec, attach, error };

struct Stop {
  StopReason reason = StopReason::pause;
  Tid thread;                             // the one that caused it
  std::vector<BreakpointId> breakpoints;  // all that were hit here
  std::string description;                // short, for people: "Paused on breakpoint"
  std::string text;                       // more: the signal's meaning, a condition's error
  int signal = 0;
  std::string file;  // of the innermost frame, where known
  Line line;
  std::string function;
  LoadAddr pc;
  std::string returned{};  // what the function returned that this step came out of, as one line; empty: none
  std::string returned_function{};
};

struct ExitStatus {
  int code = 0;
  int signal = 0;  // 0: exited with `code`
  bool core_dumped = false;
};

struct ThreadInfo {
  Tid id;
  std::string name;
  bool stopped = false;
};

// ---- looking
// -----------------------------------------------------------------------------------------------------------

enum class FrameKind : std::uint8_t { normal, inlined, signal_handler, no_symbols, broken };

struct FrameInfo {
  FrameId id;
  std::uint32_t level = 0;
  std::string function;  // demangled; "??" where nothing is known; for `broken` why the stack ends here
  std::string file;      // absolute, after sourceMap; empty where unknown
  Line line;
  std::uint32_t column = 0;
  LoadAddr pc;
  LoadAddr cfa;
  std::optional<ModuleId> module;
  std::string module_name;
  FrameKind kind = FrameKind::normal;
  bool user_code = true;
};

struct StackPage {
  std::vector<FrameInfo> frames;
  std::optional<std::uint32_t> total;  // known once the end was reached
};

enum class ScopeKind : std::uint8_t { arguments, locals, globals, registers };

struct ScopeInfo {
  std::string name;
  ScopeKind kind = ScopeKind::locals;
  ValueRef ref;
  std::uint32_t named = 0;
  std::uint32_t indexed = 0;
  bool expensive = false;
};

struct ValueFormat {
  bool hex = false;
  std::string specifiers{};  // natvis' letters and gdb's of print/x: "x", "[10]s", "na"
};

enum class ValueKind : std::uint8_t {
  data,
  base_class,
  virtual_base,
  static_member,
  register_,
  error,
  return_value,  // of the function that the last step came out of
};

struct ValueInfo {
  std::string name;
  std::string value;
  std::string type;
  std::string evaluate_name;  // an expression that gives this value again; empty where there is none
  ValueRef ref;               // 0: no children
  std::uint64_t named = 0;
  std::uint64_t indexed = 0;
  std::optional<LoadAddr> memory;
  ValueKind kind = ValueKind::data;
  bool read_only = false;
};

enum class EvaluateContext : std::uint8_t { watch, hover, repl, clipboard, variables };

struct EvaluateSpec {
  std::string expression;
  std::optional<FrameId> frame;
  EvaluateContext context = EvaluateContext::watch;
  ValueFormat format;
};

struct CompletionSpec {
  std::string text;
  std::uint64_t cursor = 0;  // bytes of `text` before it
  std::optional<FrameId> frame{};
};
struct CompletionItem {
  std::string text;
  std::string kind;  // name, member, type, enumerator, register
  std::string type;  // of a member or register
};
struct CompletionInfo {
  std::uint64_t start = 0;   // byte of the text where an item goes
  std::uint64_t length = 0;  // bytes that it replaces
  std::vector<CompletionItem> items;
};

struct ModuleInfo {
  ModuleId id;
  std::string name;
  std::string path;
  std::string build_id;
  LoadRange range;
  bool has_symbols = false;         // .symtab or .dynsym
  bool has_debug_info = false;      // DWARF
  std::string debug_file;           // where it was found, when apart
  std::optional<bool> optimized{};  // by the units' DW_AT_producer, where it is known
};

struct ExceptionInfo {
  std::string id;           // "SIGSEGV"
  std::string description;  // "Segmentation fault: address 0x0 is not mapped"
  std::string type_name;
  bool unhandled = true;
  std::string what{};  // of a C++ exception: its text, or its value
};

struct Instruction {
  LoadAddr address;
  std::vector<std::byte> bytes;
  std::string text;
  std::string symbol;
  std::string file;
  Line line;
};

struct SymbolInfo {
  std::string name;
  std::string kind;  // function, type, variable, enumerator
  LoadAddr address;  // 0: it has none
  std::string file;
  Line line;
  std::string module;
};

struct RegisterInfo {
  std::string name;
  std::string group;             // general, segment, flags, x87, sse, avx, avx512
  std::vector<std::byte> bytes;  // little endian
  std::string value;
};

// ---- events
// --------------------------------------------------------------------------------------------------------------

enum class Change : std::uint8_t { added, changed, removed };

struct ProcessEvent {
  ProcessInfo process;
};
struct StoppedEvent {
  Stop stop;
  bool all_threads = true;
};
struct ContinuedEvent {
  Tid thread;
  bool all_threads = true;
};
struct ExitedEvent {
  ExitStatus status;
};
struct DetachedEvent {};  // the debuggee runs on without us; nothing more will come
struct ThreadEvent {
  Tid thread;
  bool started = true;  // false: it exited
};
struct ModuleEvent {
  Change change = Change::added;
  ModuleInfo module;
};
struct BreakpointEvent {
  Change change = Change::changed;
  BreakpointInfo breakpoint;
};
enum class OutputCategory : std::uint8_t { console, important, out, err };
struct OutputEvent {
  OutputCategory category = OutputCategory::console;
  std::string text;
  std::string file;  // of a log point
  Line line;
};
// What was read of this stop is not true any more: a called function changed memory, or threads ran for it.
struct InvalidatedEvent {
  bool threads = false;  // they may stand elsewhere; ids of frames and values are gone
};
enum class ProgressPhase : std::uint8_t { begin, update, end };
struct ProgressEvent {  // of work that goes on behind; nobody has to wait for it
  ProgressPhase phase = ProgressPhase::update;
  std::string id;
  std::string title;
  std::string message;
  std::uint32_t percentage = 0;
  bool cancellable = false;  // by cancel_progress(id)
};
using Event = std::variant<ProcessEvent, StoppedEvent, ContinuedEvent, ExitedEvent, DetachedEvent, ThreadEvent,
                           ModuleEvent, BreakpointEvent, OutputEvent, InvalidatedEvent, ProgressEvent>;
using Listener = std::function<void(const Event&)>;

// Dropping it ends the subscription.
class Subscription {
 public:
  Subscription() = default;
  explicit Subscription(std::function<void()> cancel) : cancel_(std::move(cancel)) {}
  Subscription(Subscription&& other) noexcept : cancel_(std::exchange(other.cancel_, nullptr)) {}
  Subscription& operator=(Subscription&& other) noexcept {
    if (this != &other) {
      reset();
      cancel_ = std::exchange(other.cancel_, nullptr);
    }
    return *this;
  }
  ~Subscription() { reset(); }
  void reset() {
    if (auto cancel = std::exchange(cancel_, nullptr)) cancel();
  }

 private:
  std::function<void()> cancel_;
};

// ---- the verbs
// -------------------------------------------------------------------------------------------------------------

class Control {
 public:
  virtual ~Control() = default;
  [[nodiscard]] virtual Subscription subscribe(Listener listener) = 0;

  // Launches and holds the debuggee at its first instruction until start(). The reply may come later (terminal,
  // wrapper).
  virtual void launch(LaunchSpec spec, Reply<ProcessInfo> reply) = 0;
  // Attaches to all threads. They are left running as they were once start() was called (stop_on_attach: stopped).
  virtual void attach(AttachSpec spec, Reply<ProcessInfo> reply) = 0;
  virtual Result<void> start() = 0;  // ends `held`: runs on, or reports the stop that was asked for
  virtual void restart(std::optional<LaunchSpec> changed, Reply<ProcessInfo> reply) = 0;
  virtual Result<void> detach() = 0;     // leaves the debuggee running, exactly as found
  virtual Result<void> kill() = 0;       // SIGKILL; ExitedEvent follows
  virtual Result<void> terminate() = 0;  // the graceful signal; the debuggee may take its time
  virtual RunState state() const = 0;
  virtual std::optional<ProcessInfo> process() const = 0;
  virtual std::optional<Stop> current_stop() const = 0;
  virtual std::optional<ExitStatus> exit_status() const = 0;

  // One batch, one stop of the debuggee at most; allowed in every state. Answers are in the order of `add`.
  virtual Result<std::vector<BreakpointInfo>> edit_breakpoints(std::span<const BreakpointId> remove,
                                                               std::span<const BreakpointSpec> add) = 0;
  virtual std::vector<BreakpointInfo> breakpoints() const = 0;

  virtual Result<void> resume(ResumeScope scope) = 0;
  virtual Result<void> pause() = 0;
  virtual Result<void> step(const StepSpec& step) = 0;
  virtual Result<void> run_to(Tid thread, const BreakpointPlace& place) = 0;  // gdb's until/advance

  virtual Result<std::vector<ThreadInfo>> threads() = 0;
  virtual Result<StackPage> stack(Tid thread, std::uint32_t start, std::uint32_t count) = 0;  // count 0: all
  virtual Result<std::vector<ScopeInfo>> scopes(FrameId frame) = 0;
  virtual Result<std::vector<ValueInfo>> children(ValueRef ref, std::uint64_t start, std::uint64_t count,
                                                  ValueFormat format) = 0;  // count 0: all
  virtual Result<ValueInfo> evaluate(const EvaluateSpec& spec) = 0;
  // Sets what the expression of `target` names; the answer is its new value.
  virtual Result<ValueInfo> set_expression(const EvaluateSpec& target, const std::string& text) = 0;
  virtual Result<CompletionInfo> completions(const CompletionSpec& spec) = 0;
  // Sets the child `name` of `container`; the answer is its new value.
  virtual Result<ValueInfo> set_value(ValueRef container, const std::string& name, const std::string& text,
                                      ValueFormat format) = 0;
  virtual Result<ExceptionInfo> exception_info(Tid thread) = 0;

  virtual Result<std::vector<std::byte>> read_memory(LoadAddr at, ByteCount size) = 0;  // shorter where unreadable
  virtual Result<ByteCount> write_memory(LoadAddr at, std::span<const std::byte> bytes) = 0;
  virtual Result<std::vector<RegisterInfo>> registers(FrameId frame) = 0;
  virtual Result<void> write_register(FrameId frame, const std::string& name, const std::string& text) = 0;
  // `instruction_offset` counts from `at`, negative ones lie before it.
  virtual Result<std::vector<Instruction>> disassemble(LoadAddr at, std::int64_t instruction_offset,
                                                       std::uint32_t count) = 0;

  virtual std::vector<ModuleInfo> modules() = 0;
  virtual Result<std::vector<std::string>> source_files() = 0;  // absolute paths, sorted
  virtual Result<std::string> source_text(const std::string& path) = 0;
  // The same, and where this machine has no such file debuginfod servers are asked: the reply may come later.
  virtual void read_source(const std::string& path, Reply<std::string> reply) { reply(source_text(path)); }
  virtual Result<std::vector<SymbolInfo>> find_symbols(const std::string& query, std::uint32_t limit) = 0;
  // Ends work that a ProgressEvent told of. Errors: not_found.
  virtual Result<void> cancel_progress(const std::string& id) {
    return fail(Errc::not_found, "nothing with the progress id " + id + " is under way");
  }
  virtual std::map<std::string, double> stats() = 0;  // counters by name: "stops", "sites", "ns_per_stop" ...
};

}  // namespace trapline::proto
