#pragma once
// One client's DAP session on a debuggee: initialized -> started and configured -> live -> ended.
//
// It is handed messages and gives messages back; sockets, framing and processes are others' work. Several sessions may
// stand on one Control: each has its own breakpoints and its own handles, and all of them see every event.
//
// Thread: the loop's. The Control outlives the session, and may answer a launch that the session no longer waits for.
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "dap/breakpoint_list.hpp"
#include "dap/handles.hpp"
#include "dap/shapes/stops.hpp"
#include "dap/starter.hpp"
#include "proto/control.hpp"
#include "proto/dap/events.hpp"
#include "proto/dap/requests.hpp"

namespace trapline::dap {

// Takes one message, `seq` included, to be framed and sent in this order.
using Sender = std::function<void(nlohmann::json)>;

enum class Others : std::uint8_t { none, some };  // clients on the same debuggee besides this one

// An `initialize` that was answered before the session existed (by the lobby, see answer_initialize).
struct Initialized {
  proto::dap::InitializeArguments client;
  proto::dap::Seq last_seq = 0;  // of the messages that the client got so far
};

struct SessionOptions {
  std::optional<Initialized> initialized;
  std::function<Others()> others;  // asked when the client disconnects; unset: none
};

class Session {
 public:
  Session(proto::Control& control, Sender sender, SessionOptions options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void on_message(const nlohmann::json& message);
  void on_garbage(const Error& error);  // the bytes were no message: says so to the client
  // The connection is gone. The last client's going ends the session on the debuggee: a launched program is left
  // running or killed as `detachOnError` says, an attached one is left as it was found.
  void on_closed(Others others);
  bool ended() const { return ended_; }  // `disconnect` was answered: send what is queued, then close

  // ---- for handlers
  proto::Control& control() { return control_; }
  StopHandles& handles() { return handles_; }
  Sources& sources() { return sources_; }
  BreakpointList& breakpoints() { return breakpoints_; }
  Starter& starter() { return starter_; }
  const Coordinates& coordinates() const { return coordinates_; }
  const proto::dap::InitializeArguments& client() const { return client_; }
  const StartRequest& settings() const { return starter_.request(); }
  Others others() const { return options_.others ? options_.others() : Others::none; }
  bool initialized() const { return initialized_; }
  Result<void> initialize(const proto::dap::InitializeArguments& client);
  void resumed_by_us();  // the client's own resume: its frames are void, and it needs no `continued` event
  void end() { ended_ = true; }

  // Runs once the request being handled is answered.
  void after_reply(std::function<void()> work) { after_reply_.push_back(std::move(work)); }
  // Runs when the debuggee has exited; at once where it has already.
  void when_gone(std::function<void()> work);
  // Runs if the client cancels the request being handled, after it was answered as cancelled.
  void when_cancelled(std::function<void()> work);
  bool cancel(proto::dap::Seq request);  // false: it is not waiting
  void cancel_starts();                  // whatever launch or attach is waiting

  void say(proto::OutputCategory category, std::string text);  // a line of ours; its end is added
  // A request to the client. The answer is an error if it refuses, vanishes, or `fail_asked` is called.
  void ask(std::string_view command, nlohmann::json arguments, Reply<nlohmann::json> reply);
  void fail_asked(const Error& error);
  template <class Body>
  void send_event(const Body& body) {
    send(proto::dap::event_envelope(Body::event, nlohmann::json(body)));
  }
  // Wraps a callback so that it does nothing once the session is gone.
  template <class F>
  auto guarded(F work) {
    return [alive = std::weak_ptr<int>(alive_), work = std::move(work)](auto&&... values) mutable {
      if (!alive.expired()) work(std::forward<decltype(values)>(values)...);
    };
  }
  std::weak_ptr<int> alive() const { return alive_; }

  // ---- for the dispatcher
  void answer(proto::dap::Seq request, Result<nlohmann::json> body);

 private:
  struct Waiting {
    std::string command;
    std::function<void()> cancelled;
  };

  void on_request(const proto::dap::IncomingRequest& request);
  void on_response(const proto::dap::IncomingResponse& response);
  void on_event(const proto::Event& event);
  void on(const proto::ProcessEvent& event);
  void on(const proto::StoppedEvent& event);
  void on(const proto::ContinuedEvent& event);
  void on(const proto::ExitedEvent& event);
  void on(const proto::DetachedEvent& event);
  void on(const proto::ThreadEvent& event);
  void on(const proto::ModuleEvent& event);
  void on(const proto::BreakpointEvent& event);
  void on(const proto::OutputEvent& event);
  void on(const proto::InvalidatedEvent& event);
  void on(const proto::ProgressEvent& event);
  void send(nlohmann::json message);
  void send_terminated();
  void run_after_reply();

  proto::Control& control_;
  Sender sender_;
  SessionOptions options_;
  proto::dap::InitializeArguments client_;
  Coordinates coordinates_;
  Sources sources_;
  StopHandles handles_;
  BreakpointList breakpoints_;
  Starter starter_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();

  proto::dap::Seq last_seq_ = 0;
  proto::dap::Seq current_ = 0;  // the request being handled
  bool initialized_ = false;
  bool terminated_ = false;  // the client was told
  bool ended_ = false;
  int own_resumes_ = 0;  // ContinuedEvents to come that this client caused itself
  Utf8Joiner out_;
  Utf8Joiner err_;
  std::unordered_map<proto::dap::Seq, Waiting> waiting_;
  std::unordered_map<proto::dap::Seq, Reply<nlohmann::json>> asked_;
  std::vector<std::function<void()>> after_reply_;
  std::vector<std::function<void()>> when_gone_;
  proto::Subscription subscription_;  // last: no event may find a half-destroyed session
};

// ---- without a session

// What `initialize` tells; from the registered routes.
nlohmann::json capabilities();

struct InitializeAnswer {
  std::vector<nlohmann::json> messages;    // the response, and the `initialized` event where it was accepted
  std::optional<Initialized> initialized;  // nullopt: refused; the client may try again
};
// Answers an `initialize` request where no session exists yet. `last_seq`: of the messages sent so far.
// Errors: bad_request (not an initialize request); then nothing was answered.
Result<InitializeAnswer> answer_initialize(const nlohmann::json& request, proto::dap::Seq last_seq = 0);

// The answer to a request that cannot be served, for those who have no session.
nlohmann::json error_response(const nlohmann::json& request, const Error& error, proto::dap::Seq seq);
// What a client is told about bytes that were no message.
nlohmann::json error_event_for_garbage(const Error& error, proto::dap::Seq seq);

}  // namespace trapline::dap
