#pragma once
// Where the daemon listens, and starting one where none does.
#include <memory>
#include <string>

#include "client/connection.hpp"
#include "proto/words/result.hpp"

namespace trapline::client {

struct Where {
  std::string address;  // empty: $TRAPLINE_SOCKET, else the default place
  std::string token;    // for tcp
};

std::string default_address();
// Path of traplined: beside this program, in its build tree, or in PATH. Empty where there is none.
std::string find_daemon();
// Connects; where nobody listens at the default place, starts a daemon there that ends by itself when it is idle.
Result<std::unique_ptr<Connection>> connect_or_start(const Where& where);
Result<int> connect_raw_or_start(const Where& where);

}  // namespace trapline::client
