#pragma once
// zstd without linking to it: libzstd is opened when the first file that needs it is. It is on every Debian system
// (dpkg needs it), and no start pays for it.
#include <cstddef>
#include <span>

namespace trapline::util {

bool has_zstd();
// True where `from` is one frame that fills `to` exactly. Thread: any.
bool inflate_zstd(std::span<const std::byte> from, std::span<std::byte> to);

}  // namespace trapline::util
