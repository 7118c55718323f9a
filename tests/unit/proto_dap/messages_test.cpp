#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "proto/dap/base.hpp"
#include "proto/dap/events.hpp"
#include "proto/dap/requests.hpp"
#include "proto/wire/fields.hpp"

using namespace trapline;
using namespace trapline::proto::dap;
using nlohmann::json;

namespace {

template <class T>
std::string problem(const char* text) {
  auto read = wire::read<T>(json::parse(text), "arguments");
  REQUIRE_FALSE(read.has_value());
  return read.error().message;
}
template <class T>
T arguments(const char* text) {
  auto read = wire::read<T>(json::parse(text), "arguments");
  REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().message));
  return *read;
}

}  // namespace

TEST_CASE("envelopes are told apart, and a broken one is named") {
  const auto request =
      parse_incoming(json::parse(R"({"seq":3,"type":"request","command":"next","arguments":{"a":1}})"));
  REQUIRE(request.has_value());
  CHECK(std::get<IncomingRequest>(*request).seq == 3);
  CHECK(std::get<IncomingRequest>(*request).command == "next");
  CHECK(std::get<IncomingRequest>(*request).arguments["a"] == 1);
  const auto response = parse_incoming(json::parse(
      R"({"seq":4,"type":"response","request_seq":2,"success":false,"command":"runInTerminal","message":"no"})"));
  REQUIRE(response.has_value());
  CHECK(std::get<IncomingResponse>(*response).request_seq == 2);
  CHECK(std::get<IncomingResponse>(*response).message == "no");
  CHECK(parse_incoming(json::parse("[]")).error().message == "a message is an object, not array");
  CHECK(parse_incoming(json::parse("{}")).error().code == Errc::bad_request);
  CHECK(parse_incoming(json::parse(R"({"type":"event"})")).error().message ==
        R"(type: "event" is neither "request" nor "response")");
  CHECK(parse_incoming(json::parse(R"({"type":"request","seq":1})")).error().message == "request.command: is missing");
  CHECK(parse_incoming(json::parse(R"({"type":"request","seq":"1","command":"x"})")).error().message ==
        "request.seq: expected integer, got string");
}

TEST_CASE("arguments name what is wrong in them") {
  CHECK(problem<SetBreakpointsArguments>(R"({"source":{"path":"a"},"breakpoints":[{"line":1},{"line":"2"}]})") ==
        "arguments.breakpoints[1].line: expected integer, got string");
  CHECK(problem<SetBreakpointsArguments>(R"({"source":{"path":"a"},"lines":[1,2,"x"]})") ==
        "arguments.lines[2]: expected integer, got string");
  CHECK(problem<StackTraceArguments>("{}") == "arguments.threadId: is missing");
  CHECK(problem<StackTraceArguments>(R"({"threadId":1,"levels":-1})") ==
        "arguments.levels: -1 is not between 0 and 4294967295");
  CHECK(problem<StepArguments>(R"({"threadId":1,"granularity":"word"})") ==
        "arguments.granularity: 'word' is none of statement, line, instruction");
  CHECK(problem<VariablesArguments>(R"({"variablesReference":1,"filter":"all"})") ==
        "arguments.filter: 'all' is none of indexed, named");
  CHECK(problem<InitializeArguments>(R"({"pathFormat":"dos"})") == "arguments.pathFormat: 'dos' is none of path, uri");
  CHECK(problem<EvaluateArguments>(R"({"expression":["a"]})") == "arguments.expression: expected string, got array");
  CHECK(problem<StartArguments>("3") == "arguments: expected object, got integer");
  CHECK(problem<ReadMemoryArguments>(R"({"memoryReference":"0x1"})") == "arguments.count: is missing");
}

TEST_CASE("arguments are read with the protocol's defaults") {
  const auto initialize = arguments<InitializeArguments>("{}");
  CHECK(initialize.lines_start_at1);
  CHECK(initialize.columns_start_at1);
  CHECK(initialize.path_format == PathFormat::path);
  const auto lines = arguments<SetBreakpointsArguments>(R"({"source":{"path":"a"},"lines":[4,5]})");
  REQUIRE(lines.breakpoints.size() == 2);
  CHECK(lines.breakpoints[1].line == 5);
  const auto newer = arguments<SetBreakpointsArguments>(R"({"source":{"path":"a"},"breakpoints":[],"lines":[4]})");
  CHECK(newer.breakpoints.empty());
  const auto step = arguments<StepArguments>(R"({"threadId":7})");
  CHECK(step.granularity == SteppingGranularity::statement);
  const auto disconnect = arguments<DisconnectArguments>(R"({"terminateDebuggee":false})");
  CHECK(disconnect.terminate_debuggee == false);
  CHECK(arguments<DisconnectArguments>("{}").terminate_debuggee == std::nullopt);
}

TEST_CASE("bodies hold what is known and leave out the rest") {
  CHECK(json(Breakpoint{.id = 3, .verified = true, .line = 7}) == json::parse(R"({"id":3,"verified":true,"line":7})"));
  CHECK(json(StackFrame{.id = 1, .name = "f"}) == json::parse(R"({"id":1,"name":"f","line":0,"column":0})"));
  CHECK(json(Source{.name = "a.c", .path = "/a.c", .source_reference = 2}) ==
        json::parse(R"({"name":"a.c","path":"/a.c","sourceReference":2})"));
  CHECK(
      json(Scope{.name = "Locals", .presentation_hint = "locals", .variables_reference = 9, .named_variables = 2}) ==
      json::parse(
          R"({"name":"Locals","presentationHint":"locals","variablesReference":9,"namedVariables":2,"expensive":false})"));
  CHECK(json(EvaluateResponse{.value = {.text = "3", .type = "int"}}) ==
        json::parse(R"({"result":"3","type":"int","variablesReference":0})"));
  CHECK(json(NoBody{}).is_null());
  CHECK(json(TerminatedBody{}).is_null());
  CHECK(json(StoppedBody{.reason = "step", .thread_id = 4, .hit_breakpoint_ids = {1}}) ==
        json::parse(R"({"reason":"step","threadId":4,"allThreadsStopped":true,"hitBreakpointIds":[1]})"));
  CHECK(json(OutputBody{.category = "console", .output = "x", .group = "start"}) ==
        json::parse(R"({"category":"console","output":"x","group":"start"})"));
  const json terminal(
      RunInTerminalArguments{.kind = "external", .cwd = "/", .args = {"a"}, .env = {{"A", "1"}, {"B", std::nullopt}}});
  CHECK(terminal == json::parse(R"({"kind":"external","cwd":"/","args":["a"],"env":{"A":"1","B":null}})"));
}

TEST_CASE("a failed response carries the short form and the whole error") {
  const auto message = error_envelope(5, "next", "notStopped", {.id = 1003, .format = "running", .show_user = true});
  CHECK(message == json::parse(R"({"type":"response","request_seq":5,"success":false,"command":"next",
    "message":"notStopped","body":{"error":{"id":1003,"format":"running","showUser":true}}})"));
  CHECK_FALSE(success_envelope(5, "next", nullptr).contains("body"));
}
