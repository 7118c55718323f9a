#pragma once
// A debuggee under a Session in this very process: what the live suite speaks. No sleeps: every wait is for an event,
// with a bound; when it passes, the state of every thread is dumped and the debuggee's process group is killed.
#include <asio/io_context.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/os/tracer_thread.hpp"
#include "proto/control.hpp"

namespace trapline::test {

// Where Meson put the fixtures, and where their sources lie.
std::string fixture(std::string_view name);
std::string fixture_source(std::string_view file);
// The line of the comment `MARK: name` in tests/fixtures/FILE; fails the test where there is none, or more than one.
Line mark(std::string_view file, std::string_view name);

struct LiveSettings {
  std::string index_folder{};                  // empty: one of this test program
  std::optional<std::uint64_t> index_worth{};  // none: as users have it
  std::chrono::milliseconds tell_after{400};    // as session::Environment has it
};

class Live {
 public:
  explicit Live();
  explicit Live(const LiveSettings& settings);
  ~Live();
  Live(Live&&) = delete;

  // Launches and holds. `name` is a fixture, or a path.
  static std::unique_ptr<Live> start(std::string_view name, std::vector<std::string> args = {});
  static std::unique_ptr<Live> start(proto::LaunchSpec spec, const LiveSettings& settings = {});
  static std::unique_ptr<Live> attach(pid_t pid, bool stop = false);

  proto::Control& control() { return *control_; }
  pid_t pid() const;
  BreakpointId break_at(std::string_view source, std::string_view mark_name, proto::BreakpointSpec more = {});
  BreakpointId break_on(std::string_view function);
  proto::Stop go_to_stop();  // resume, then the next stop; fails the test when the program ends instead
  proto::Stop next_stop();   // wait only
  proto::Stop step(proto::StepKind kind, proto::StepUnit unit = proto::StepUnit::line);
  proto::ExitStatus go_to_exit();
  proto::ExitStatus wait_exit();
  std::string evaluate(std::string_view expression, std::uint32_t level = 0);
  proto::ValueInfo value(std::string_view expression, std::uint32_t level = 0);
  std::vector<proto::FrameInfo> frames(std::uint32_t count = 0);
  std::vector<std::string> functions(std::uint32_t count = 0);
  std::string output() const { return output_; }    // the program's own, so far
  std::string console() const { return console_; }  // ours
  std::byte byte_in_proc_mem(LoadAddr at) const;    // second path: not through the code under test
  const std::vector<proto::Event>& events() const { return events_; }
  // Runs the loop until `done`; false after `limit`.
  bool run_until(const std::function<bool()>& done, std::chrono::seconds limit = std::chrono::seconds(20));

 private:
  proto::ProcessInfo wait_for_process(const std::function<void(Reply<proto::ProcessInfo>)>& begin);
  [[noreturn]] void give_up(const std::string& waiting_for);

  asio::io_context loop_;
  os::TracerThread tracer_;
  std::unique_ptr<proto::Control> control_;
  proto::Subscription subscription_;
  std::vector<proto::Event> events_;
  std::deque<proto::Stop> stops_;
  std::optional<proto::ExitStatus> exit_;
  std::string output_;
  std::string console_;
  bool launched_ = false;
};

}  // namespace trapline::test
