#include "client/prompt/line_editor.hpp"

#include <editline/readline.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "client/prompt/prompt.hpp"

namespace trapline::client {
namespace {

constexpr int history_size = 2000;
// libedit's readline interface has no user data: one editor a process.
Prompt* current = nullptr;
std::optional<std::string> finished;
bool ended = false;
volatile std::sig_atomic_t interrupted = 0;

std::filesystem::path history_file() {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  if (state != nullptr && *state != '\0') return std::filesystem::path(state) / "trapline" / "history";
  return std::filesystem::path(home != nullptr ? home : "/tmp") / ".local" / "state" / "trapline" / "history";
}

void on_line(char* line) {
  if (line == nullptr) {
    ended = true;
  } else {
    finished = line;
    if (*line != '\0') add_history(line);
    std::free(line);
  }
  rl_callback_handler_remove();
}

char* next_candidate(const char*, int state) {
  static std::vector<std::string> candidates;
  static std::size_t next = 0;
  if (state == 0) {
    candidates = complete(*current, rl_line_buffer == nullptr ? "" : rl_line_buffer);
    next = 0;
  }
  return next < candidates.size() ? ::strdup(candidates[next++].c_str()) : nullptr;
}

char** complete_word(const char* text, int, int) {
  rl_attempted_completion_over = 1;
  return rl_completion_matches(text, next_candidate);
}

}  // namespace

LineEditor::LineEditor(Prompt& prompt) {
  current = &prompt;
  rl_readline_name = const_cast<char*>("trapline");
  rl_catch_signals = 0;  // libedit's handler would send it on to us
  rl_attempted_completion_function = complete_word;
  using_history();
  stifle_history(history_size);
  std::error_code ignored;
  std::filesystem::create_directories(history_file().parent_path(), ignored);
  read_history(history_file().c_str());
}

LineEditor::~LineEditor() { write_history(history_file().c_str()); }

// ^C at the prompt: a running program is paused, else what was typed is dropped. It never ends us.
std::optional<std::string> LineEditor::read(const std::function<bool()>& idle) {
  finished.reset();
  ended = false;
  interrupted = 0;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) { interrupted = 1; };
  ::sigaction(SIGINT, &action, &before);
  rl_callback_handler_install("(trapline) ", on_line);
  while (!finished && !ended) {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (::poll(&input, 1, 100) > 0)
      rl_callback_read_char();
    else if (idle())
      rl_forced_update_display();
    if (std::exchange(interrupted, 0) == 0) continue;
    rl_callback_handler_remove();
    std::fputs("^C\n", stdout);
    if (current->control().state() == proto::RunState::running)
      finished = "interrupt";
    else
      rl_callback_handler_install("(trapline) ", on_line);
  }
  ::sigaction(SIGINT, &before, nullptr);
  return ended ? std::nullopt : finished;
}

}  // namespace trapline::client
