#pragma once
// The table command -> handler: the only place that reads arguments, checks what a request needs, and turns errors into
// responses.
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "proto/dap/requests.hpp"
#include "proto/words/result.hpp"

namespace trapline::proto {
class Control;
}

namespace trapline::dap {

class Session;

struct Route {
  std::string_view command;
  proto::dap::Needs needs;
  std::span<const std::string_view> capabilities;
  // Answers through session.answer(), now or later.
  void (*run)(Session& session, proto::dap::Seq request, const nlohmann::json& arguments);
};

std::span<const Route> routes();
// Errors: unknown_request naming the nearest known one.
Result<const Route*> find_route(std::string_view command);
// Errors: not_stopped, no_debuggee, wrong_state; the message says what to do.
// `starting`: a launch or attach is under way.
Result<void> check_needs(const Route& route, const proto::Control& control, bool starting);

// What the registered handlers can do.
proto::dap::Capabilities collect_capabilities();

// A failed response. The id is the Errc's number, showUser follows from who has to act.
nlohmann::json error_answer(proto::dap::Seq request, std::string_view command, const Error& error);

}  // namespace trapline::dap
