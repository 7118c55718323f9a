#include "daemon/image/link_map.hpp"

#include <elf.h>

#include <array>
#include <span>
#include <unordered_set>
#include <vector>

namespace trapline::image {
namespace {

// The structures of <link.h> as x86-64 lays them out, without its pointers.
struct RawDebug {
  std::int32_t version;
  std::int32_t padding;
  std::uint64_t map;
  std::uint64_t hook;
  std::int32_t state;  // RT_CONSISTENT is 0
  std::int32_t padding_too;
  std::uint64_t loader_base;
};
struct RawLink {
  std::uint64_t bias;
  std::uint64_t name;
  std::uint64_t dynamic;
  std::uint64_t next;
  std::uint64_t previous;
};
static_assert(sizeof(RawDebug) == 40 && sizeof(RawLink) == 40);

constexpr std::size_t max_headers = 256;
constexpr std::size_t max_dynamic = 4096;
constexpr std::size_t max_modules = 1U << 16;
constexpr std::size_t max_name = 4096;
constexpr std::uint32_t max_name_spaces = 64;  // glibc's DL_NNS is 16

}  // namespace

ProgramHeaders read_program_headers(const os::AuxVector& auxv, const util::Memory& memory) {
  ProgramHeaders found;
  if (auxv.phdr == 0 || auxv.phent != sizeof(Elf64_Phdr) || auxv.phnum > max_headers) return found;
  std::uint64_t dynamic = 0;
  std::vector<Elf64_Phdr> headers(auxv.phnum);
  const auto got = memory.read_some({auxv.phdr}, std::as_writable_bytes(std::span(headers)));
  for (const auto& header : std::span(headers).first(got / sizeof(Elf64_Phdr))) {
    if (header.p_type == PT_PHDR) found.bias = auxv.phdr - header.p_vaddr;
    if (header.p_type == PT_DYNAMIC) dynamic = header.p_vaddr;
  }
  // Without PT_PHDR (static, not position independent) addresses are as in the file.
  if (dynamic != 0) found.dynamic = {dynamic + found.bias.value_or(0)};
  return found;
}

std::optional<LoadAddr> find_r_debug(LoadAddr dynamic, const util::Memory& memory) {
  if (dynamic.value == 0) return std::nullopt;
  std::array<Elf64_Dyn, 32> entries;  // most programs' all: one read of the process instead of thirty
  for (std::size_t first = 0; first < max_dynamic; first += entries.size()) {
    const auto got =
        memory.read_some(dynamic + ByteCount{first * sizeof(Elf64_Dyn)}, std::as_writable_bytes(std::span(entries))) /
        sizeof(Elf64_Dyn);
    for (const auto& entry : std::span(entries).first(got)) {
      if (entry.d_tag == DT_NULL) return std::nullopt;
      if (entry.d_tag == DT_DEBUG && entry.d_un.d_ptr != 0) return LoadAddr{entry.d_un.d_ptr};
    }
    if (got < entries.size()) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<LinkMap> read_link_map(LoadAddr r_debug, const util::Memory& memory) {
  LinkMap map;
  map.consistent = true;
  std::unordered_set<std::uint64_t> seen;
  for (std::uint32_t space = 0; r_debug.value != 0 && space < max_name_spaces; ++space) {
    const auto head = memory.get<RawDebug>(r_debug);
    if (!head || head->version < 1 || !seen.insert(r_debug.value).second) {
      if (space == 0) return std::nullopt;
      break;
    }
    if (space == 0) map.change_hook = {head->hook};
    if (head->state != 0) map.consistent = false;
    for (std::uint64_t at = head->map; at != 0;) {
      const auto link = memory.get<RawLink>({at});
      if (!link || !seen.insert(at).second || map.entries.size() >= max_modules) return std::nullopt;
      LinkMapEntry entry{.bias = link->bias, .dynamic = {link->dynamic}, .name = {}, .name_space = space};
      if (link->name != 0)
        if (auto name = memory.c_string({link->name}, max_name)) entry.name = std::move(*name);
      map.entries.push_back(std::move(entry));
      at = link->next;
    }
    if (head->version < 2) break;
    const auto next = memory.get<std::uint64_t>(r_debug + ByteCount{sizeof(RawDebug)});
    r_debug = {next ? *next : 0};
  }
  return map;
}

}  // namespace trapline::image
