#include "daemon/eval/library_functions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cstring>
#include <vector>

namespace trapline::eval {

namespace {

using Argument = LibraryFunction::Argument;
using sym::Builtin;

constexpr std::array one_text{Argument::text};
constexpr std::array text_number{Argument::text, Argument::number};
constexpr std::array two_texts{Argument::text, Argument::text};
constexpr std::array two_texts_number{Argument::text, Argument::text, Argument::number};
constexpr std::array two_addresses_number{Argument::address, Argument::address, Argument::number};
constexpr std::array address_number{Argument::address, Argument::number};
constexpr std::array one_number{Argument::number};
constexpr std::array address_three_numbers{Argument::address, Argument::number, Argument::number, Argument::number};
constexpr std::array address_four_numbers{Argument::address, Argument::number, Argument::number, Argument::number,
                                          Argument::number};

constexpr std::array<LibraryFunction, 12> functions{{
    {"strlen", one_text, Builtin::unsigned_long},
    {"strnlen", text_number, Builtin::unsigned_long},
    {"strcmp", two_texts, Builtin::int_},
    {"strncmp", two_texts_number, Builtin::int_},
    {"strcasecmp", two_texts, Builtin::int_},
    {"_stricmp", two_texts, Builtin::int_},
    {"memcmp", two_addresses_number, Builtin::int_},
    // The first of n pointers that is not null; -1: none is.
    {"__findnonnull", address_number, Builtin::long_},
    // The position of the highest bit that is set; -1: none is.
    {"__log2", one_number, Builtin::int_},
    // In bytes [begin, end) from an address on: the first without the bits of a mask, and the first behind as many such
    // as are counted; `end`: there is none.
    {"__find_clear", address_three_numbers, Builtin::long_},
    {"__pass_clear", address_four_numbers, Builtin::long_},
    // Of a ring of nodes whose first word leads to the next, one has at byte `offset` how many others there are. 1: it
    // is this one; 0: it is another one; -1: several have that number, or it is no ring that can be walked at a glance.
    {"__ring_end", address_number, Builtin::long_},
}};

constexpr std::size_t most_text = std::size_t{1} << 16;
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 26;
constexpr std::size_t most_nodes = 4096;  // each is a read of its own, and an iterator is shown in one line
constexpr std::size_t at_once = 4096;

std::unexpected<Error> unreadable(std::uint64_t at) {
  return fail(Errc::bad_address, fmt::format("cannot read memory at {:#x}", at));
}

// The characters up to the zero, at most `limit`; and why there are no more, if they end before either.
struct Text {
  std::string characters;
  std::optional<Error> cut;
};
Text text_at(const LibraryArgument& from, std::uint64_t limit, const util::Memory& memory) {
  const auto until_zero = [](std::span<const std::byte> bytes) {
    return static_cast<std::size_t>(std::ranges::find(bytes, std::byte{0}) - bytes.begin());
  };
  if (!from.literal.empty()) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(until_zero(from.literal), limit));
    return {std::string(reinterpret_cast<const char*>(from.literal.data()), size), {}};
  }
  const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(limit, most_text));
  Text text;
  std::string& out = text.characters;
  std::array<std::byte, 256> bytes{};
  while (out.size() < most) {
    const std::size_t wanted = std::min(bytes.size(), most - out.size());
    const std::size_t got = memory.read_some(LoadAddr{from.word + out.size()}, std::span(bytes).first(wanted));
    const std::size_t size = until_zero(std::span(bytes).first(got));
    out.append(reinterpret_cast<const char*>(bytes.data()), size);
    if (size < got) return text;
    if (got < wanted) {
      text.cut = unreadable(from.word + out.size()).error();
      return text;
    }
  }
  if (most < limit) text.cut = fail(Errc::too_large, fmt::format("a text of more than {} bytes", most_text)).error();
  return text;
}

Result<std::int64_t> length(const Text& text) {
  if (text.cut) return std::unexpected(*text.cut);
  return static_cast<std::int64_t>(text.characters.size());
}

std::int64_t sign(int order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// What differs decides, before what could not be read.
Result<std::int64_t> compare_texts(const Text& a, const Text& b) {
  const std::size_t common = std::min(a.characters.size(), b.characters.size());
  const int order = a.characters.compare(0, common, b.characters, 0, common);
  if (order != 0) return sign(order);
  for (const Text* each : {&a, &b})
    if (each->cut && each->characters.size() == common) return std::unexpected(*each->cut);
  return static_cast<std::int64_t>(a.characters.size() > common) -
         static_cast<std::int64_t>(b.characters.size() > common);
}

Result<std::int64_t> compare_bytes(std::uint64_t a, std::uint64_t b, std::uint64_t count, const util::Memory& memory) {
  if (count > most_bytes) return fail(Errc::too_large, fmt::format("{} bytes to compare", count));
  std::array<std::byte, at_once> left{}, right{};
  for (std::uint64_t done = 0; done < count;) {
    const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(count - done, at_once));
    TL_TRY_VOID(memory.read(LoadAddr{a + done}, std::span(left).first(size)));
    TL_TRY_VOID(memory.read(LoadAddr{b + done}, std::span(right).first(size)));
    if (const int order = std::memcmp(left.data(), right.data(), size); order != 0) return sign(order);
    done += size;
  }
  return 0;
}

Result<std::int64_t> find_pointer(std::uint64_t at, std::uint64_t count, const util::Memory& memory) {
  if (count > most_bytes / 8) return fail(Errc::too_large, fmt::format("{} pointers to look at", count));
  std::array<std::uint64_t, at_once / 8> words{};
  for (std::uint64_t done = 0; done < count;) {
    const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(count - done, words.size()));
    const auto some = std::span(words).first(size);
    TL_TRY_VOID(memory.read(LoadAddr{at + done * 8}, std::as_writable_bytes(some)));
    const auto found = std::ranges::find_if(some, [](std::uint64_t word) { return word != 0; });
    if (found != some.end()) return static_cast<std::int64_t>(done) + (found - some.begin());
    done += size;
  }
  return -1;
}

Result<std::int64_t> pass_clear(std::span<const LibraryArgument> arguments, std::uint64_t count,
                                const util::Memory& memory) {
  const auto mask = static_cast<std::byte>(arguments[1].word);
  const std::uint64_t begin = arguments[2].word, end = arguments[3].word;
  if (begin > end || end - begin > most_bytes * 16)
    return fail(Errc::too_large, fmt::format("bytes from {} to {} to look at", begin, end));
  std::array<std::byte, at_once> bytes{};
  for (std::uint64_t at = begin; at < end;) {
    const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(end - at, count == 0 ? 64 : at_once));
    TL_TRY_VOID(memory.read(LoadAddr{arguments[0].word + at}, std::span(bytes).first(size)));
    for (std::size_t i = 0; i < size; ++i)
      if ((bytes[i] & mask) == std::byte{0} && count-- == 0) return static_cast<std::int64_t>(at + i);
    at += size;
  }
  return static_cast<std::int64_t>(end);
}

std::int64_t end_of_ring(std::uint64_t first, std::uint64_t offset, const util::Memory& memory) {
  std::vector<std::uint64_t> words;
  std::uint64_t node = first;
  do {
    const auto next = memory.get<std::uint64_t>(LoadAddr{node});
    const auto word = memory.get<std::uint64_t>(LoadAddr{node + offset});
    if (!next || !word || *next == 0 || words.size() == most_nodes) return -1;
    words.push_back(*word);
    node = *next;
  } while (node != first);
  const std::uint64_t others = words.size() - 1;
  const auto having = std::ranges::count(words, others);
  if (words[0] == others) return having == 1 ? 1 : -1;
  return having >= 1 ? 0 : -1;
}

}  // namespace

const LibraryFunction* library_function(std::string_view name, std::size_t arguments) {
  const auto found = std::ranges::find_if(
      functions, [&](const LibraryFunction& each) { return each.name == name && each.parameters.size() == arguments; });
  return found == functions.end() ? nullptr : &*found;
}

Result<std::int64_t> run_library_function(std::string_view name, std::span<const LibraryArgument> arguments,
                                          const util::Memory& memory) {
  const auto word = [&](std::size_t n) { return arguments[n].word; };
  constexpr std::uint64_t no_limit = ~std::uint64_t{0};
  if (name == "strlen") return length(text_at(arguments[0], no_limit, memory));
  if (name == "strnlen") return length(text_at(arguments[0], word(1), memory));
  if (name == "strcmp" || name == "strncmp" || name == "strcasecmp" || name == "_stricmp") {
    const std::uint64_t limit = name == "strncmp" ? word(2) : no_limit;
    Text a = text_at(arguments[0], limit, memory), b = text_at(arguments[1], limit, memory);
    if (name == "strcasecmp" || name == "_stricmp")
      for (Text* each : {&a, &b}) each->characters = lower(std::move(each->characters));
    return compare_texts(a, b);
  }
  if (name == "memcmp") return compare_bytes(word(0), word(1), word(2), memory);
  if (name == "__findnonnull") return find_pointer(word(0), word(1), memory);
  if (name == "__find_clear") return pass_clear(arguments, 0, memory);
  if (name == "__pass_clear") return pass_clear(arguments, word(4), memory);
  if (name == "__log2") return static_cast<std::int64_t>(std::bit_width(word(0))) - 1;
  return end_of_ring(word(0), word(1), memory);
}

}  // namespace trapline::eval
