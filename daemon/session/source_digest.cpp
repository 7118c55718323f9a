#include "daemon/session/source_digest.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <md5.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "daemon/util/fd.hpp"

namespace trapline::session {
namespace {

constexpr std::uint64_t largest_source = 64U << 20;

}  // namespace

std::optional<std::string> SourceDigests::md5(const std::string& path) {
  // O_NONBLOCK: a FIFO of that name would wait for a writer.
  const util::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat about {};
  if (!file || ::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) return std::nullopt;
  Known now{.inode = about.st_ino,
            .size = static_cast<std::uint64_t>(about.st_size),
            .seconds = about.st_mtim.tv_sec,
            .nanoseconds = about.st_mtim.tv_nsec,
            .md5 = {}};
  if (now.size > largest_source) return std::nullopt;
  auto& known = known_[path];
  if (!known.md5.empty() && known.inode == now.inode && known.size == now.size && known.seconds == now.seconds &&
      known.nanoseconds == now.nanoseconds)
    return known.md5;
  MD5_CTX context;
  MD5Init(&context);
  std::vector<std::uint8_t> buffer(64 * 1024);
  for (ssize_t got; (got = ::read(file.get(), buffer.data(), buffer.size())) != 0;) {
    if (got < 0) return std::nullopt;
    MD5Update(&context, buffer.data(), static_cast<std::size_t>(got));
  }
  std::array<std::uint8_t, MD5_DIGEST_LENGTH> digest{};
  MD5Final(digest.data(), &context);
  for (const auto byte : digest) now.md5 += fmt::format("{:02x}", byte);
  known = std::move(now);
  return known.md5;
}

}  // namespace trapline::session
