#include "daemon/util/zstd.hpp"

#include <dlfcn.h>

namespace trapline::util {
namespace {

// Of zstd.h, stable since 1.0: sizes of errors are those for which the second says so.
struct Zstd {
  using Decompress = std::size_t (*)(void* to, std::size_t capacity, const void* from, std::size_t size);
  using IsError = unsigned (*)(std::size_t code);
  Decompress decompress = nullptr;
  IsError is_error = nullptr;
};

const Zstd& zstd() {
  static const Zstd library = [] {
    Zstd found;
    if (void* handle = ::dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL)) {
      found.decompress = reinterpret_cast<Zstd::Decompress>(::dlsym(handle, "ZSTD_decompress"));
      found.is_error = reinterpret_cast<Zstd::IsError>(::dlsym(handle, "ZSTD_isError"));
    }
    return found;
  }();
  return library;
}

}  // namespace

bool has_zstd() { return zstd().decompress != nullptr && zstd().is_error != nullptr; }

bool inflate_zstd(std::span<const std::byte> from, std::span<std::byte> to) {
  if (!has_zstd()) return false;
  const std::size_t made = zstd().decompress(to.data(), to.size(), from.data(), from.size());
  return zstd().is_error(made) == 0 && made == to.size();
}

}  // namespace trapline::util
