// Thread-local storage on x86-64 (ELF Handling For Thread-Local Storage, variant II) with glibc.
//
// The program's own block lies right below the thread pointer, at an offset that its PT_TLS header gives. Other
// modules' blocks are found through the dynamic thread vector: the word at thread pointer + 8 points to it, it is
// indexed by the module's TLS id, and an entry is two words of which the first is the block. The id is a field of the
// link map whose offset libc tells debuggers (_thread_db_link_map_l_tls_modid, made for libthread_db), so no layout is
// assumed.
#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <array>
#include <optional>

#include "daemon/eval/frame_context.hpp"

namespace trapline::eval {
namespace {

std::unexpected<Error> no_tls(const image::MappedModule& module, std::string why) {
  return fail(Errc::not_available, fmt::format("thread-local storage of {}: {}", module.path, why));
}

// From the program headers as they are mapped: the module's file may have changed since.
Result<std::optional<Elf64_Phdr>> tls_header(const util::Memory& memory, const image::MappedModule& module) {
  TL_TRY(const auto header, memory.get<Elf64_Ehdr>(module.range.begin));
  if (std::string_view(reinterpret_cast<const char*>(header.e_ident), SELFMAG) != ELFMAG ||
      header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > 256)
    return no_tls(module, "its program headers are not mapped");
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    TL_TRY(const auto entry,
           memory.get<Elf64_Phdr>(module.range.begin + ByteCount{header.e_phoff + i * sizeof(Elf64_Phdr)}));
    if (entry.p_type == PT_TLS) return std::optional(entry);
  }
  return std::optional<Elf64_Phdr>{};
}

Result<LoadAddr> link_map_of(const FrameView& view, const image::MappedModule& module) {
  const auto debug = view.modules->symbol_address("_r_debug");
  if (!debug) return no_tls(module, "the loader's list of modules (_r_debug) is not known");
  TL_TRY(const auto state, view.memory->get<r_debug>(*debug));
  LoadAddr at{reinterpret_cast<std::uint64_t>(state.r_map)};
  for (int i = 0; at.value != 0 && i < 65536; ++i) {
    TL_TRY(const auto map, view.memory->get<link_map>(at));
    const std::uint64_t dynamic = reinterpret_cast<std::uint64_t>(map.l_ld);
    if (map.l_addr == module.bias && module.range.contains(LoadAddr{dynamic})) return at;
    at = LoadAddr{reinterpret_cast<std::uint64_t>(map.l_next)};
  }
  return no_tls(module, "the loader does not list the module");
}

// {size in bits, number of elements, offset in bytes}
Result<std::uint64_t> modid_offset(const FrameView& view, const image::MappedModule& module) {
  const auto descriptor = view.modules->symbol_address("_thread_db_link_map_l_tls_modid");
  if (!descriptor)
    return no_tls(module, "this C library does not say where it keeps the module's TLS id (is it glibc?)");
  TL_TRY(const auto fields, (view.memory->get<std::array<std::uint32_t, 3>>(*descriptor)));
  if (fields[0] != 64 || fields[2] > 65536)
    return no_tls(module, "the C library's description of the TLS id makes no sense");
  return fields[2];
}

}  // namespace

Result<LoadAddr> tls_address(const FrameView& view, const image::MappedModule& module, std::uint64_t offset) {
  if (view.thread_pointer == 0)
    return no_tls(module, "no thread is selected, or it has not set its thread pointer yet");
  const auto modules = view.modules->all();
  const bool program = !modules.empty() && modules.front()->id == module.id;
  if (program) {
    TL_TRY(const auto header, tls_header(*view.memory, module));
    if (!header) return no_tls(module, "it has no TLS segment");
    // As glibc places it (_dl_determine_tlsoffset): the end is at the thread pointer, and the begin has p_vaddr's
    // remainder by the alignment.
    const std::uint64_t align = header->p_align == 0 ? 1 : header->p_align;
    const std::uint64_t first = (align - header->p_vaddr % align) % align;
    const std::uint64_t below = (header->p_memsz - first + align - 1) / align * align + first;
    return LoadAddr{view.thread_pointer - below + offset};
  }
  TL_TRY(const LoadAddr map, link_map_of(view, module));
  TL_TRY(const std::uint64_t field, modid_offset(view, module));
  TL_TRY(const auto id, view.memory->get<std::uint64_t>(map + ByteCount{field}));
  if (id == 0 || id > 65536) return no_tls(module, "it has no TLS segment");
  TL_TRY(const auto vector, view.memory->get<std::uint64_t>(LoadAddr{view.thread_pointer + 8}));
  // The slot before the first holds how many modules the vector has room for.
  TL_TRY(const auto room, view.memory->get<std::uint64_t>(LoadAddr{vector - 16}));
  if (id > room) return no_tls(module, "this thread has not used it yet, so it is not allocated");
  TL_TRY(const auto block, view.memory->get<std::uint64_t>(LoadAddr{vector + id * 16}));
  if (block == 0 || block == ~std::uint64_t{0})
    return no_tls(module, "this thread has not used it yet, so it is not allocated");
  return LoadAddr{block + offset};
}

}  // namespace trapline::eval
