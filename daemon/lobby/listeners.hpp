#pragma once
// Listening sockets: made, or inherited by socket activation (sd_listen_fds(3)).
#include <filesystem>
#include <string>
#include <vector>

#include "daemon/lobby/address.hpp"
#include "daemon/util/fd.hpp"
#include "proto/words/result.hpp"

namespace trapline::lobby {

class Listener {
 public:
  Listener(util::Fd fd, Address address, bool inherited);
  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) noexcept = default;
  ~Listener() { close(); }
  int fd() const { return fd_.get(); }
  const Address& address() const { return address_; }  // the real port filled in
  void close();  // a unix socket of ours is removed from its folder, where the file is still ours

 private:
  util::Fd fd_;
  Address address_;
  bool inherited_ = false;
  ino_t inode_ = 0;
};

// unix: the folder is made 0700 where it is missing, the socket is 0600. A socket file that nobody listens on is
// replaced; a live one is refused. tcp: one socket for the first address that HOST stands for.
// Errors: wrong_state (somebody listens there already), os, bad_request.
Result<Listener> listen_on(const Address& address);

// Before anything else is made for a unix socket's sake: its folder is there (made as listen_on() says), nobody listens
// there, and what is there is no file of somebody's. Errors: wrong_state, bad_request, no_permission, os.
Result<void> free_for_a_socket(const Address& address);

// What the service manager opened for us; empty without LISTEN_FDS. The variables are taken out of the environment.
// Errors: unsupported (a descriptor that is no listening stream socket).
Result<std::vector<Listener>> inherited_listeners();

// A folder that nobody but we can enter: made 0700, or checked to be ours (a link or somebody else's folder in /tmp is
// refused). Errors: no_permission, os.
Result<void> private_folder(const std::filesystem::path& folder);

// Held as long as the daemon lives: two daemons never share a house. Errors: wrong_state (held by another, with its
// pid), os.
Result<util::Fd> lock_house(const std::filesystem::path& folder);

}  // namespace trapline::lobby
