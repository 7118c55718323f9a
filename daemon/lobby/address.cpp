#include "daemon/lobby/address.hpp"

#include <fmt/format.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

namespace trapline::lobby {
namespace {

constexpr std::string_view forms = "write unix:PATH or tcp:HOST:PORT (port 0 picks one)";

std::filesystem::path default_folder() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime == '/') return std::filesystem::path(runtime) / "trapline";
  return fmt::format("/tmp/trapline-{}", ::getuid());
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  Address address;
  if (text.starts_with("unix:")) {
    const auto path = text.substr(5);
    if (path.empty()) return fail_hint(Errc::bad_request, "a unix address without a path", std::string(forms));
    std::error_code error;
    address.path = std::filesystem::absolute(path, error).lexically_normal().string();
    // The sessions' control sockets lie below PATH.d and have longer names: sun_path holds 108 bytes (unix(7)).
    constexpr std::size_t room = sizeof(sockaddr_un::sun_path) - sizeof(".d/sessions/12345.sock");
    if (address.path.size() > room)
      return fail_hint(Errc::bad_request,
                       fmt::format("the socket path {} has {} bytes; the kernel's limit leaves {}", address.path,
                                   address.path.size(), room),
                       "choose a shorter one");
    return address;
  }
  if (!text.starts_with("tcp:"))
    return fail_hint(Errc::bad_request, fmt::format("\"{}\" is no address", text), std::string(forms));
  text.remove_prefix(4);
  address.kind = Address::Kind::tcp;
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return fail_hint(Errc::bad_request, fmt::format("\"tcp:{}\" names no port", text), std::string(forms));
  auto host = text.substr(0, colon);
  const auto port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  address.host = host.empty() ? "127.0.0.1" : std::string(host);
  const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc{} || stop != port.data() + port.size() || port.empty())
    return fail_hint(Errc::bad_request, fmt::format("\"{}\" is no port", port), "a port is a number from 0 to 65535");
  return address;
}

std::string to_string(const Address& address) {
  if (address.kind == Address::Kind::unix_socket) return "unix:" + address.path;
  if (address.host.find(':') != std::string::npos) return fmt::format("tcp:[{}]:{}", address.host, address.port);
  return fmt::format("tcp:{}:{}", address.host, address.port);
}

std::string default_address() {
  if (const char* chosen = std::getenv("TRAPLINE_SOCKET"); chosen != nullptr && *chosen != '\0') {
    const std::string text = chosen;
    return text.front() == '/' ? "unix:" + text : text;
  }
  return "unix:" + (default_folder() / "trapline.sock").string();
}

std::filesystem::path house_folder(const Address& address) {
  if (address.kind == Address::Kind::unix_socket) return address.path + ".d";
  std::string host = address.host;
  for (char& c : host)
    if (c == '/' || c == ':') c = '-';
  return default_folder() / fmt::format("tcp-{}-{}.d", host, address.port);
}

}  // namespace trapline::lobby
