#include <doctest/doctest.h>

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "dap/session.hpp"
#include "proto/wire/framing.hpp"
#include "tests/fuzz/mutate.hpp"
#include "tests/support/fake_control.hpp"

namespace trapline::fuzz {
namespace {

constexpr std::array<std::string_view, 40> commands{"initialize",
                                                    "launch",
                                                    "attach",
                                                    "configurationDone",
                                                    "setBreakpoints",
                                                    "setFunctionBreakpoints",
                                                    "setExceptionBreakpoints",
                                                    "setInstructionBreakpoints",
                                                    "threads",
                                                    "stackTrace",
                                                    "scopes",
                                                    "variables",
                                                    "setVariable",
                                                    "evaluate",
                                                    "continue",
                                                    "next",
                                                    "stepIn",
                                                    "stepOut",
                                                    "pause",
                                                    "source",
                                                    "modules",
                                                    "loadedSources",
                                                    "exceptionInfo",
                                                    "cancel",
                                                    "readMemory",
                                                    "writeMemory",
                                                    "disassemble",
                                                    "restart",
                                                    "terminate",
                                                    "goto",
                                                    "nonsense",
                                                    "",
                                                    "completions",
                                                    "stepBack",
                                                    "Threads",
                                                    "setExpression",
                                                    "locations",
                                                    "dataBreakpointInfo",
                                                    "gotoTargets",
                                                    "stepInTargets"};

constexpr std::array<std::string_view, 14> dictionary{"null",
                                                      "-1",
                                                      "[]",
                                                      "{}",
                                                      "\"\"",
                                                      "1e300",
                                                      "true",
                                                      "4294967296",
                                                      "\"0x\"",
                                                      "{\"path\":\"a.cpp\"}",
                                                      "[{\"line\":-5}]",
                                                      "\"%\"",
                                                      "18446744073709551615",
                                                      "\"\\u0000\""};

const std::string seed =
    R"({"threadId":1,"frameId":1,"variablesReference":10,"program":"/bin/true","pid":"12","source":{"path":"/a.cpp"},"breakpoints":[{"line":3,"condition":"x","hitCondition":">2","logMessage":"{a}"}],"expression":"a","name":"a","value":"1","start":0,"count":5,"levels":3,"memoryReference":"0x10","instructionCount":4,"offset":-1,"env":{"A":null},"args":["x"],"stopOnEntry":"main","terminateDebuggee":false,"granularity":"line","filters":[]})";

TEST_CASE("no arguments crash a session, and no request is answered twice") {
  Random random(20260103);
  for (int session = 0; session < 60; ++session) {
    trapline::tests::FakeControl control;
    std::vector<nlohmann::json> sent;
    dap::Session dap(control, [&](nlohmann::json message) { sent.push_back(std::move(message)); });
    dap.on_message(
        {{"seq", 1}, {"type", "request"}, {"command", "initialize"}, {"arguments", {{"adapterID", "fuzz"}}}});
    for (int seq = 2; seq < 60; ++seq) {
      auto arguments = nlohmann::json::parse(mutate(seed, random, dictionary), nullptr, false);
      if (arguments.is_discarded()) arguments = nlohmann::json::parse(seed);
      const auto command = std::string(commands[below(random, commands.size())]);
      dap.on_message({{"seq", seq}, {"type", "request"}, {"command", command}, {"arguments", std::move(arguments)}});
    }
    std::map<int, int> answers;
    for (const auto& message : sent)
      if (message.value("type", "") == "response") ++answers[message.value("request_seq", 0)];
    for (const auto& [seq, count] : answers)
      REQUIRE_MESSAGE(count == 1, "request " << seq << " was answered " << count << " times");
    REQUIRE(answers.size() >= 50);  // those that wait (launch, attach) may be open still
    dap.on_closed(dap::Others::none);
  }
}

}  // namespace
}  // namespace trapline::fuzz
