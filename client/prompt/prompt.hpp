#pragma once
// A person's debugger: gdb's command names over a Control. One table of commands gives dispatch, help, abbreviations
// and completion.
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/text.hpp"
#include "proto/control.hpp"

namespace trapline::client {

class Prompt;

struct Command {
  std::string_view name;
  std::vector<std::string_view> aliases;
  std::string_view usage;
  std::string_view help;
  Result<void> (*run)(Prompt&, std::string_view arguments);
  bool repeats = false;  // an empty line runs it again
};

class Prompt {
 public:
  struct Options {
    bool colours = false;
    bool interactive = false;  // a terminal: line editing, history; else commands come on stdin and are echoed
  };
  // `pump` waits up to the given time for events of `control`; false: the session is gone.
  Prompt(proto::Control& control, std::function<bool(std::chrono::milliseconds)> pump, Options options);
  int loop();  // until quit, end of input, or the session's end; the exit code
  Result<void> execute(std::string_view line);

  // For the commands.
  proto::Control& control() { return control_; }
  const Paint& paint() const { return paint_; }
  void print(std::string_view text);
  Result<void> wait_for_stop();  // prints what comes; ^C pauses
  void show_stop();              // why and where it stands, with source, and the displays
  void show_frame();             // the selected one, with source
  std::optional<proto::SymbolInfo> main_function();
  Result<Tid> thread() const;
  Result<proto::FrameInfo> frame();  // the selected one
  Result<void> select_thread(Tid thread);
  Result<void> select_frame(std::uint32_t level);
  Result<std::string> arguments_of(const proto::FrameInfo& frame);
  const std::vector<std::string>* source(const std::string& path);
  Result<proto::BreakpointPlace> place(std::string_view text);  // file:line, line, function, *address
  Result<proto::ValueInfo> value(std::string_view expression, std::string_view specifiers = {});
  std::string tree(const proto::ValueInfo& value, std::uint32_t depth);
  void quit() { quitting_ = true; }
  bool kill_on_quit = false;                               // we launched it
  std::map<std::int32_t, proto::BreakpointSpec> disabled;  // by the number that the user saw
  std::vector<std::string> displays;
  std::uint32_t list_next = 0;  // first line of the next `list`
  std::string list_file;

 private:
  void on_event(const proto::Event& event);
  bool show_news();  // a stop that came while nobody waited for one; true: something was printed
  std::optional<std::string> read_line();
  std::optional<std::string> read_script_line();

  proto::Control& control_;
  std::function<bool(std::chrono::milliseconds)> pump_;
  Options options_;
  Paint paint_;
  proto::Subscription subscription_;
  std::optional<Tid> thread_;
  std::uint32_t level_ = 0;
  bool stop_seen_ = false;
  bool end_seen_ = false;
  bool quitting_ = false;
  bool connected_ = true;
  std::string last_line_;
  std::map<std::string, std::vector<std::string>> sources_;
  std::uint32_t failures_ = 0;

  friend struct LineEditor;
};

const std::vector<Command>& commands();
// By name, alias or unambiguous beginning. Errors: unknown_request (the nearest), bad_request (ambiguous: all that it
// may mean).
Result<const Command*> find_command(std::string_view name);
std::vector<Command> running_commands();
std::vector<Command> breakpoint_commands();
std::vector<Command> looking_commands();
std::vector<Command> value_commands();

std::vector<std::string> complete(Prompt& prompt, std::string_view line);

}  // namespace trapline::client
