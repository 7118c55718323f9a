#include "daemon/eval/exceptions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daemon/sym/module.hpp"

namespace trapline::eval {
namespace {

constexpr std::size_t longest_name = 4096, longest_text = 1024;
constexpr std::uint64_t word = 8;
// struct __cxa_exception ends with its _Unwind_Exception, behind which the object lies; exceptionType comes first.
constexpr std::uint64_t header_size = 32, type_before_object = 112;
constexpr std::uint64_t gnu_class = 0x474E5543432B2B00, clang_class = 0x434C4E47432B2B00;  // "GNUCC++\0", "CLNGC++\0"

// Nullopt: not readable, or longer than `most`.
std::optional<std::string> c_string(const util::Memory& memory, std::uint64_t at, std::size_t most) {
  std::string text;
  std::array<std::byte, 64> chunk{};
  while (text.size() < most) {
    const auto got = memory.read_some(LoadAddr{at + text.size()}, chunk);
    if (got == 0) return std::nullopt;
    for (const std::byte each : std::span(chunk).first(got)) {
      if (each == std::byte{}) return text;
      text.push_back(static_cast<char>(each));
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> read(const util::Memory& memory, std::uint64_t at) {
  const auto value = memory.get<std::uint64_t>(LoadAddr{at});
  return value ? std::optional(*value) : std::nullopt;
}

struct TypeInfo {
  std::uint64_t table = 0;  // its own vtable pointer: which kind of class_type_info it is
  std::string name;         // mangled
};
std::optional<TypeInfo> type_info_at(const util::Memory& memory, std::uint64_t at) {
  const auto table = read(memory, at);
  const auto name_at = read(memory, at + word);
  if (!table || !name_at) return std::nullopt;
  auto name = c_string(memory, *name_at, longest_name);
  if (!name || name->empty()) return std::nullopt;
  if (name->front() == '*') name->erase(0, 1);  // "compare by address"
  const bool plain = std::ranges::all_of(*name, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '$';
  });
  if (!plain) return std::nullopt;
  return TypeInfo{*table, *std::move(name)};
}

std::string demangled(const std::string& type) {
  constexpr std::string_view prefix = "typeinfo for ";
  const std::string text = sym::demangle("_ZTI" + type);
  return text.starts_with(prefix) ? text.substr(prefix.size()) : type;
}

// Where the std::runtime_error or std::logic_error is in an object of that type; Itanium C++ ABI 2.9.5.
std::optional<std::uint64_t> standard_part(const util::Memory& memory, const image::Modules& modules,
                                           std::uint64_t type, int depth) {
  const auto info = type_info_at(memory, type);
  if (!info || depth > 16) return std::nullopt;
  if (info->name == "St13runtime_error" || info->name == "St11logic_error") return 0;
  const auto kind = modules.symbol_at(LoadAddr{info->table});
  if (!kind) return std::nullopt;
  if (kind->first.find("__si_class_type_info") != std::string::npos) {
    const auto base = read(memory, type + 2 * word);
    return base ? standard_part(memory, modules, *base, depth + 1) : std::nullopt;
  }
  if (kind->first.find("__vmi_class_type_info") == std::string::npos) return std::nullopt;
  const auto count = read(memory, type + 2 * word);
  constexpr std::uint64_t most_bases = 64;
  for (std::uint64_t i = 0; count && i < std::min(*count >> 32, most_bases); ++i) {
    const auto base = read(memory, type + (3 + 2 * i) * word);
    const auto flags = read(memory, type + (4 + 2 * i) * word);
    constexpr std::uint64_t is_virtual = 1;
    if (!base || !flags || (*flags & is_virtual) != 0) continue;
    if (const auto part = standard_part(memory, modules, *base, depth + 1))
      return *part + static_cast<std::uint64_t>(static_cast<std::int64_t>(*flags) >> 8);
  }
  return std::nullopt;
}

// The text that the constructor was given, where what() is still the library's own.
std::optional<std::string> standard_text(const util::Memory& memory, const image::Modules& modules,
                                         std::uint64_t object, std::uint64_t type) {
  const auto part = standard_part(memory, modules, type, 0);
  if (!part) return std::nullopt;
  const auto table = read(memory, object + *part);
  const auto what = table ? read(memory, *table + 2 * word) : std::nullopt;  // behind the two destructors
  const auto function = what ? modules.symbol_at(LoadAddr{*what}) : std::nullopt;
  if (!function || (function->first.find("std::runtime_error::what") == std::string::npos &&
                    function->first.find("std::logic_error::what") == std::string::npos))
    return std::nullopt;
  const auto text = read(memory, object + *part + word);
  return text ? c_string(memory, *text, longest_text) : std::nullopt;
}

std::optional<std::string> plain_value(const util::Memory& memory, std::uint64_t object, const std::string& type) {
  const auto bits = read(memory, object);
  if (!bits) return std::nullopt;
  if (type == "i") return std::to_string(static_cast<std::int32_t>(*bits));
  if (type == "j") return std::to_string(static_cast<std::uint32_t>(*bits));
  if (type == "l" || type == "x") return std::to_string(static_cast<std::int64_t>(*bits));
  if (type == "m" || type == "y") return std::to_string(*bits);
  if (type == "b") return (*bits & 0xff) != 0 ? "true" : "false";
  if (type == "PKc" || type == "Pc") return c_string(memory, *bits, longest_text);
  return std::nullopt;
}

bool is_function(const stack::Frame& frame, std::string_view name) {
  return frame.function == name || frame.function.starts_with(fmt::format("{}(", name));
}

}  // namespace

std::string Thrown::text() const {
  if (type.empty()) return "an exception";
  return what ? fmt::format("{}: {}", type, *what) : type;
}

Thrown describe_thrown(const util::Memory& memory, const image::Modules& modules, LoadAddr object, LoadAddr type_info) {
  Thrown thrown{.object = object, .type = {}, .what = {}};
  const auto info = type_info_at(memory, type_info.value);
  if (!info) return thrown;
  thrown.type = demangled(info->name);
  thrown.what = standard_text(memory, modules, object.value, type_info.value);
  if (!thrown.what) thrown.what = plain_value(memory, object.value, info->name);
  return thrown;
}

std::optional<Thrown> uncaught(stack::Stack& stack, const util::Memory& memory, const image::Modules& modules,
                               std::span<const SeenThrow> seen) {
  constexpr std::size_t deepest = 32;
  constexpr std::uint64_t largest = 64U << 10;
  const stack::Frame* first = stack.frame(0);
  const stack::Frame* thrower = nullptr;
  bool terminates = false;
  for (std::size_t level = 0; level < deepest && thrower == nullptr; ++level) {
    const auto* frame = stack.frame(level);
    if (frame == nullptr) return std::nullopt;
    terminates =
        terminates || is_function(*frame, "std::terminate") || is_function(*frame, "__cxxabiv1::__terminate") ||
        is_function(*frame, "__gnu_cxx::__verbose_terminate_handler") || is_function(*frame, "std::__terminate");
    if (terminates && (is_function(*frame, "__cxa_throw") || is_function(*frame, "__cxa_rethrow"))) thrower = frame;
  }
  if (thrower == nullptr || first == nullptr) return std::nullopt;
  for (const SeenThrow& each : seen)
    if (is_function(*thrower, "__cxa_throw") && thrower->cfa == each.stack_pointer + ByteCount{8})
      return describe_thrown(memory, modules, each.object, each.type_info);
  // Who raises an exception holds its header, in a register that its callees saved, or on its own stack.
  std::vector<std::uint64_t> candidates;
  for (arch::DwarfReg reg = 0; reg < arch::dwarf_rip; ++reg)
    if (const auto value = thrower->registers[reg]) candidates.push_back(*value);
  const auto begin = first->cfa.value - std::min<std::uint64_t>(first->cfa.value, 512);
  std::vector<std::uint64_t> words(std::min(largest, thrower->cfa.value - std::min(thrower->cfa.value, begin)) / word);
  const auto got = memory.read_some(LoadAddr{begin & ~(word - 1)}, std::as_writable_bytes(std::span(words)));
  words.resize(got / word);
  std::ranges::reverse(words);  // the thrower's own frame first
  candidates.insert(candidates.end(), words.begin(), words.end());
  for (const auto value : candidates)
    for (const auto header : {value, value - header_size}) {
      const auto kind = header % 16 == 0 ? read(memory, header) : std::nullopt;
      if (!kind || (*kind != gnu_class && *kind != clang_class)) continue;
      const auto object = header + header_size;
      const auto type = read(memory, object - type_before_object);
      if (!type) continue;
      auto thrown = describe_thrown(memory, modules, LoadAddr{object}, LoadAddr{*type});
      if (!thrown.type.empty()) return thrown;
    }
  return std::nullopt;
}

}  // namespace trapline::eval
