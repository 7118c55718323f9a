#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "daemon/os/spawn.hpp"

namespace trapline::os {
namespace {

std::unexpected<Error> fail_pty(std::string_view what, int err,
                                std::source_location where = std::source_location::current()) {
  return std::unexpected(
      Error{.code = Errc::os,
            .message = fmt::format("cannot make a terminal for the program: {}: {}", what, std::strerror(err)),
            .os_errno = err,
            .hint = "Is /dev/pts mounted? Otherwise send output to files with \"stdio\".",
            .where = where});
}

}  // namespace

Result<Pty> open_pty() {
  util::Fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master) return fail_pty("posix_openpt", errno);
  if (::grantpt(master.get()) != 0) return fail_pty("grantpt", errno);
  if (::unlockpt(master.get()) != 0) return fail_pty("unlockpt", errno);
  std::array<char, 64> name{};
  if (const int err = ::ptsname_r(master.get(), name.data(), name.size()); err != 0) return fail_pty("ptsname", err);
  // On Linux the settings of a pair are the slave's, whichever end they are set through. Canonical input stays: it is
  // how a user's ^D becomes an end of file, and ^C a SIGINT.
  termios settings{};
  if (::tcgetattr(master.get(), &settings) != 0) return fail_pty("tcgetattr", errno);
  settings.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHOE | ECHOK | ECHONL | ECHOCTL | ECHOKE);
  settings.c_oflag &= ~static_cast<tcflag_t>(ONLCR);
  settings.c_iflag |= IUTF8;
  if (::tcsetattr(master.get(), TCSANOW, &settings) != 0) return fail_pty("tcsetattr", errno);
  const winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  if (::ioctl(master.get(), TIOCSWINSZ, &size) != 0) return fail_pty("TIOCSWINSZ", errno);
  return Pty{std::move(master), name.data()};
}

}  // namespace trapline::os
