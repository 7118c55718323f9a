#include "client/prompt/prompt.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <iostream>
#include <utility>

#include "client/prompt/line_editor.hpp"
#include "proto/wire/nearest.hpp"

namespace trapline::client {
namespace {

constexpr std::uint32_t context_lines = 3;
volatile std::sig_atomic_t interrupted = 0;

// What a user of gdb will try and this version cannot do.
constexpr auto later_commands = std::to_array<std::string_view>({"watch",        "rwatch",       "awatch",
                                                                 "catch",        "tcatch",       "call",
                                                                 "jump",         "return",       "handle",
                                                                 "signal",       "record",       "reverse-continue",
                                                                 "reverse-next", "reverse-step", "reverse-finish",
                                                                 "rc",           "rn",           "rs",
                                                                 "source",       "define",       "python",
                                                                 "commands",     "rbreak",       "hbreak",
                                                                 "core-file",    "gcore",        "generate-core-file",
                                                                 "checkpoint",   "file",         "target"});

void on_interrupt(int) { interrupted = 1; }

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

template <class T>
std::optional<T> number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

const std::vector<Command>& commands() {
  static const auto all = [] {
    std::vector<Command> list;
    for (auto part : {running_commands(), breakpoint_commands(), looking_commands(), value_commands()})
      std::ranges::move(part, std::back_inserter(list));
    return list;
  }();
  return all;
}

Result<const Command*> find_command(std::string_view name) {
  std::vector<const Command*> meant;
  for (const auto& command : commands()) {
    if (command.name == name || std::ranges::find(command.aliases, name) != command.aliases.end()) return &command;
    if (command.name.starts_with(name)) meant.push_back(&command);
  }
  if (meant.size() == 1) return meant.front();
  if (meant.size() > 1) {
    std::string list;
    for (const auto* command : meant) list += fmt::format("{}{}", list.empty() ? "" : ", ", command->name);
    return fail(Errc::bad_request, fmt::format("`{}` may be {}", name, list));
  }
  if (std::ranges::find(later_commands, name) != later_commands.end())
    return fail(Errc::unsupported, fmt::format("`{}` is not available in this version", name));
  std::vector<std::string_view> names;
  for (const auto& command : commands()) names.push_back(command.name);
  const auto near = wire::nearest(name, names);
  return fail_hint(Errc::unknown_request, fmt::format("there is no command `{}`", name),
                   near ? fmt::format("did you mean `{}`? `help` lists all", *near) : "`help` lists all");
}

Prompt::Prompt(proto::Control& control, std::function<bool(std::chrono::milliseconds)> pump, Options options)
    : control_(control), pump_(std::move(pump)), options_(options), paint_(options.colours) {
  subscription_ = control_.subscribe([this](const proto::Event& event) { on_event(event); });
}

void Prompt::print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void Prompt::on_event(const proto::Event& event) {
  if (const auto* stopped = std::get_if<proto::StoppedEvent>(&event)) {
    stop_seen_ = true;
    thread_ = stopped->stop.thread;
    level_ = 0;
    list_next = 0;
  } else if (const auto* exited = std::get_if<proto::ExitedEvent>(&event)) {
    end_seen_ = true;
    const auto& status = exited->status;
    print(status.signal != 0 ? fmt::format("[The program was killed by signal {} ({}){}.]\n", status.signal,
                                           ::sigdescr_np(status.signal), status.core_dumped ? ", core dumped" : "")
                             : fmt::format("[The program ended with exit code {}.]\n", status.code));
  } else if (std::holds_alternative<proto::DetachedEvent>(event)) {
    end_seen_ = true;
    print("[Detached; the program runs on.]\n");
  } else if (const auto* output = std::get_if<proto::OutputEvent>(&event)) {
    print(output->category == proto::OutputCategory::important ? paint_.yellow(output->text) : output->text);
  } else if (const auto* changed = std::get_if<proto::BreakpointEvent>(&event);
             changed != nullptr && changed->change == proto::Change::changed && changed->breakpoint.verified) {
    for (const auto& location : changed->breakpoint.locations)
      print(paint_.dim(fmt::format("[Breakpoint {} is bound: {} at {}:{}.]\n", changed->breakpoint.id.value,
                                   location.function, base_name(location.file), location.line.value)));
  }
}

Result<void> Prompt::wait_for_stop() {
  interrupted = 0;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = on_interrupt;
  ::sigaction(SIGINT, &action, &before);
  bool asked = false;
  // A stop that was over before we asked (another client went on, or our own order met it) is not the one to show.
  while (connected_ && !(std::exchange(stop_seen_, false) && control_.current_stop()) && !end_seen_) {
    if (std::exchange(interrupted, 0) != 0) {
      if (asked) break;  // a second ^C: give the prompt back, whatever the program does
      asked = true;
      if (auto paused = control_.pause(); !paused) print(fmt::format("{}\n", paused.error().message));
    }
    connected_ = pump_(std::chrono::milliseconds(100));
  }
  ::sigaction(SIGINT, &before, nullptr);
  if (!connected_) return fail(Errc::connection, "the session has ended");
  if (std::exchange(end_seen_, false)) return {};
  if (control_.current_stop()) show_stop();
  return {};
}

bool Prompt::show_news() {
  connected_ = pump_(std::chrono::milliseconds(0)) && connected_;
  if (!std::exchange(stop_seen_, false) || !control_.current_stop()) return false;
  show_stop();
  return true;
}

void Prompt::show_stop() {
  const auto stop = control_.current_stop();
  if (!stop) return;
  if (stop->reason == proto::StopReason::breakpoint && !stop->breakpoints.empty()) {
    std::string ids;
    for (const auto id : stop->breakpoints) ids += fmt::format("{}{}", ids.empty() ? "" : ", ", id.value);
    print(paint_.bold(fmt::format("\nThread {} hit breakpoint {}\n", stop->thread.value, ids)));
  } else if (stop->reason == proto::StopReason::signal) {
    print(paint_.red(fmt::format("\nThread {}: {} ({})\n", stop->thread.value, stop->description, stop->text)));
  } else if (stop->reason != proto::StopReason::step) {
    print(paint_.bold(fmt::format("\nThread {}: {}\n", stop->thread.value, stop->description)));
  }
  show_frame();
  if (!stop->returned.empty())
    print(fmt::format("Value returned by {} is {}\n", stop->returned_function, stop->returned));
  for (const auto& expression : displays)
    if (const auto shown = value(expression))
      print(fmt::format("{} = {}\n", expression, shown->value));
    else
      print(fmt::format("{}: {}\n", expression, shown.error().message));
}

void Prompt::show_frame() {
  const auto here = frame();
  if (!here) return print(fmt::format("{}\n", here.error().message));
  print(frame_line(paint_, *here, arguments_of(*here).value_or("")) + "\n");
  if (const auto* lines = here->line.value != 0 ? source(here->file) : nullptr) {
    const auto line = here->line.value;
    print(source_lines(paint_, *lines, line > context_lines ? line - context_lines : 1, line + context_lines, line));
  } else if (const auto code = control_.disassemble(here->pc, 0, 3)) {
    for (const auto& one : *code)
      print(fmt::format("{} {:#x}  {}\n", one.address == here->pc ? paint_.yellow("=>") : "  ", one.address.value,
                        one.text));
  }
}

// Before the first stop, and in code without source, a line or `list` means the file of main().
std::optional<proto::SymbolInfo> Prompt::main_function() {
  const auto found = control_.find_symbols("main", 20);
  if (!found) return std::nullopt;
  const auto main = std::ranges::find_if(
      *found, [](const auto& one) { return one.kind == "function" && one.name == "main" && one.line.value != 0; });
  return main == found->end() ? std::nullopt : std::optional(*main);
}

Result<Tid> Prompt::thread() const {
  if (thread_) return *thread_;
  if (const auto stop = control_.current_stop()) return stop->thread;
  return fail_hint(Errc::not_stopped, "the program is not stopped", "`run` starts it, `interrupt` or ^C pauses it");
}

Result<proto::FrameInfo> Prompt::frame() {
  TL_TRY(const auto tid, thread());
  TL_TRY(const auto page, control_.stack(tid, level_, 1));
  if (page.frames.empty()) return fail(Errc::not_found, fmt::format("thread {} has no frame {}", tid.value, level_));
  return page.frames.front();
}

Result<void> Prompt::select_thread(Tid thread) {
  TL_TRY(const auto threads, control_.threads());
  if (std::ranges::find(threads, thread, &proto::ThreadInfo::id) == threads.end())
    return fail_hint(Errc::not_found, fmt::format("there is no thread {}", thread.value), "`info threads` lists them");
  thread_ = thread;
  level_ = 0;
  return {};
}

Result<void> Prompt::select_frame(std::uint32_t level) {
  const auto before = std::exchange(level_, level);
  if (auto there = frame(); !there) {
    level_ = before;
    return std::unexpected(there.error());
  }
  list_next = 0;
  return {};
}

Result<std::string> Prompt::arguments_of(const proto::FrameInfo& frame) {
  if (frame.kind == proto::FrameKind::broken || frame.line.value == 0) return std::string();
  TL_TRY(const auto scopes, control_.scopes(frame.id));
  std::string text;
  for (const auto& scope : scopes) {
    if (scope.kind != proto::ScopeKind::arguments) continue;
    TL_TRY(const auto arguments, control_.children(scope.ref, 0, 0, {}));
    for (const auto& argument : arguments)
      text += fmt::format("{}{}={}", text.empty() ? "" : ", ", paint_.cyan(argument.name), argument.value);
  }
  return text;
}

const std::vector<std::string>* Prompt::source(const std::string& path) {
  if (path.empty()) return nullptr;
  if (const auto found = sources_.find(path); found != sources_.end())
    return found->second.empty() ? nullptr : &found->second;
  auto& lines = sources_[path];
  if (const auto text = control_.source_text(path)) lines = split_lines(*text);
  return lines.empty() ? nullptr : &lines;
}

Result<proto::BreakpointPlace> Prompt::place(std::string_view text) {
  text = trimmed(text);
  if (text.empty()) {
    TL_TRY(const auto here, frame());
    return proto::AddressPlace{here.pc};
  }
  if (text.starts_with('*')) {
    const auto address = trimmed(text.substr(1));
    if (address.starts_with("0x"))
      if (const auto value = number<std::uint64_t>(address.substr(2), 16)) return proto::AddressPlace{LoadAddr{*value}};
    TL_TRY(const auto info, value(fmt::format("(unsigned long)({})", address)));
    if (const auto number_of = number<std::uint64_t>(info.value)) return proto::AddressPlace{LoadAddr{*number_of}};
    return fail(Errc::bad_request, fmt::format("`{}` is no address", address));
  }
  if (const auto line = number<std::uint32_t>(text)) {
    auto file = list_file;
    if (const auto here = frame(); here && !here->file.empty()) file = here->file;
    if (file.empty())
      if (const auto main = main_function()) file = main->file;
    if (file.empty()) return fail_hint(Errc::bad_request, "a line of which file?", "write file:line");
    return proto::LinePlace{.file = file, .line = Line{*line}, .column = 0};
  }
  // A colon that is not one of `::` parts file and line.
  if (const auto colon = text.rfind(':'); colon != std::string_view::npos && colon > 0 && text[colon - 1] != ':') {
    if (const auto line = number<std::uint32_t>(trimmed(text.substr(colon + 1))))
      return proto::LinePlace{.file = std::string(trimmed(text.substr(0, colon))), .line = Line{*line}, .column = 0};
  }
  return proto::FunctionPlace{std::string(text)};
}

Result<proto::ValueInfo> Prompt::value(std::string_view expression, std::string_view specifiers) {
  proto::EvaluateSpec spec{.expression = std::string(expression),
                           .frame = std::nullopt,
                           .context = proto::EvaluateContext::repl,
                           .format = {.hex = false, .specifiers = std::string(specifiers)}};
  if (control_.current_stop()) {
    TL_TRY(const auto here, frame());
    spec.frame = here.id;
  }
  return control_.evaluate(spec);
}

std::string Prompt::tree(const proto::ValueInfo& value, std::uint32_t depth) {
  const auto quote = value.value.find('"');
  const bool is_text = quote != std::string::npos && value.value.find_first_not_of("LuU8") == quote;
  if (value.ref.value == 0 || depth == 0 || is_text) return value.value;
  constexpr std::uint64_t page = 50;
  const auto children = control_.children(value.ref, 0, page, {});
  if (!children) return value.value;
  std::string text = value.value + "\n";
  for (const auto& child : *children) {
    if (child.name == "[Raw View]") continue;  // `p x,!` shows it
    auto line = fmt::format("  {} = {}", paint_.cyan(child.name), tree(child, depth - 1));
    for (std::size_t at = line.find('\n'); at != std::string::npos && at + 1 < line.size();
         at = line.find('\n', at + 3))
      line.insert(at + 1, "  ");
    text += line + "\n";
  }
  if (value.named + value.indexed > page) text += fmt::format("  ... {} more\n", value.named + value.indexed - page);
  text.pop_back();
  return text;
}

Result<void> Prompt::execute(std::string_view line) {
  line = trimmed(line);
  if (line.empty() || line.starts_with('#')) return {};
  // The command's name ends at the first blank, or at gdb's /FORMAT.
  const auto end = line.find_first_of(" \t/");
  const auto name = line.substr(0, end);
  TL_TRY(const auto* command, find_command(name));
  auto rest = end == std::string_view::npos ? std::string_view() : line.substr(end);
  if (!rest.starts_with('/')) rest = trimmed(rest);
  last_line_ = command->repeats ? std::string(line) : std::string();
  return command->run(*this, rest);
}

std::optional<std::string> Prompt::read_script_line() {
  std::string line;
  // What the program prints meanwhile is shown in its place.
  if (!std::getline(std::cin, line)) return std::nullopt;
  print(fmt::format("{}{}\n", paint_.bold("(trapline) "), line));
  return line;
}

std::optional<std::string> Prompt::read_line() {
  if (!options_.interactive) return read_script_line();
  static LineEditor editor(*this);
  return editor.read([this] { return show_news(); });
}

int Prompt::loop() {
  while (!quitting_ && connected_) {
    show_news();
    end_seen_ = false;
    auto line = read_line();
    if (!line) {  // the end of the input means `quit`
      if (auto left = execute("quit"); !left) print(fmt::format("{}\n", left.error().message));
      break;
    }
    if (trimmed(*line).empty()) line = last_line_;
    if (auto done = execute(*line); !done) {
      ++failures_;
      print(paint_.red(done.error().message) + "\n");
      if (!done.error().hint.empty()) print(fmt::format("  {}\n", done.error().hint));
    }
  }
  return options_.interactive || failures_ == 0 ? 0 : 1;
}

}  // namespace trapline::client
