// Commands about values and memory; completion.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "client/prompt/prompt.hpp"

namespace trapline::client {
namespace {

constexpr std::uint32_t shown_depth = 3;

struct Format {
  std::uint64_t count = 1;
  char letter = 0;
  std::size_t size = 4;
};

// gdb's /COUNT LETTER SIZE at the begin of `text`, which it is taken off.
Result<Format> take_format(std::string_view& text, Format format) {
  if (!text.starts_with('/')) return format;
  const auto end = std::min(text.find(' '), text.size());
  auto spec = text.substr(1, end - 1);
  text = text.substr(end);
  while (text.starts_with(' ')) text.remove_prefix(1);
  if (const auto [rest, problem] = std::from_chars(spec.data(), spec.data() + spec.size(), format.count);
      problem == std::errc{})
    spec.remove_prefix(static_cast<std::size_t>(rest - spec.data()));
  for (const char c : spec) {
    switch (c) {
      case 'b': format.size = 1; break;
      case 'h': format.size = 2; break;
      case 'w': format.size = 4; break;
      case 'g': format.size = 8; break;
      case 'x':
      case 'd':
      case 'u':
      case 'o':
      case 't':
      case 'c':
      case 's':
      case 'i':
      case 'a': format.letter = c; break;
      default:
        return fail_hint(Errc::bad_request, fmt::format("`{}` is no format letter", c),
                         "x d u o t c s i a, sizes b h w g");
    }
  }
  constexpr std::uint64_t most = 100000;
  if (format.count > most) return fail(Errc::too_large, "more than 100000 at once");
  return format;
}

std::string item_text(std::uint64_t raw, char letter, std::size_t size) {
  const auto bits = size * 8;
  switch (letter) {
    case 'd':
      return fmt::format(
          "{}", static_cast<std::int64_t>(bits < 64 ? (raw ^ (1ULL << (bits - 1))) - (1ULL << (bits - 1)) : raw));
    case 'u': return fmt::format("{}", raw);
    case 'o': return fmt::format("{:#o}", raw);
    case 't': return fmt::format("{:0{}b}", raw, bits);
    case 'c':
      return raw >= 32 && raw < 127 ? fmt::format("{} '{}'", raw, static_cast<char>(raw))
                                    : fmt::format("{} '\\{:03o}'", raw, raw & 0xff);
    default: return fmt::format("0x{:0{}x}", raw, size * 2);
  }
}

Result<LoadAddr> address_of(Prompt& prompt, std::string_view text) {
  TL_TRY(const auto place, prompt.place(fmt::format("*{}", text)));
  if (const auto* address = std::get_if<proto::AddressPlace>(&place)) return address->address;
  return fail(Errc::bad_request, fmt::format("`{}` is no address", text));
}

Result<void> print_strings(Prompt& prompt, LoadAddr at, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    constexpr std::uint64_t longest = 4096;
    TL_TRY(const auto bytes, prompt.control().read_memory(at, ByteCount{longest}));
    if (bytes.empty()) return fail(Errc::bad_address, fmt::format("nothing is readable at {:#x}", at.value));
    const auto end = std::ranges::find(bytes, std::byte{0});
    const std::string text(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(end - bytes.begin()));
    prompt.print(fmt::format("{:#x}: \"{}\"\n", at.value, text));
    at = at + ByteCount{text.size() + 1};
  }
  return {};
}

Result<void> examine(Prompt& prompt, std::string_view text) {
  static Format last{.count = 1, .letter = 'x', .size = 4};
  auto wanted = last;
  wanted.count = 1;
  TL_TRY(const auto format, take_format(text, wanted));
  last = format;
  if (text.empty()) return fail_hint(Errc::bad_request, "no address", "x/8xw ADDRESS");
  TL_TRY(const auto at, address_of(prompt, text));
  if (format.letter == 's') return print_strings(prompt, at, format.count);
  if (format.letter == 'i') {
    TL_TRY(const auto code, prompt.control().disassemble(at, 0, static_cast<std::uint32_t>(format.count)));
    for (const auto& one : code)
      prompt.print(fmt::format("{:#x} {:<20} {}\n", one.address.value, one.symbol, one.text));
    return {};
  }
  const auto size = format.letter == 'a' ? std::size_t{8} : format.letter == 'c' ? std::size_t{1} : format.size;
  TL_TRY(const auto bytes, prompt.control().read_memory(at, ByteCount{format.count * size}));
  const std::size_t in_line = 16 / size;
  for (std::size_t i = 0; i < format.count; ++i) {
    if (i % in_line == 0) prompt.print(fmt::format("{}{:#x}:", i == 0 ? "" : "\n", at.value + i * size));
    if ((i + 1) * size > bytes.size()) {
      prompt.print(fmt::format(" cannot read {:#x}", at.value + i * size));
      break;
    }
    std::uint64_t raw = 0;
    std::memcpy(&raw, bytes.data() + i * size, size);
    prompt.print(" " + item_text(raw, format.letter, size));
  }
  prompt.print("\n");
  return {};
}

Result<void> print(Prompt& prompt, std::string_view text) {
  // print/x, print/[10]s: the letters go with the expression, as natvis' do after a comma.
  std::string_view specifiers;
  if (text.starts_with('/')) {
    const auto end = std::min(text.find(' '), text.size());
    specifiers = text.substr(1, end - 1);
    text = text.substr(end);
    while (text.starts_with(' ')) text.remove_prefix(1);
  }
  if (text.empty()) return fail(Errc::bad_request, "print what?");
  TL_TRY(const auto value, prompt.value(text, specifiers));
  prompt.print(fmt::format("{} = {}\n", text, prompt.tree(value, shown_depth)));
  return {};
}

Result<void> whatis(Prompt& prompt, std::string_view text) {
  TL_TRY(const auto value, prompt.value(text));
  prompt.print(fmt::format("type = {}\n", value.type));
  return {};
}

Result<void> set(Prompt& prompt, std::string_view text) {
  if (text.starts_with("var ")) text.remove_prefix(4);
  if (text.starts_with("variable ")) text.remove_prefix(9);
  if (text.find('=') == std::string_view::npos)
    return fail_hint(Errc::bad_request, "nothing to set", "set var NAME = EXPRESSION");
  TL_TRY_VOID(prompt.value(text));
  return {};
}

Result<void> display(Prompt& prompt, std::string_view text) {
  if (text.empty()) {
    for (const auto& expression : prompt.displays) prompt.print(expression + "\n");
    return {};
  }
  prompt.displays.emplace_back(text);
  return print(prompt, text);
}

Result<void> undisplay(Prompt& prompt, std::string_view text) {
  if (text.empty())
    prompt.displays.clear();
  else
    std::erase(prompt.displays, text);
  return {};
}

// What the session knows for the expression that `line` ends with; whole words, as the editor replaces them.
std::vector<std::string> names_in_scope(Prompt& prompt, std::string_view line, std::string_view word) {
  std::vector<std::string> names;
  const auto here = prompt.frame();
  const auto blank = line.find_first_of(" \t");
  if (!here || blank == std::string_view::npos) return names;
  const std::string text(line.substr(blank + 1));
  const auto found = prompt.control().completions({.text = text, .cursor = text.size(), .frame = here->id});
  if (!found || found->length > word.size()) return names;
  const std::string before(word.substr(0, word.size() - static_cast<std::size_t>(found->length)));
  for (const auto& item : found->items) names.push_back(before + item.text);
  return names;
}

}  // namespace

std::vector<Command> value_commands() {
  return {
      {"print", {"p", "inspect"}, "print[/x] EXPRESSION", "The value of an expression in the selected frame.", print},
      {"x", {}, "x/COUNT FORMAT SIZE ADDRESS", "Memory: x/8xw, x/s, x/5i.", examine, true},
      {"whatis", {"ptype"}, "whatis EXPRESSION", "Its type.", whatis},
      {"set", {}, "set var NAME = EXPRESSION", "Change a variable, register or memory.", set},
      {"display", {}, "display [EXPRESSION]", "Print it after every stop.", display},
      {"undisplay", {}, "undisplay [EXPRESSION]", "No longer.", undisplay}};
}

// Whole words that may stand at the end of `line`: commands first, then functions after `break`, variables elsewhere.
std::vector<std::string> complete(Prompt& prompt, std::string_view line) {
  const auto blank = line.find_last_of(" \t");
  const auto word = blank == std::string_view::npos ? line : line.substr(blank + 1);
  std::vector<std::string> candidates;
  if (blank == std::string_view::npos) {
    for (const auto& command : commands()) candidates.emplace_back(command.name);
  } else if (const auto command = find_command(line.substr(0, line.find_first_of(" \t/")));
             command && (*command)->usage.find("PLACE") != std::string_view::npos) {
    if (const auto found = prompt.control().find_symbols(std::string(word), 100))
      for (const auto& symbol : *found)
        if (symbol.kind == "function") candidates.push_back(symbol.name);
  } else if (command && (*command)->name == "info") {
    candidates = {"args",      "breakpoints",   "frame",  "functions", "locals",
                  "registers", "sharedlibrary", "source", "threads"};
  } else {
    candidates = names_in_scope(prompt, line, word);
  }
  std::erase_if(candidates, [&](const std::string& candidate) { return !candidate.starts_with(word); });
  std::ranges::sort(candidates);
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  return candidates;
}

}  // namespace trapline::client
