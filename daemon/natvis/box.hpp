#pragma once
// The visualisers that come with the program: daemon/natvis/box/*.natvis, embedded by the build.
#include <span>
#include <string_view>

namespace trapline::natvis {

struct BoxFile {
  std::string_view name;  // "libstdcxx_strings.natvis"
  std::string_view text;
};

std::span<const BoxFile> box();

}  // namespace trapline::natvis
