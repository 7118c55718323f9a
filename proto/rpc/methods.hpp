#pragma once
// The table of JSON-RPC methods: name, what it is for, the schemas of its parameters and result, its handler. Dispatch
// runs from it and rpc.discover prints it.
//
// session.launch takes the keys of a DAP launch request (launch-args), session.attach those of attach. A launched
// program stands at its first instruction until execution.continue; where the call says `stopOnEntry` explicitly it is
// obeyed at once (false: it runs; true, "entry": it stands there; "main": it runs to main). `hold: true` leaves
// the debuggee untouched until session.start, for front ends that set breakpoints first and start it as they were told.
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/control.hpp"
#include "proto/rpc/codec.hpp"
#include "proto/rpc/envelope.hpp"
#include "proto/rpc/shapes.hpp"

namespace trapline::rpc {

struct SessionInfo {
  std::string session;
  std::optional<Pid> pid;  // of the debuggee
  std::string program;
  proto::RunState state = proto::RunState::none;
  std::uint32_t clients = 0;
  Pid host;  // the session's own process
};
template <>
struct Shape<SessionInfo> {
  using S = SessionInfo;
  static constexpr std::string_view name = "Session";
  static constexpr auto fields =
      std::tuple{must("session", &S::session),  maybe("pid", &S::pid, "of the debuggee"),
                 maybe("program", &S::program), field("state", &S::state),
                 field("clients", &S::clients), maybe("host", &S::host, "the session's own process")};
};

// What the methods act on: one connection and what stands behind it. serve/ implements it.
// Thread: the loop's; replies come there, at once or later.
class Desk {
 public:
  virtual ~Desk() = default;
  virtual proto::Control& control() = 0;
  virtual std::string session() const = 0;
  // The keys of launch-args; `hold` and what else is ours was taken off.
  virtual Result<proto::LaunchSpec> launch_spec(const Json& arguments) = 0;
  virtual Result<proto::AttachSpec> attach_spec(const Json& arguments) = 0;
  // At once where the debuggee stands still or has exited. Errors: timeout, no_debuggee, process_gone (detached).
  virtual void await_stop(std::optional<std::chrono::milliseconds> limit, Reply<StopAnswer> reply) = 0;
  virtual void sessions(Reply<std::vector<SessionInfo>> reply) = 0;
  virtual std::map<std::string, double> stats() = 0;
  virtual Result<void> subscribe_stats(std::chrono::milliseconds interval) = 0;  // 0 ends it
  virtual Json discover() = 0;
};

enum class Place : std::uint8_t {
  anywhere,  // the lobby answers it, a session too
  opens,     // in the lobby: moves the connection to a session, where it is answered
  session    // needs a session
};

// One answer to a call, as JSON; exactly once.
using Answer = Reply<Json>;

struct Method {
  std::string name;
  std::string summary;
  Place place = Place::session;
  bool in_order = false;  // the calls behind it wait for its answer (launch, attach: what follows needs the debuggee)
  Json params;            // schema of the object
  Json result;
  std::function<void(Desk&, const Json& params, Answer)> run;
};

struct MethodTable {
  std::vector<Method> methods;  // by name
  Components components;        // schemas that the methods' schemas refer to
  const Method* find(std::string_view name) const;
};
const MethodTable& method_table();

// Looks the method up, checks the parameters, runs it. Errors: unknown_request (with the nearest name), bad_request.
void dispatch(Desk& desk, const Call& call, Answer answer);
Error unknown_method(std::string_view name);

// The OpenRPC document. `launch` and `attach`: schemas of the arguments of session.launch and session.attach, which
// dap/ owns.
Json discover(const Json& launch, const Json& attach);

}  // namespace trapline::rpc
