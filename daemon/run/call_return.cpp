// Instructions of the program that a called function may return to (call_stack.hpp): known by their bytes, and by what
// unwinders know of them. Looked for once; nobody unmaps them, short of an exec.
#include <string.h>

#include <algorithm>
#include <string_view>

#include "daemon/run/machine.hpp"
#include "daemon/stack/code_map.hpp"

namespace trapline::run {
namespace {

// libc.so.6, libc-2.31.so, ld-musl-x86_64.so.1; not libc-client.so.
bool is_c_library(std::string_view path) {
  const auto name = path.substr(path.rfind('/') + 1);
  constexpr std::string_view versioned{"libc-"};
  return path.starts_with('/') && (name.starts_with("libc.so") || name.starts_with("ld-musl-") ||
                                   (name.starts_with(versioned) && name.size() > versioned.size() &&
                                    name[versioned.size()] >= '0' && name[versioned.size()] <= '9'));
}

// An exception that comes by must find nobody there who would take it, nor clean up.
bool has_personality(const image::Modules& modules, LoadAddr lookup) {
  const auto* module = modules.find(lookup);
  return module == nullptr || !module->symbols ||
         sym::CfiTable::of(module->symbols)->may_have_personality(lookup.value - module->bias);
}

// Behind `push %rbp; mov %rsp, %rbp`: what unwinders take to be {frame pointer, return address} is what `leave; ret`
// does.
bool leaves_by_the_frame_pointer(const stack::CodeFacts& facts) {
  constexpr std::uint32_t rbp = 6, return_address = 16;
  const auto& row = facts.row;
  const auto saved = [&](std::uint32_t reg, std::int64_t offset) {
    return row.rules[reg].kind == sym::CfiRuleKind::offset && row.rules[reg].offset == offset;
  };
  return facts.source == stack::RowSource::cfi && !row.cfa_is_expression && row.cfa_register == rbp &&
         row.cfa_offset == 16 && saved(rbp, -16) && saved(return_address, -8) && !row.signal_frame;
}

}  // namespace

// The `ret` that ends the program's .fini, if the C library has what is wanted behind it.
std::optional<LoadAddr> Inferior::Impl::quiet_return(std::span<const os::Mapping> maps) {
  if (!std::exchange(way_back_looked_for_, true)) way_back_ = find_way_back(maps, memory_);
  if (!way_back_) return std::nullopt;
  if (quiet_return_) return *quiet_return_;
  quiet_return_.emplace();
  const auto modules = modules_.all();
  if (modules.empty()) return std::nullopt;
  const auto fini = modules.front()->symbols->section(".fini");
  if (!fini || fini->end - fini->begin < 2) return std::nullopt;
  const LoadAddr at{fini->end - 1 + modules.front()->bias};
  constexpr std::byte ret{0xC3};
  std::byte there{};
  stack::CodeMap code(memory_, modules_);
  if (!memory_.read(at, std::span(&there, 1)) || there != ret ||
      code.at(at, stack::PcKind::return_address).source == stack::RowSource::cfi)
    return std::nullopt;
  return *quiet_return_ = at;
}

// A `leave; ret` of the C library.
std::optional<LoadAddr> Inferior::Impl::leave_and_return(std::span<const os::Mapping> maps) {
  if (leave_) return *leave_;
  leave_.emplace();
  constexpr std::string_view wanted{"\xc9\xc3", 2};
  constexpr std::size_t chunk = 256U << 10;
  std::vector<std::byte> bytes(chunk + wanted.size());
  stack::CodeMap code(memory_, modules_);
  for (const auto& map : maps) {
    if (!map.executable || !is_c_library(map.path)) continue;
    for (auto at = map.range.begin; at < map.range.end; at = at + ByteCount{chunk}) {
      const auto size = std::min<std::uint64_t>(bytes.size(), (map.range.end - at).value);
      std::string_view text{reinterpret_cast<const char*>(bytes.data()),
                            memory_.read_some(at, std::span(bytes).first(size))};
      for (auto found = text.find(wanted); found != text.npos; found = text.find(wanted, found + 1)) {
        const auto here = at + ByteCount{found};
        const auto& facts = code.at(here, stack::PcKind::return_address);
        if (leaves_by_the_frame_pointer(facts) && !has_personality(modules_, facts.lookup_pc)) return *leave_ = here;
      }
    }
  }
  return std::nullopt;
}

}  // namespace trapline::run
