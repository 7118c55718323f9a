// Replays the transcripts in tests/golden/dap against a session on the fake Control. A line is
//
//   # a comment
//   > COMMAND [ARGUMENTS]       the client's request; requests are numbered 1, 2, 3 ...
//   >> MESSAGE                  a whole message, as it is
//   >r {"success": ..., ...}    the client's response to our last request
//   ! ACTION ...                what the debuggee does (see act())
//   = CALL                      a call that reached the Control
//   < response COMMAND [BODY]   < failure COMMAND {"message","error"}   < event NAME [BODY]   < request COMMAND
//   ARGUMENTS
//
// Every line that the session causes must stand in the file, in this order: calls of a step first, then messages.
// "*" as a JSON value matches anything. With TRAPLINE_GOLDEN_UPDATE set, the files are rewritten with what happened;
// look at the difference before you commit it.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/dap_tester.hpp"

using namespace trapline;
using namespace trapline::tests;

namespace {

std::string first_word(std::string& rest) {
  std::istringstream in(rest);
  std::string word;
  in >> word;
  std::getline(in >> std::ws, rest);
  if (!in) rest.clear();
  return word;
}

json parsed(const std::string& text) { return text.empty() ? json() : json::parse(text); }

std::string with_json(std::string text, const json& value) {
  return value.is_null() ? text : text + " " + value.dump();
}

std::string line_of(const json& message) {
  const std::string type = message["type"];
  if (type == "event")
    return with_json("< event " + message["event"].get<std::string>(), message.value("body", json()));
  const std::string command = message["command"];
  if (type == "request") return with_json("< request " + command, message["arguments"]);
  if (message["success"] == true) return with_json("< response " + command, message.value("body", json()));
  return with_json("< failure " + command, {{"message", message["message"]}, {"error", message["body"]["error"]}});
}

bool same(const json& expected, const json& actual) {
  if (expected == "*") return true;
  if (expected.type() != actual.type() || expected.size() != actual.size()) return expected == actual;
  if (expected.is_object()) {
    for (const auto& [key, value] : expected.items())
      if (!actual.contains(key) || !same(value, actual[key])) return false;
    return true;
  }
  if (expected.is_array()) {
    for (std::size_t i = 0; i < expected.size(); ++i)
      if (!same(expected[i], actual[i])) return false;
    return true;
  }
  return expected == actual;
}

// Words alike, and the JSON that follows them the same.
bool matches(const std::string& expected, const std::string& actual) {
  if (expected == actual) return true;
  const auto at = expected.find_first_of("{[\"");
  if (at == std::string::npos || actual.compare(0, at, expected, 0, at) != 0) return false;
  return same(json::parse(expected.substr(at)), json::parse(actual.substr(at)));
}

class Transcript {
 public:
  // Sends or acts; gives the lines that it caused.
  std::vector<std::string> step(const std::string& line) {
    std::string rest = line;
    const auto mark = first_word(rest);
    if (mark == ">") {
      const auto command = first_word(rest);
      client_.send(command, parsed(rest));
    } else if (mark == ">>") {
      client_.give(json::parse(rest));
    } else if (mark == ">r") {
      client_.give(answer_to_last_request(json::parse(rest)));
    } else {
      act(rest);
      client_.control().deliver();
    }
    return caused();
  }

 private:
  void act(std::string rest) {
    auto& fake = client_.control();
    const auto action = first_word(rest);
    std::istringstream in(rest);
    if (action == "stop") {
      static const std::map<std::string, proto::StopReason> reasons{
          {"entry", proto::StopReason::entry}, {"breakpoint", proto::StopReason::breakpoint},
          {"step", proto::StopReason::step},   {"pause", proto::StopReason::pause},
          {"exec", proto::StopReason::exec},   {"attach", proto::StopReason::attach}};
      std::string reason;
      pid_t thread = 4242;
      in >> reason >> thread;
      std::vector<BreakpointId> hit;
      for (std::int32_t id = 0; in >> id;) hit.push_back({id});
      fake.stop_at(reasons.at(reason), {thread}, hit);
    } else if (action == "signal") {
      proto::Stop stop;
      stop.reason = proto::StopReason::signal;
      stop.thread = {4242};
      in >> stop.signal;
      fake.stop_with(stop);
    } else if (action == "exit" || action == "killed") {
      int number = 0;
      in >> number;
      fake.exit_with(action == "exit" ? proto::ExitStatus{number, 0, false} : proto::ExitStatus{0, number, false});
    } else if (action == "detached") {
      fake.emit(proto::DetachedEvent{});
    } else if (action == "output") {
      static const std::map<std::string, proto::OutputCategory> categories{{"out", proto::OutputCategory::out},
                                                                           {"err", proto::OutputCategory::err},
                                                                           {"console", proto::OutputCategory::console}};
      std::string category, text;
      in >> category;
      std::getline(in >> std::ws, text);
      fake.emit(proto::OutputEvent{categories.at(category), json::parse(text).get<std::string>(), "", {}});
    } else if (action == "thread") {
      std::string what;
      pid_t thread = 0;
      in >> what >> thread;
      fake.emit(proto::ThreadEvent{{thread}, what == "started"});
    } else if (action == "bind") {
      std::int32_t id = 0;
      in >> id;
      fake.bind({id});
    } else if (action == "later") {
      fake.answers_later = true;
    } else if (action == "ready") {
      fake.answer(fake.process_info(proto::StartMethod::launch));
    } else if (action == "terminal") {
      fake.launched.open_terminal(
          {.kind = fake.launched.console, .title = "app", .cwd = "/w", .args = {"helper"}, .env = {}},
          [&fake](const Result<void>& opened) {
            fake.calls.push_back(opened ? "terminal opened" : "no terminal: " + opened.error().message);
          });
    } else if (action == "fail") {
      std::string verb, text;
      int code = 0;
      in >> verb >> code;
      std::getline(in >> std::ws, text);
      fake.failures[verb] = an_error(static_cast<Errc>(code), text);
    } else if (action == "closed") {
      std::string others;
      in >> others;
      client_.session->on_closed(others == "some" ? dap::Others::some : dap::Others::none);
    } else {
      FAIL("unknown action: " << action);
    }
  }

  json answer_to_last_request(json answer) const {
    json message{{"seq", 9000}, {"type", "response"}};
    for (const auto& one : client_.received) {
      if (one["type"] != "request") continue;
      message["request_seq"] = one["seq"];
      message["command"] = one["command"];
    }
    message.update(answer);
    return message;
  }

  std::vector<std::string> caused() {
    std::vector<std::string> lines;
    auto& calls = client_.control().calls;
    for (; calls_shown_ < calls.size(); ++calls_shown_) lines.push_back("= " + calls[calls_shown_]);
    for (; messages_shown_ < client_.received.size(); ++messages_shown_)
      lines.push_back(line_of(client_.received[messages_shown_]));
    return lines;
  }

  DapTester client_;
  std::size_t calls_shown_ = 0;
  std::size_t messages_shown_ = 0;
};

std::vector<std::string> read_lines(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

void replay(const std::filesystem::path& path) {
  const bool update = std::getenv("TRAPLINE_GOLDEN_UPDATE") != nullptr;
  const auto lines = read_lines(path);
  Transcript transcript;
  std::vector<std::string> actual;  // what is still to be matched
  std::vector<std::string> rewritten;
  const auto nothing_left = [&] {
    CHECK_MESSAGE(actual.empty(), path.filename().string(),
                  ": not in the file: ", actual.empty() ? "" : actual.front());
  };
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& line = lines[i];
    const bool expectation = line.starts_with("<") || line.starts_with("=");
    if (expectation) {
      if (update) continue;
      const std::string got = actual.empty() ? "nothing" : actual.front();
      REQUIRE_MESSAGE((!actual.empty() && matches(line, got)), path.filename().string(), ":", i + 1, "\n  expected ",
                      line, "\n  got      ", got);
      actual.erase(actual.begin());
      continue;
    }
    if (!update) nothing_left();
    rewritten.push_back(line);
    if (line.empty() || line.starts_with("#")) continue;
    actual = transcript.step(line);
    rewritten.insert(rewritten.end(), actual.begin(), actual.end());
  }
  if (!update) return nothing_left();
  std::ofstream file(path);
  for (const auto& line : rewritten) file << line << '\n';
}

}  // namespace

TEST_CASE("transcripts") {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(TL_TRANSCRIPTS)) files.push_back(entry.path());
  std::ranges::sort(files);
  REQUIRE(files.size() >= 8);
  for (const auto& file : files) {
    CAPTURE(file.filename().string());
    replay(file);
  }
}
