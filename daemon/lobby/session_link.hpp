#pragma once
// The lobby's end of one session process: how it is started, and what is said to it.
#include <sys/types.h>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/util/channel.hpp"
#include "daemon/util/fd.hpp"
#include "proto/rpc/house.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::lobby {

class SessionLink : public std::enable_shared_from_this<SessionLink> {
 public:
  struct Handlers {
    std::function<void(SessionLink&, std::string_view type, const rpc::Json&)> packet;
    std::function<void(SessionLink&)> hung_up;  // the channel was closed; the guardian tells of the process
  };

  // `traplined --session 3 ARGUMENTS...`, by posix_spawn: never a fork of a process with threads. It gets a session of
  // its own (setsid), so that ^C in the daemon's terminal is the daemon's alone.
  static Result<std::shared_ptr<SessionLink>> spawn(asio::io_context& loop, const std::vector<std::string>& arguments,
                                                    Handlers handlers);
  // A session that an earlier lobby left behind. Errors: connection (nobody is there: the file is stale), os.
  static Result<std::shared_ptr<SessionLink>> adopt(asio::io_context& loop, const std::filesystem::path& socket,
                                                    Handlers handlers);

  SessionLink(asio::io_context& loop, util::Fd channel, Pid process, bool child, Handlers handlers);

  Pid process() const { return process_; }
  bool child() const { return child_; }  // ours to reap
  const std::string& id() const { return info.session; }
  Result<void> send(std::string_view packet, std::span<const int> fds = {});
  void close();

  rpc::SessionInfo info;  // as it last reported; `session` is empty in the spare one
  bool leaving = false;   // has said so; takes no new clients

 private:
  void receive();

  asio::posix::stream_descriptor channel_;
  Pid process_;
  bool child_ = false;
  Handlers handlers_;
};

}  // namespace trapline::lobby
