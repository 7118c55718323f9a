#include "daemon/util/memory.hpp"

#include <algorithm>

namespace trapline::util {

Result<std::string> Memory::c_string(LoadAddr at, std::size_t limit) const {
  std::string text;
  std::byte chunk[256];
  while (text.size() < limit) {
    // Never cross a page in one read: the next one may be unmapped, and the string may end before it.
    const std::size_t to_page_end = 4096 - (at.value + text.size()) % 4096;
    const std::size_t want = std::min({sizeof chunk, limit - text.size(), to_page_end});
    const std::size_t got = read_some(at + ByteCount{text.size()}, std::span(chunk, want));
    const auto* begin = reinterpret_cast<const char*>(chunk);
    const auto* end = std::find(begin, begin + got, '\0');
    text.append(begin, end);
    if (end != begin + got) return text;
    if (got < want) {
      if (text.empty()) return fail(Errc::bad_address, "no readable memory at this address");
      return text;
    }
  }
  return text;
}

}  // namespace trapline::util
