#include "daemon/serve/warm.hpp"

#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace trapline::serve {
namespace {

// What the first stop of a small program takes of the heap, measured (brk() of a launch), with room.
constexpr std::size_t first_heap = std::size_t{768} << 10;
// Above it memory comes from mmap() and goes back at once. glibc's own (128 KiB) sits in the middle of our buffers.
constexpr int own_mapping = 512 << 10;

// Read-only pages are the page cache's: this fills page tables and allocates nothing (madvise(2), Linux 5.14; an older
// kernel answers EINVAL). Data that the loader relocated is private already.
int map_ahead(dl_phdr_info* module, std::size_t, void*) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < module->dlpi_phnum; ++i) {
    const auto& part = module->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
    const auto begin = (module->dlpi_addr + part.p_vaddr) & ~(page - 1);
    const auto end = (module->dlpi_addr + part.p_vaddr + part.p_memsz + page - 1) & ~(page - 1);
    static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ));
  }
  return 0;
}

}  // namespace

void warm_up() {
  ::mallopt(M_MMAP_THRESHOLD, own_mapping);
  ::mallopt(M_TRIM_THRESHOLD, 4 << 20);
  ::mallopt(M_TOP_PAD, first_heap);
  // One small block makes the heap grow by the pad; a large one would be a mapping of its own.
  constexpr std::size_t piece = 64 << 10;
  void* pieces[first_heap / piece];
  for (auto& each : pieces) {
    each = std::malloc(piece);
    if (each == nullptr) continue;
    std::memset(each, 0, piece);
    asm volatile("" : : "r"(each) : "memory");  // kept, though it is freed unread
  }
  for (auto* each : pieces) std::free(each);
  ::dl_iterate_phdr(map_ahead, nullptr);
}

}  // namespace trapline::serve
