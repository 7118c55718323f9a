// Commands that look: stack, threads, source, modules, help.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "client/prompt/prompt.hpp"

namespace trapline::client {
namespace {

constexpr std::uint32_t listed_lines = 10;
constexpr std::uint32_t default_frames = 50;

Result<std::uint32_t> number_or(std::string_view text, std::uint32_t otherwise) {
  if (text.empty()) return otherwise;
  std::uint32_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size())
    return fail(Errc::bad_request, fmt::format("`{}` is no number", text));
  return number;
}

Result<void> print_stack(Prompt& prompt, Tid thread, std::uint32_t count) {
  TL_TRY(const auto page, prompt.control().stack(thread, 0, count));
  for (const auto& frame : page.frames)
    prompt.print(frame_line(prompt.paint(), frame, prompt.arguments_of(frame).value_or("")) + "\n");
  if (!page.total || *page.total > page.frames.size())
    prompt.print(fmt::format("(more frames follow; `bt {}` shows them)\n", count * 10));
  return {};
}

Result<void> backtrace(Prompt& prompt, std::string_view text) {
  TL_TRY(const auto count, number_or(text, default_frames));
  TL_TRY(const auto thread, prompt.thread());
  return print_stack(prompt, thread, count);
}

Result<void> select(Prompt& prompt, std::uint32_t level) {
  TL_TRY_VOID(prompt.select_frame(level));
  prompt.show_frame();
  return {};
}

Result<void> frame(Prompt& prompt, std::string_view text) {
  TL_TRY(const auto here, prompt.frame());
  TL_TRY(const auto level, number_or(text, here.level));
  return select(prompt, level);
}

Result<void> up(Prompt& prompt, std::string_view text) {
  TL_TRY(const auto here, prompt.frame());
  TL_TRY(const auto count, number_or(text, 1));
  return select(prompt, here.level + count);
}

Result<void> down(Prompt& prompt, std::string_view text) {
  TL_TRY(const auto here, prompt.frame());
  TL_TRY(const auto count, number_or(text, 1));
  if (count > here.level) return fail(Errc::not_found, "this is the innermost frame already");
  return select(prompt, here.level - count);
}

Result<void> info_threads(Prompt& prompt) {
  TL_TRY(const auto threads, prompt.control().threads());
  const auto selected = prompt.thread();
  for (const auto& thread : threads) {
    std::string place = "running";
    if (thread.stopped)
      if (const auto page = prompt.control().stack(thread.id, 0, 1); page && !page->frames.empty())
        place = frame_line(prompt.paint(), page->frames.front(), "");
    prompt.print(fmt::format("{} {:<8} {:<16} {}\n", selected && *selected == thread.id ? "*" : " ", thread.id.value,
                             fmt::format("\"{}\"", thread.name), place));
  }
  return {};
}

Result<void> thread(Prompt& prompt, std::string_view text) {
  if (text.empty()) return info_threads(prompt);
  if (text.starts_with("apply all bt") || text == "apply all backtrace") {
    TL_TRY(const auto threads, prompt.control().threads());
    for (const auto& one : threads) {
      prompt.print(prompt.paint().bold(fmt::format("\nThread {} \"{}\"\n", one.id.value, one.name)));
      TL_TRY_VOID(print_stack(prompt, one.id, default_frames));
    }
    return {};
  }
  TL_TRY(const auto number, number_or(text, 0));
  TL_TRY_VOID(prompt.select_thread(Tid{static_cast<pid_t>(number)}));
  prompt.show_frame();
  return {};
}

Result<void> list(Prompt& prompt, std::string_view text) {
  std::uint32_t first = 0;
  if (!text.empty()) {
    TL_TRY(const auto place, prompt.place(text));
    if (const auto* line = std::get_if<proto::LinePlace>(&place)) {
      prompt.list_file = line->file;
      first = line->line.value > listed_lines / 2 ? line->line.value - listed_lines / 2 : 1;
    } else if (const auto* function = std::get_if<proto::FunctionPlace>(&place)) {
      TL_TRY(const auto found, prompt.control().find_symbols(function->name, 20));
      const auto known = std::ranges::find_if(
          found, [](const auto& symbol) { return symbol.kind == "function" && symbol.line.value != 0; });
      if (known == found.end())
        return fail(Errc::not_found, fmt::format("no source is known for `{}`", function->name));
      prompt.list_file = known->file;
      first = known->line.value > listed_lines / 2 ? known->line.value - listed_lines / 2 : 1;
    }
  } else if (prompt.list_next != 0) {
    first = prompt.list_next;
  } else {
    auto centre = 0u;
    if (const auto here = prompt.frame(); here && here->line.value != 0) {
      prompt.list_file = here->file;
      centre = here->line.value;
    } else if (const auto main = prompt.main_function()) {
      prompt.list_file = main->file;
      centre = main->line.value;
    }
    first = centre > listed_lines / 2 ? centre - listed_lines / 2 : 1;
  }
  const auto* lines = prompt.source(prompt.list_file);
  if (lines == nullptr)
    return fail_hint(Errc::not_found,
                     fmt::format("the source of {} is not on this machine",
                                 prompt.list_file.empty() ? "this frame" : prompt.list_file),
                     "`disassemble` shows the code");
  if (first > lines->size()) return fail(Errc::not_found, "that was the last line");
  const auto here = prompt.frame();
  const auto current = here && here->file == prompt.list_file ? here->line.value : 0;
  prompt.print(source_lines(prompt.paint(), *lines, first, first + listed_lines - 1, current));
  prompt.list_next = first + listed_lines;
  return {};
}

Result<void> info_breakpoints(Prompt& prompt) {
  const auto all = prompt.control().breakpoints();
  if (all.empty() && prompt.disabled.empty()) prompt.print("No breakpoints.\n");
  for (const auto& info : all) {
    const auto kind = !info.spec.log_message.empty() ? "log point"
                      : info.spec.temporary          ? "breakpoint, once"
                                                     : "breakpoint";
    prompt.print(fmt::format("{:<4} {}{}\n", info.id.value, kind,
                             info.verified ? "" : fmt::format(", pending: {}", info.message)));
    for (const auto& location : info.locations)
      prompt.print(fmt::format(
          "     {:#x}{}{}\n", location.address.value, location.function.empty() ? "" : " in " + location.function,
          location.line.value == 0 ? "" : fmt::format(" at {}:{}", base_name(location.file), location.line.value)));
    if (!info.spec.condition.empty()) prompt.print(fmt::format("     stops only if {}\n", info.spec.condition));
    if (!info.spec.hit_condition.empty()) prompt.print(fmt::format("     hit count {}\n", info.spec.hit_condition));
    if (!info.spec.log_message.empty()) prompt.print(fmt::format("     prints \"{}\"\n", info.spec.log_message));
    if (info.evaluations > 0) prompt.print(fmt::format("     {} hits of {} passes\n", info.hits, info.evaluations));
  }
  for (const auto& [number, spec] : prompt.disabled) prompt.print(fmt::format("{:<4} disabled\n", number));
  return {};
}

Result<void> info_scope(Prompt& prompt, proto::ScopeKind kind) {
  TL_TRY(const auto here, prompt.frame());
  TL_TRY(const auto scopes, prompt.control().scopes(here.id));
  bool any = false;
  for (const auto& scope : scopes) {
    if (scope.kind != kind) continue;
    TL_TRY(const auto values, prompt.control().children(scope.ref, 0, 0, {}));
    for (const auto& value : values)
      prompt.print(fmt::format("{} = {}\n", prompt.paint().cyan(value.name), value.value));
    any = any || !values.empty();
  }
  if (!any) prompt.print(kind == proto::ScopeKind::arguments ? "No arguments.\n" : "No locals.\n");
  return {};
}

Result<void> info_registers(Prompt& prompt, std::string_view names) {
  TL_TRY(const auto here, prompt.frame());
  TL_TRY(const auto all, prompt.control().registers(here.id));
  const auto wanted = split_words(names);
  for (const auto& one : all) {
    const bool chosen = wanted.empty() ? one.group == "general" || one.group == "flags"
                                       : std::ranges::find(wanted, one.name) != wanted.end();
    if (chosen || (wanted.size() == 1 && (wanted.front() == "all" || wanted.front() == one.group)))
      prompt.print(fmt::format("{:<10} {}\n", one.name, one.value));
  }
  return {};
}

Result<void> info_modules(Prompt& prompt) {
  for (const auto& module : prompt.control().modules())
    prompt.print(fmt::format("{:#x}-{:#x}  {:<9} {}\n", module.range.begin.value, module.range.end.value,
                             module.has_debug_info ? "debug"
                             : module.has_symbols  ? "symbols"
                                                   : "stripped",
                             module.path));
  return {};
}

Result<void> info_frame(Prompt& prompt) {
  TL_TRY(const auto here, prompt.frame());
  prompt.print(fmt::format("{}\n  pc {:#x}, CFA {:#x}, module {}, {}:{}\n", frame_line(prompt.paint(), here, ""),
                           here.pc.value, here.cfa.value, here.module_name, here.file, here.line.value));
  return {};
}

Result<void> info(Prompt& prompt, std::string_view text) {
  const auto words = split_words(text);
  const std::string what = words.empty() ? "" : words.front();
  const auto is = [&](std::string_view name) { return !what.empty() && name.starts_with(what); };
  if (is("breakpoints")) return info_breakpoints(prompt);
  if (is("locals")) return info_scope(prompt, proto::ScopeKind::locals);
  if (is("args")) return info_scope(prompt, proto::ScopeKind::arguments);
  if (is("threads")) return info_threads(prompt);
  if (is("registers") || what == "all-registers")
    return info_registers(prompt, what == "all-registers" ? "all" : text.substr(what.size()));
  if (is("sharedlibrary") || is("modules")) return info_modules(prompt);
  if (is("frame")) return info_frame(prompt);
  if (is("stack")) return backtrace(prompt, {});
  if (is("source")) {
    TL_TRY(const auto here, prompt.frame());
    prompt.print(fmt::format("{}:{}\n", here.file, here.line.value));
    return {};
  }
  if (is("functions")) {
    TL_TRY(const auto found, prompt.control().find_symbols(words.size() > 1 ? words[1] : "", 100));
    for (const auto& symbol : found)
      if (symbol.kind == "function")
        prompt.print(fmt::format("{:#x} {} {}:{}\n", symbol.address.value, symbol.name, base_name(symbol.file),
                                 symbol.line.value));
    return {};
  }
  return fail(Errc::bad_request,
              "info breakpoints, locals, args, threads, registers, sharedlibrary, frame, source or functions NAME");
}

Result<void> disassemble(Prompt& prompt, std::string_view text) {
  TL_TRY(const auto here, prompt.frame());
  auto at = here.pc;
  if (!text.empty()) {
    TL_TRY(const auto place, prompt.place(fmt::format("*{}", text)));
    if (const auto* address = std::get_if<proto::AddressPlace>(&place)) at = address->address;
  }
  TL_TRY(const auto code, prompt.control().disassemble(at, text.empty() ? -8 : 0, 20));
  for (const auto& one : code)
    prompt.print(fmt::format("{} {:#x} {:<24} {}\n", one.address == here.pc ? prompt.paint().yellow("=>") : "  ",
                             one.address.value, prompt.paint().dim(one.symbol), one.text));
  return {};
}

Result<void> help(Prompt& prompt, std::string_view text) {
  if (!text.empty()) {
    TL_TRY(const auto* command, find_command(text));
    prompt.print(fmt::format("{}\n  {}\n", command->usage, command->help));
    return {};
  }
  for (const auto& command : commands()) {
    std::string aliases;
    for (const auto alias : command.aliases) aliases += fmt::format("{}{}", aliases.empty() ? "" : ", ", alias);
    prompt.print(fmt::format("  {:<14} {:<14} {}\n", prompt.paint().bold(command.name), aliases, command.help));
  }
  prompt.print("An empty line repeats a step, `continue`, `list` or `x`.\n");
  return {};
}

}  // namespace

std::vector<Command> looking_commands() {
  return {{"backtrace", {"bt", "where"}, "backtrace [COUNT]", "The stack of the selected thread.", backtrace},
          {"frame", {"f"}, "frame [LEVEL]", "Show or select a frame.", frame},
          {"up", {}, "up [COUNT]", "To the caller.", up, true},
          {"down", {}, "down [COUNT]", "To the callee.", down, true},
          {"thread", {"t"}, "thread [ID | apply all bt]", "List threads, or select one.", thread},
          {"list", {"l"}, "list [PLACE]", "Source lines around here, or the next ten.", list, true},
          {"info",
           {"i"},
           "info WHAT",
           "breakpoints, locals, args, threads, registers, sharedlibrary, frame, source, functions NAME.",
           info},
          {"disassemble",
           {"disas"},
           "disassemble [ADDRESS]",
           "Instructions around the pc, or from an address.",
           disassemble},
          {"help", {"h"}, "help [COMMAND]", "This list, or one command's use.", help}};
}

}  // namespace trapline::client
