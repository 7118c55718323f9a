#include "daemon/lobby/token.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "daemon/util/fd.hpp"

namespace trapline::lobby {
namespace {

Result<std::string> read_token(const util::Fd& fd, const std::filesystem::path& file) {
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0)
    return fail(Errc::os, fmt::format("{}: {}", file.string(), strerror(errno)), errno);
  if ((about.st_mode & 077) != 0)
    return fail_hint(Errc::no_permission, fmt::format("others may read the token file {}", file.string()),
                     fmt::format("chmod 600 {}", file.string()));
  std::array<char, 4096> text{};
  const ssize_t got = ::read(fd.get(), text.data(), text.size());
  if (got < 0) return fail(Errc::os, fmt::format("cannot read {}: {}", file.string(), strerror(errno)), errno);
  std::string_view token(text.data(), static_cast<std::size_t>(got));
  token = token.substr(0, token.find_first_of("\r\n"));
  if (token.size() < 16)
    return fail_hint(Errc::bad_request, fmt::format("the token in {} is shorter than 16 characters", file.string()),
                     "remove the file; a new one is made with a random token");
  return std::string(token);
}

}  // namespace

Result<std::string> load_token(const std::filesystem::path& file) {
  util::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (fd) return read_token(fd, file);
  if (errno != ENOENT)
    return fail(Errc::os, fmt::format("cannot open the token file {}: {}", file.string(), strerror(errno)), errno);
  std::array<unsigned char, 32> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return fail(Errc::os, fmt::format("getrandom: {}", strerror(errno)), errno);
  std::string token;
  for (const auto byte : random) token += fmt::format("{:02x}", byte);
  fd = util::Fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd && errno == EEXIST) return load_token(file);  // another daemon was faster
  const std::string line = token + "\n";
  if (!fd || ::write(fd.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    return fail(Errc::os, fmt::format("cannot make the token file {}: {}", file.string(), strerror(errno)), errno);
  return token;
}

bool same_token(std::string_view presented, std::string_view token) {
  // The loop's length depends on what the client sent alone; its body never branches on the secret.
  unsigned char difference = presented.size() == token.size() ? 0 : 1;
  for (std::size_t i = 0; i < presented.size(); ++i) {
    const auto secret = static_cast<unsigned char>(token[i % token.size()]);
    difference = static_cast<unsigned char>(difference | (static_cast<unsigned char>(presented[i]) ^ secret));
  }
  return difference == 0;
}

}  // namespace trapline::lobby
