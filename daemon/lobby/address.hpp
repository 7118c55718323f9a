#pragma once
// Where the daemon listens: `unix:PATH` or `tcp:HOST:PORT`.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "proto/words/result.hpp"

namespace trapline::lobby {

struct Address {
  enum class Kind : std::uint8_t { unix_socket, tcp };
  Kind kind = Kind::unix_socket;
  std::string path;  // absolute
  std::string host;  // as written; IPv6 without its brackets
  std::uint16_t port = 0;
};

// A unix path is made absolute; an empty host means loopback. Errors: bad_request.
Result<Address> parse_address(std::string_view text);
std::string to_string(const Address& address);

// $TRAPLINE_SOCKET, else unix:$XDG_RUNTIME_DIR/trapline/trapline.sock, else unix:/tmp/trapline-UID/trapline.sock.
std::string default_address();

// Where journals, the sessions' control sockets and the lock of a daemon at this address live: PATH.d beside a unix
// socket, tcp-HOST-PORT.d in the default folder. A later daemon at the same address finds what an earlier one left.
std::filesystem::path house_folder(const Address& address);

}  // namespace trapline::lobby
