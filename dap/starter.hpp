#pragma once
// Launch, attach, join and restart: everything between a start request and a live debuggee.
//
// A start is answered when the debuggee is there *and* the client has said configurationDone, in either order, so that
// every breakpoint is in place before the first instruction. A failure is answered at once.
#include <functional>
#include <memory>
#include <optional>

#include "dap/launch_arguments.hpp"
#include "proto/control.hpp"
#include "proto/dap/requests.hpp"

namespace trapline::dap {

class Session;

class Starter {
 public:
  using Answer = Reply<proto::dap::NoBody>;
  explicit Starter(Session& session) : session_(session) {}

  void start(StartRequest request, Answer answer);
  Result<void> configuration_done();
  void restart(std::optional<StartRequest> changed, Answer answer);
  // Gives a start up that is still waiting: the program is killed, or left alone where it was attached.
  void cancel();

  const StartRequest& request() const { return request_; }
  bool following() const { return stage_ != Stage::idle; }  // events of the debuggee concern this client
  bool restarting() const { return restarting_; }
  bool joined() const { return joined_; }
  bool waiting() const { return stage_ == Stage::starting || stage_ == Stage::ready; }

 private:
  enum class Stage : std::uint8_t {
    idle,
    starting,  // the Control works on it
    ready,     // held, waiting for configurationDone
    live,
    cancelled  // the Control still works on what nobody wants any more
  };

  void begin();
  void offer_terminal(proto::LaunchSpec& spec);
  void open_terminal(const proto::TerminalRequest& terminal, Reply<void> reply);
  void started(const Result<proto::ProcessInfo>& process);
  void settle();
  void tell_what_cannot_be();
  void tell_where_it_stands();
  void finish(Result<proto::dap::NoBody> outcome);

  Session& session_;
  StartRequest request_;
  Answer answer_;
  Stage stage_ = Stage::idle;
  bool configured_ = false;
  bool joined_ = false;
  bool restarting_ = false;
};

}  // namespace trapline::dap
