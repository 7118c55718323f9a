// Commands that make the program run, or end.
#include <fmt/format.h>

#include <charconv>

#include "client/prompt/prompt.hpp"

namespace trapline::client {
namespace {

constexpr std::uint32_t most_repeats = 1000000;

Result<std::uint32_t> count_of(std::string_view text) {
  if (text.empty()) return 1u;
  std::uint32_t count = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (problem != std::errc{} || end != text.data() + text.size() || count == 0 || count > most_repeats)
    return fail(Errc::bad_request, fmt::format("`{}` is no count", text));
  return count;
}

Result<void> step_times(Prompt& prompt, std::string_view text, proto::StepKind kind, proto::StepUnit unit) {
  TL_TRY(const auto count, count_of(text));
  for (std::uint32_t i = 0; i < count; ++i) {
    TL_TRY(const auto thread, prompt.thread());
    TL_TRY_VOID(prompt.control().step({.thread = thread, .kind = kind, .unit = unit, .single_thread = false}));
    TL_TRY_VOID(prompt.wait_for_stop());
    const auto stop = prompt.control().current_stop();
    if (!stop || stop->reason != proto::StopReason::step) return {};
  }
  return {};
}

Result<void> next(Prompt& prompt, std::string_view text) {
  return step_times(prompt, text, proto::StepKind::over, proto::StepUnit::line);
}
Result<void> step(Prompt& prompt, std::string_view text) {
  return step_times(prompt, text, proto::StepKind::into, proto::StepUnit::line);
}
Result<void> nexti(Prompt& prompt, std::string_view text) {
  return step_times(prompt, text, proto::StepKind::over, proto::StepUnit::instruction);
}
Result<void> stepi(Prompt& prompt, std::string_view text) {
  return step_times(prompt, text, proto::StepKind::into, proto::StepUnit::instruction);
}
Result<void> finish(Prompt& prompt, std::string_view) {
  return step_times(prompt, {}, proto::StepKind::out, proto::StepUnit::line);
}

Result<void> go_on(Prompt& prompt, std::string_view) {
  const auto state = prompt.control().state();
  if (state == proto::RunState::held) {
    TL_TRY_VOID(prompt.control().start());
  } else if (state != proto::RunState::running) {  // one that runs (attached to) is only waited for
    TL_TRY_VOID(prompt.control().resume({}));
  }
  return prompt.wait_for_stop();
}

Result<void> run(Prompt& prompt, std::string_view text) {
  const auto state = prompt.control().state();
  if (state == proto::RunState::held) return go_on(prompt, text);
  std::optional<Result<proto::ProcessInfo>> answer;
  prompt.control().restart(std::nullopt, [&](Result<proto::ProcessInfo> info) { answer = std::move(info); });
  if (answer && !*answer) return std::unexpected(answer->error());
  return prompt.wait_for_stop();
}

Result<void> until(Prompt& prompt, std::string_view text) {
  // Without a place it is `next` that never goes back in a loop; the line after this one is what gdb's users mean.
  if (text.empty()) return next(prompt, {});
  TL_TRY(const auto place, prompt.place(text));
  TL_TRY(const auto thread, prompt.thread());
  TL_TRY_VOID(prompt.control().run_to(thread, place));
  return prompt.wait_for_stop();
}

Result<void> interrupt(Prompt& prompt, std::string_view) {
  TL_TRY_VOID(prompt.control().pause());
  return prompt.wait_for_stop();
}

Result<void> detach(Prompt& prompt, std::string_view) {
  prompt.kill_on_quit = false;
  TL_TRY_VOID(prompt.control().detach());
  return prompt.wait_for_stop();
}

Result<void> kill(Prompt& prompt, std::string_view) {
  TL_TRY_VOID(prompt.control().kill());
  return prompt.wait_for_stop();
}

Result<void> quit(Prompt& prompt, std::string_view) {
  const auto state = prompt.control().state();
  const bool alive =
      state == proto::RunState::held || state == proto::RunState::running || state == proto::RunState::stopped;
  if (alive && prompt.kill_on_quit) {
    if (auto killed = prompt.control().kill(); !killed) return killed;
  } else if (alive) {
    if (auto detached = prompt.control().detach(); !detached) return detached;
  }
  prompt.quit();
  return {};
}

}  // namespace

std::vector<Command> running_commands() {
  return {
      {"run", {"r"}, "run", "Start the program, or start it over.", run},
      {"continue", {"c", "cont"}, "continue", "Let it run to the next stop. ^C pauses.", go_on, true},
      {"next", {"n"}, "next [COUNT]", "Go to the next line, over calls.", next, true},
      {"step", {"s"}, "step [COUNT]", "Go to the next line, into calls.", step, true},
      {"nexti", {"ni"}, "nexti [COUNT]", "One instruction, over calls.", nexti, true},
      {"stepi", {"si"}, "stepi [COUNT]", "One instruction, into calls.", stepi, true},
      {"finish", {"fin"}, "finish", "Run until this function returns.", finish},
      {"until", {"u", "advance"}, "until [PLACE]", "Run until a place is reached, or this function returns.", until},
      {"interrupt", {}, "interrupt", "Pause the program.", interrupt},
      {"detach", {}, "detach", "Leave the program running, exactly as found.", detach},
      {"kill", {"k"}, "kill", "Kill the program.", kill},
      {"quit", {"q", "exit"}, "quit", "Leave: a launched program is killed, an attached one runs on.", quit}};
}

}  // namespace trapline::client
