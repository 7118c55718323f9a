#include <fmt/format.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "bench/channel.hpp"
#include "bench/daemon.hpp"
#include "bench/peer.hpp"

namespace trapline::bench {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

// Spelt out: braces alone make an object of what is meant as an array of one.
Json stop_at(const std::string& function) {
  Json arguments = Json::object();
  arguments["breakpoints"] = Json::array();
  arguments["breakpoints"].push_back(Json{{"name", function}});
  return arguments;
}

class DapPeer final : public Peer {
 public:
  // `debugger`: the process whose memory counts; 0: that of the channel.
  DapPeer(std::string name, std::function<Channel()> open, int debugger, std::vector<std::string> init_commands)
      : name_(std::move(name)), open_(std::move(open)), debugger_(debugger), init_commands_(std::move(init_commands)) {}
  std::string name() const override { return name_; }

  Seconds launch_to_main(const std::string& program) override {
    const auto begin = Clock::now();
    const auto pending = launch_to(program, "main");
    const auto took = Clock::now() - begin;
    for (const int request : pending) await(request);
    return took;
  }

  Seconds ready_at(const std::string& program, const std::string& function) override {
    const auto begin = Clock::now();
    const auto pending = launch_to(program, function);
    await(request("stackTrace", {{"threadId", thread_}, {"startFrame", 0}, {"levels", 1}}));
    const auto took = Clock::now() - begin;
    for (const int request : pending) await(request);
    return took;
  }

  long private_kib(const std::string& program) override {
    return private_kib_of(debugger_ ? debugger_ : channel_->pid(), program);
  }

  std::vector<Seconds> breakpoint_rounds(const std::string& function, int rounds) override {
    await(request("setFunctionBreakpoints", stop_at(function)));
    return repeat(rounds, "continue");
  }

  std::vector<Seconds> step_rounds(int rounds) override {
    await(request("setFunctionBreakpoints", {{"breakpoints", Json::array()}}));
    return repeat(rounds, "next");
  }

  Seconds page_of(const std::string& variable, std::uint64_t start, std::uint64_t count,
                  std::uint64_t /*per_entry*/) override {
    const auto frames =
        answer(request("stackTrace", {{"threadId", thread_}, {"startFrame", 0}, {"levels", 2}}))["stackFrames"];
    const auto scopes = answer(request("scopes", {{"frameId", frames.at(1)["id"]}}))["scopes"];
    const auto locals =
        answer(request("variables", {{"variablesReference", scopes.at(0)["variablesReference"]}}))["variables"];
    for (const auto& each : locals) {
      if (each["name"] != variable) continue;
      Json wanted{{"variablesReference", each["variablesReference"]}, {"start", start}, {"count", count}};
      if (each.value("indexedVariables", 0) > 0) wanted["filter"] = "indexed";
      const auto begin = Clock::now();
      const auto page = answer(request("variables", std::move(wanted)))["variables"];
      const auto took = Clock::now() - begin;
      if (page.size() != count) throw std::runtime_error(fmt::format("{} children", page.size()));
      return took;
    }
    throw std::runtime_error("no " + variable);
  }

  Seconds attach(int pid) override {
    start();
    const auto begin = Clock::now();
    const auto attached = request("attach", {{"pid", pid}});
    wait_event("initialized");
    const auto configured = request("configurationDone", Json::object());
    await(attached);
    const auto took = Clock::now() - begin;
    await(configured);
    launched_ = false;
    return took;
  }

  Seconds detach() override {
    const auto begin = Clock::now();
    await(request("disconnect", {{"terminateDebuggee", false}}));
    const auto took = Clock::now() - begin;
    channel_.reset();
    return took;
  }

  void end() override {
    if (!channel_) return;
    await(request("disconnect", {{"terminateDebuggee", launched_}}));
    channel_.reset();
  }

 private:
  // Returns the requests that are still to be answered: some adapters answer launch before the stop, some after.
  std::vector<int> launch_to(const std::string& program, const std::string& function) {
    start();
    Json arguments{{"program", program}, {"console", "internalConsole"}, {"stopOnEntry", false}};
    if (!init_commands_.empty()) arguments["initCommands"] = init_commands_;
    const auto launch = request("launch", std::move(arguments));
    wait_event("initialized");
    await(request("setFunctionBreakpoints", stop_at(function)));
    const auto configured = request("configurationDone", Json::object());
    wait_stopped();
    launched_ = true;
    return {launch, configured};
  }

  void start() {
    channel_.reset();
    channel_.emplace(open_());
    events_.clear();
    responses_.clear();
    await(request("initialize", {{"adapterID", "bench"}, {"linesStartAt1", true}, {"pathFormat", "path"}}));
  }

  int request(const std::string& command, Json arguments) {
    const int seq = ++seq_;
    const auto body =
        Json{{"seq", seq}, {"type", "request"}, {"command", command}, {"arguments", std::move(arguments)}}.dump();
    channel_->write(fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body));
    return seq;
  }

  void read_message() {
    std::size_t length = 0;
    for (std::string line; !(line = channel_->read_line()).empty();)
      if (line.starts_with("Content-Length:")) length = std::stoul(line.substr(15));
    auto message = Json::parse(channel_->read_bytes(length));
    if (message["type"] == "response")
      responses_.insert_or_assign(message["request_seq"].get<int>(), message);
    else if (message["type"] == "event" && message["event"] != "output" && message["event"] != "module" &&
             message["event"] != "thread")
      events_.push_back(std::move(message));
  }

  void await(int seq) { answer(seq); }
  Json answer(int seq) {
    while (!responses_.contains(seq)) read_message();
    auto message = std::move(responses_[seq]);
    responses_.erase(seq);
    if (!message.value("success", false)) throw std::runtime_error(name_ + ": " + message.dump());
    return message.value("body", Json::object());
  }

  Json wait_event(const std::string& event) {
    for (;;) {
      for (auto it = events_.begin(); it != events_.end(); ++it) {
        if ((*it)["event"] != event) continue;
        auto found = *it;
        events_.erase(it);
        return found;
      }
      read_message();
    }
  }

  void wait_stopped() { thread_ = wait_event("stopped")["body"].value("threadId", 0); }

  std::vector<Seconds> repeat(int rounds, const std::string& command) {
    std::vector<Seconds> times;
    for (int i = 0; i < rounds; ++i) {
      const auto begin = Clock::now();
      const int seq = request(command, {{"threadId", thread_}});
      wait_stopped();
      times.emplace_back(Clock::now() - begin);
      await(seq);
    }
    return times;
  }

  std::string name_;
  std::function<Channel()> open_;
  int debugger_ = 0;
  std::vector<std::string> init_commands_;
  std::optional<Channel> channel_;
  std::vector<Json> events_;
  std::map<int, Json> responses_;
  int seq_ = 0;
  int thread_ = 0;
  bool launched_ = false;
};

}  // namespace

std::unique_ptr<Peer> trapline_peer(const Daemon& daemon) {
  return std::make_unique<DapPeer>(
      "trapline", [socket = daemon.socket()] { return Channel::unix_socket(socket); }, daemon.pid(),
      std::vector<std::string>{});
}

std::unique_ptr<Peer> lldb_peer(const std::string& adapter, std::vector<std::string> init_commands) {
  return std::make_unique<DapPeer>(
      "lldb-dap", [adapter] { return Channel::program({adapter}); }, 0, std::move(init_commands));
}

}  // namespace trapline::bench
