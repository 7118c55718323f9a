// Commands about breakpoints.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "client/prompt/prompt.hpp"

namespace trapline::client {
namespace {

std::string where_text(const proto::BreakpointInfo& info) {
  if (info.locations.empty()) return info.message;
  const auto& first = info.locations.front();
  auto text = fmt::format("{:#x}", first.address.value);
  if (!first.function.empty()) text += fmt::format(" in {}", first.function);
  if (first.line.value != 0) text += fmt::format(" at {}:{}", base_name(first.file), first.line.value);
  if (info.locations.size() > 1) text += fmt::format(" (and {} more)", info.locations.size() - 1);
  return text;
}

Result<proto::BreakpointInfo> set(Prompt& prompt, const proto::BreakpointSpec& spec) {
  TL_TRY(const auto set, prompt.control().edit_breakpoints({}, std::span(&spec, 1)));
  return set.front();
}

// PLACE [thread N] [if CONDITION]
Result<proto::BreakpointSpec> read_spec(Prompt& prompt, std::string_view text) {
  proto::BreakpointSpec spec;
  std::string_view place = text;
  if (const auto at = text.find(" if "); at != std::string_view::npos) {
    spec.condition = text.substr(at + 4);
    place = text.substr(0, at);
  } else if (text.starts_with("if ")) {
    spec.condition = text.substr(3);
    place = {};
  }
  if (const auto at = place.find(" thread "); at != std::string_view::npos) {
    pid_t tid = 0;
    const auto number = place.substr(at + 8);
    std::from_chars(number.data(), number.data() + number.size(), tid);
    if (tid == 0) return fail(Errc::bad_request, fmt::format("`{}` is no thread", number));
    spec.thread = Tid{tid};
    place = place.substr(0, at);
  }
  TL_TRY(spec.place, prompt.place(place));
  return spec;
}

Result<void> place_one(Prompt& prompt, std::string_view text, bool temporary) {
  TL_TRY(auto spec, read_spec(prompt, text));
  spec.temporary = temporary;
  TL_TRY(const auto info, set(prompt, spec));
  prompt.print(fmt::format("{} {}{} {}\n", temporary ? "Temporary breakpoint" : "Breakpoint", info.id.value,
                           info.verified ? ":" : " (pending):", where_text(info)));
  if (info.verified && !info.message.empty()) prompt.print(fmt::format("  {}\n", info.message));
  return {};
}

Result<void> break_(Prompt& prompt, std::string_view text) { return place_one(prompt, text, false); }
Result<void> tbreak(Prompt& prompt, std::string_view text) { return place_one(prompt, text, true); }

// dprintf PLACE,TEXT with {expression} in it
Result<void> dprintf_(Prompt& prompt, std::string_view text) {
  const auto comma = text.find(',');
  if (comma == std::string_view::npos)
    return fail_hint(Errc::bad_request, "no text", "dprintf PLACE,\"text {expression}\"");
  TL_TRY(auto spec, read_spec(prompt, text.substr(0, comma)));
  auto message = text.substr(comma + 1);
  while (message.starts_with(' ')) message.remove_prefix(1);
  if (message.size() >= 2 && message.front() == '"' && message.back() == '"')
    message = message.substr(1, message.size() - 2);
  if (message.ends_with("\\n")) message.remove_suffix(2);
  spec.log_message = message;
  TL_TRY(const auto info, set(prompt, spec));
  prompt.print(fmt::format("Log point {}: {}\n", info.id.value, where_text(info)));
  return {};
}

Result<std::int32_t> number_of(std::string_view text) {
  std::int32_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size())
    return fail(Errc::bad_request, fmt::format("`{}` is no breakpoint number", text));
  return number;
}

Result<proto::BreakpointInfo> find(Prompt& prompt, std::int32_t number) {
  const auto all = prompt.control().breakpoints();
  const auto found = std::ranges::find(all, BreakpointId{number}, &proto::BreakpointInfo::id);
  if (found == all.end())
    return fail_hint(Errc::not_found, fmt::format("there is no breakpoint {}", number),
                     "`info breakpoints` lists them");
  return *found;
}

Result<void> delete_(Prompt& prompt, std::string_view text) {
  std::vector<BreakpointId> ids;
  if (text.empty()) {
    for (const auto& info : prompt.control().breakpoints()) ids.push_back(info.id);
    prompt.disabled.clear();
  }
  for (const auto& word : split_words(text)) {
    TL_TRY(const auto number, number_of(word));
    if (prompt.disabled.erase(number) == 0) ids.push_back(BreakpointId{number});
  }
  TL_TRY_VOID(prompt.control().edit_breakpoints(ids, {}));
  return {};
}

Result<void> disable(Prompt& prompt, std::string_view text) {
  for (const auto& word : split_words(text)) {
    TL_TRY(const auto number, number_of(word));
    TL_TRY(const auto info, find(prompt, number));
    TL_TRY_VOID(prompt.control().edit_breakpoints(std::span(&info.id, 1), {}));
    prompt.disabled[number] = info.spec;
  }
  return {};
}

Result<void> enable(Prompt& prompt, std::string_view text) {
  for (const auto& word : split_words(text)) {
    TL_TRY(const auto number, number_of(word));
    const auto found = prompt.disabled.find(number);
    if (found == prompt.disabled.end())
      return fail(Errc::not_found, fmt::format("breakpoint {} is not disabled", number));
    TL_TRY(const auto info, set(prompt, found->second));
    prompt.disabled.erase(found);
    prompt.print(fmt::format("Breakpoint {} is back as {}: {}\n", number, info.id.value, where_text(info)));
  }
  return {};
}

// condition N [EXPRESSION], ignore N COUNT: what was asked changes, so the breakpoint gets a new number.
Result<void> change(Prompt& prompt, std::int32_t number, const std::function<void(proto::BreakpointSpec&)>& edit) {
  TL_TRY(const auto info, find(prompt, number));
  auto spec = info.spec;
  edit(spec);
  TL_TRY(const auto made, prompt.control().edit_breakpoints(std::span(&info.id, 1), std::span(&spec, 1)));
  prompt.print(fmt::format("Breakpoint {} is now {}.\n", number, made.front().id.value));
  return {};
}

Result<void> condition(Prompt& prompt, std::string_view text) {
  const auto blank = text.find(' ');
  TL_TRY(const auto number, number_of(text.substr(0, blank)));
  const std::string expression(blank == std::string_view::npos ? std::string_view() : text.substr(blank + 1));
  return change(prompt, number, [&](proto::BreakpointSpec& spec) { spec.condition = expression; });
}

Result<void> ignore(Prompt& prompt, std::string_view text) {
  const auto words = split_words(text);
  if (words.size() != 2) return fail(Errc::bad_request, "ignore NUMBER COUNT");
  TL_TRY(const auto number, number_of(words[0]));
  return change(prompt, number, [&](proto::BreakpointSpec& spec) { spec.hit_condition = "> " + words[1]; });
}

}  // namespace

std::vector<Command> breakpoint_commands() {
  return {{"break",
           {"b", "br"},
           "break [PLACE] [thread N] [if CONDITION]",
           "Stop at FILE:LINE, LINE, FUNCTION or *ADDRESS.",
           break_},
          {"tbreak", {"tb"}, "tbreak [PLACE] [if CONDITION]", "A breakpoint that goes after its first stop.", tbreak},
          {"dprintf", {"log"}, "dprintf PLACE,\"text {expression}\"", "Print and go on.", dprintf_},
          {"delete", {"d"}, "delete [NUMBER...]", "Remove breakpoints; all where none is named.", delete_},
          {"disable", {}, "disable NUMBER...", "Take breakpoints out, and remember them.", disable},
          {"enable", {}, "enable NUMBER...", "Put disabled breakpoints back.", enable},
          {"condition", {}, "condition NUMBER [EXPRESSION]", "Change or drop a breakpoint's condition.", condition},
          {"ignore", {}, "ignore NUMBER COUNT", "Let the next COUNT hits pass.", ignore}};
}

}  // namespace trapline::client
