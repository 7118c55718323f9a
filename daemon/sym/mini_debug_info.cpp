#include "daemon/sym/mini_debug_info.hpp"

#include <lzma.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace trapline::sym {
namespace {

constexpr std::size_t max_inflated = std::size_t{256} << 20;
constexpr std::uint64_t max_memory = std::uint64_t{128} << 20;  // of the decoder; xz -9 needs 65 MB
constexpr std::size_t step = std::size_t{1} << 18;

std::optional<std::vector<std::byte>> inflate(std::span<const std::byte> packed) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, max_memory, 0) != LZMA_OK) return std::nullopt;
  std::vector<std::byte> out;
  stream.next_in = reinterpret_cast<const std::uint8_t*>(packed.data());
  stream.avail_in = packed.size();
  lzma_ret state = LZMA_OK;
  while (state == LZMA_OK && out.size() < max_inflated) {
    const std::size_t had = out.size();
    out.resize(had + step);
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data() + had);
    stream.avail_out = step;
    state = lzma_code(&stream, LZMA_FINISH);
    out.resize(had + step - stream.avail_out);
  }
  lzma_end(&stream);
  if (state != LZMA_STREAM_END) return std::nullopt;
  return out;
}

}  // namespace

std::unique_ptr<ElfFile> mini_debug_info(const ElfFile& program) {
  const auto packed = program.contents(".gnu_debugdata");
  if (packed.empty()) return nullptr;
  auto image = inflate(packed);
  if (!image) return nullptr;
  auto file = ElfFile::from_image(std::move(*image), program.path() + " (.gnu_debugdata)");
  return file ? std::move(*file) : nullptr;
}

}  // namespace trapline::sym
