#pragma once
// Packets of text with file descriptors between two processes of ours, over a SOCK_SEQPACKET socket.
// Text that does not fit a packet travels in a memfd, so that no length is a special case for the caller.
// Thread: any; nothing here blocks.
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/util/fd.hpp"
#include "proto/words/result.hpp"

namespace trapline::util {

inline constexpr std::size_t most_fds = 8;  // a packet's

struct Packet {
  std::string text;
  std::vector<Fd> fds;
};

Result<std::pair<Fd, Fd>> channel_pair();  // both ends close-on-exec and non-blocking

// Errors: connection (the other end is gone, or does not read: its queue is full), os. Nothing was sent then.
Result<void> send_packet(int channel, std::string_view text, std::span<const int> fds = {});

enum class Received : unsigned char { packet, nothing_yet, end };
struct Incoming {
  Received what = Received::nothing_yet;
  Packet packet;
};
// `end`: the other end was closed. Errors: os, too_large (a packet of nobody of ours).
Result<Incoming> receive_packet(int channel);

// An anonymous file with `bytes`, read position at its begin; and all of such a file.
Result<Fd> memory_file(const char* name, std::string_view bytes);
Result<std::string> read_memory_file(int fd);

}  // namespace trapline::util
