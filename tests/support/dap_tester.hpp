#pragma once
// A client of a dap::Session on a FakeControl: sends requests, collects what comes back, and holds every message
// against the protocol's schema where that is at hand.
#include <doctest/doctest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dap/session.hpp"
#include "tests/support/dap_schema.hpp"
#include "tests/support/fake_control.hpp"

namespace trapline::tests {

using nlohmann::json;

class DapTester {
 public:
  explicit DapTester(dap::SessionOptions options = {})
      : DapTester(std::make_shared<FakeControl>(), std::move(options)) {}
  explicit DapTester(std::shared_ptr<FakeControl> shared, dap::SessionOptions options = {})
      : control_(std::move(shared)),
        session(std::make_unique<dap::Session>(
            *control_, [this](json message) { receive(std::move(message)); }, std::move(options))) {}

  FakeControl& control() { return *control_; }
  std::shared_ptr<FakeControl> shared() { return control_; }

  // Sends, delivers the events that follow, and gives the response; null where none came yet.
  json request(const std::string& command, json arguments = nullptr) {
    return response_to(send(command, std::move(arguments)));
  }
  // The body of a response that must be a success.
  json ok(const std::string& command, json arguments = nullptr) {
    const json response = request(command, std::move(arguments));
    REQUIRE_MESSAGE(response.is_object(), command, " was not answered");
    REQUIRE_MESSAGE(response["success"] == true, response.dump());
    return response.value("body", json());
  }
  // body.error of a response that must be a failure.
  json refused(const std::string& command, json arguments = nullptr) {
    const json response = request(command, std::move(arguments));
    REQUIRE_MESSAGE(response.is_object(), command, " was not answered");
    REQUIRE_MESSAGE(response["success"] == false, response.dump());
    return response["body"]["error"];
  }
  int send(const std::string& command, json arguments = nullptr) {
    json message{{"seq", ++last_seq_}, {"type", "request"}, {"command", command}};
    if (!arguments.is_null()) message["arguments"] = std::move(arguments);
    const int seq = last_seq_;  // an answer to a reverse request may count on
    give(message);
    return seq;
  }
  void give(const json& message) {
    session->on_message(message);
    control_->deliver();
  }
  json response_to(int seq) const {
    for (const auto& message : received)
      if (message["type"] == "response" && message["request_seq"] == seq) return message;
    return nullptr;
  }
  // Bodies of the events of one name so far, oldest first.
  std::vector<json> events(const std::string& name) const {
    std::vector<json> bodies;
    for (const auto& message : received)
      if (message["type"] == "event" && message["event"] == name) bodies.push_back(message.value("body", json()));
    return bodies;
  }
  json last_event(const std::string& name) const {
    const auto all = events(name);
    REQUIRE_MESSAGE(!all.empty(), "no event ", name);
    return all.back();
  }
  // Position of a message of this type and name among all received; -1: none.
  int position(const std::string& type, const std::string& name) const {
    for (std::size_t i = 0; i < received.size(); ++i)
      if (received[i]["type"] == type && received[i].value(type == "event" ? "event" : "command", "") == name)
        return static_cast<int>(i);
    return -1;
  }
  std::string outputs(const std::string& category) const {
    std::string text;
    for (const auto& body : events("output"))
      if (body["category"] == category) text += body["output"].get<std::string>();
    return text;
  }

  void initialize(json client = json::object()) {
    if (!client.contains("adapterID")) client["adapterID"] = "trapline";
    ok("initialize", std::move(client));
  }
  // Launched, configured and running.
  void launch(json arguments = json::object(), json client = json::object()) {
    initialize(std::move(client));
    arguments["program"] = "/bin/app";
    const int seq = send("launch", std::move(arguments));
    ok("configurationDone");
    REQUIRE(response_to(seq)["success"] == true);
  }
  void launch_and_stop(json arguments = json::object(), json client = json::object()) {
    launch(std::move(arguments), std::move(client));
    control_->stop_at(proto::StopReason::pause);
    control_->deliver();
  }
  // Frame id of main, whose scopes the fake knows.
  int main_frame() { return ok("stackTrace", {{"threadId", 4242}})["stackFrames"][1]["id"].get<int>(); }
  int scope(const std::string& name) {
    const json body = ok("scopes", {{"frameId", main_frame()}});
    for (const auto& one : body["scopes"])
      if (one["name"] == name) return one["variablesReference"].get<int>();
    FAIL("no scope " << name);
    return 0;
  }

  std::vector<json> received;

 private:
  void receive(json message) {
    const auto problem = dap_schema_problem(message);
    CHECK_MESSAGE(!problem.has_value(), problem.value_or(""));
    CHECK(message["seq"].get<int>() > last_received_);
    last_received_ = message["seq"].get<int>();
    received.push_back(std::move(message));
  }

  std::shared_ptr<FakeControl> control_;
  int last_seq_ = 0;
  int last_received_ = 0;

 public:
  std::unique_ptr<dap::Session> session;  // after all that its sender uses
};

}  // namespace trapline::tests
