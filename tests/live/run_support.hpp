#pragma once
// A debuggee under run::Inferior alone, for the live tests of run/: everything that the Observer is told is written
// down. Every wait has a bound; what is left of a debuggee is killed with the test.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/image/modules.hpp"
#include "daemon/os/proc.hpp"
#include "daemon/os/tracer_thread.hpp"
#include "daemon/run/inferior.hpp"
#include "tests/support/folder.hpp"

namespace trapline::test {

inline const os::OnTracer& tracer() {
  static const os::TracerThread thread;
  return thread.token();
}

inline std::string fixture_path(const std::string& name) { return std::string(FIXTURES "/") + name; }

// The line of `// MARK: name` in a fixture's source.
inline Line mark_line(const std::string& file, const std::string& name) {
  std::ifstream source(std::string(FIXTURE_SOURCES "/") + file);
  std::string text;
  for (std::uint32_t number = 1; std::getline(source, text); ++number)
    if (text.ends_with("MARK: " + name)) return Line{number};
  FAIL("no mark ", name, " in ", file);
  return {};
}

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void short_nap() {
  const timespec nap{.tv_sec = 0, .tv_nsec = 200'000};
  ::nanosleep(&nap, nullptr);
}

// A process that the test starts by itself (to attach to). Reaped by whoever waits: the tracer's sweep may be first.
class Plain {
 public:
  Plain(const Folder& folder, const std::string& name, std::vector<std::string> args, const std::string& tag = "plain")
      : out_(folder / (tag + ".out")), fifo_(folder / (tag + ".in")) {
    args.insert(args.begin(), fixture_path(name));
    std::vector<char*> argv;
    for (auto& a : args) argv.push_back(a.data());
    argv.push_back(nullptr);
    REQUIRE(::mkfifo(fifo_.c_str(), 0600) == 0);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, fifo_.c_str(), O_RDWR, 0);
    posix_spawn_file_actions_addopen(&files, 1, out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    REQUIRE(::posix_spawn(&pid_, argv[0], &files, &attributes, argv.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  ~Plain() {
    if (status_) return;
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGCONT);
    wait(std::chrono::seconds(5));
  }
  Plain(const Plain&) = delete;
  Pid pid() const { return {pid_}; }
  std::string output() const { return slurp(out_); }
  bool says(const std::string& text, std::chrono::seconds bound = std::chrono::seconds(20)) const {
    const auto end = std::chrono::steady_clock::now() + bound;
    while (std::chrono::steady_clock::now() < end) {
      if (output().find(text) != std::string::npos) return true;
      short_nap();
    }
    return false;
  }
  void type(const std::string& text) const { std::ofstream(fifo_) << text << std::flush; }
  void signal(int number) const { REQUIRE(::kill(pid_, number) == 0); }
  // The wait status; nullopt: still alive after the bound.
  std::optional<int> wait(std::chrono::seconds bound = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + bound;
    while (!status_ && std::chrono::steady_clock::now() < end) {
      int status = 0;
      const auto got = ::waitpid(pid_, &status, WNOHANG);
      if (got == pid_) status_ = status;
      if (got == -1) break;
      if (got == 0) short_nap();
    }
    return status_;
  }
  void reaped(int status) { status_ = status; }

 private:
  std::filesystem::path out_, fifo_;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

class Ride : public run::Observer {
 public:
  Ride() = default;
  Ride(const Ride&) = delete;
  ~Ride() override {
    if (inferior && launched_ && inferior->alive()) {
      static_cast<void>(inferior->kill());
      until([&] { return exit.has_value(); }, std::chrono::seconds(5));
    }
  }

  void launch(const std::string& name, std::vector<std::string> args = {}, std::vector<std::string> wrapper = {}) {
    run::LaunchOrder order;
    order.program = name.starts_with('/') ? name : fixture_path(name);
    order.plan.argv = std::move(wrapper);
    order.plan.argv.push_back(order.program);
    for (auto& a : args) order.plan.argv.push_back(std::move(a));
    order.plan.env = {"PATH=/usr/bin:/bin"};
    order.plan.stdout_path = folder / "out";
    auto made = run::Inferior::launch(tracer(), std::move(order), modules, folder.path(), *this);
    REQUIRE_MESSAGE(made, (made ? "" : made.error().message));
    launched_ = true;
    take(*std::move(made));
  }
  void attach(Pid pid) {
    auto made = run::Inferior::attach(tracer(), pid, modules, folder.path(), *this);
    REQUIRE_MESSAGE(made, (made ? "" : made.error().message));
    take(*std::move(made));
  }
  void take(std::unique_ptr<run::Inferior> made) {
    inferior = std::move(made);
    load();
  }
  void load() {
    modules.clear();
    auto loaded = modules.load_process(inferior->pid(), inferior->memory());
    REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().message));
    static_cast<void>(modules.refresh(inferior->pid(), inferior->memory()));
  }

  LoadAddr symbol(const std::string& name) const {
    const auto at = modules.symbol_address(name);
    REQUIRE_MESSAGE(at, name);
    return *at;
  }
  void site(LoadAddr at, std::uint32_t id = 1, bool add = true, trap::OwnerKind kind = trap::OwnerKind::breakpoint) {
    const run::Inferior::SiteEdit edit{.at = at, .owner = {kind, id}, .add = add};
    const auto done = inferior->edit_sites(std::span(&edit, 1));
    REQUIRE_MESSAGE(done.at(0), (done.at(0) ? "" : done.at(0).error().message));
  }
  std::byte byte_in_proc_mem(LoadAddr at) const {
    std::byte byte{};
    const int fd = ::open(fmt::format("/proc/{}/mem", inferior->pid().value).c_str(), O_RDONLY | O_CLOEXEC);
    CHECK(::pread(fd, &byte, 1, static_cast<off_t>(at.value)) == 1);
    ::close(fd);
    return byte;
  }

  // Pumps until `done`; false: not within the bound.
  bool until(const std::function<bool()>& done, std::chrono::seconds bound = std::chrono::seconds(30)) {
    const auto end = std::chrono::steady_clock::now() + bound;
    for (;;) {
      if (done()) return true;
      inferior->pump();
      if (done()) return true;
      if (std::chrono::steady_clock::now() > end) return false;
      short_nap();
    }
  }
  void go() {
    auto went = inferior->resume_all();
    REQUIRE_MESSAGE(went, (went ? "" : went.error().message));
  }
  run::StopReport stop(std::chrono::seconds bound = std::chrono::seconds(30)) {
    REQUIRE_MESSAGE(until([&] { return !stops.empty() || exit; }, bound), "no stop within the bound");
    REQUIRE_MESSAGE(!stops.empty(), "the program ended");
    auto report = stops.front();
    stops.erase(stops.begin());
    return report;
  }
  run::StopReport go_to_stop() {
    go();
    return stop();
  }
  int go_to_exit() {
    go();
    return wait_exit();
  }
  int wait_exit() {
    REQUIRE_MESSAGE(until([&] { return exit.has_value(); }), "no exit within the bound");
    return *exit;
  }
  std::string output() const { return slurp(folder / "out"); }
  std::uint64_t hits(std::uint32_t id) const {
    const auto found = hit_counts.find(id);
    return found == hit_counts.end() ? 0 : found->second;
  }

  // run::Observer
  run::SiteVerdict at_site(Tid thread, LoadAddr pc, std::span<const trap::Owner> owners) override {
    for (const auto& owner : owners) hit_counts[owner.id]++;
    if (on_site) return on_site(thread, pc, owners);
    run::SiteVerdict verdict;
    for (const auto& owner : owners)
      if (owner.kind == trap::OwnerKind::breakpoint && stop_at_sites) verdict.stop_for.push_back(owner);
    return verdict;
  }
  run::SignalVerdict on_signal(Tid, const siginfo_t& info) override {
    signals.push_back(info.si_signo);
    if (signal_verdict) return signal_verdict(info);
    return {.stop = false, .pass = true};
  }
  void stopped(const run::StopReport& report) override {
    stops.push_back(report);
    for (const auto tid : inferior->threads())
      if (!inferior->is_stopped(tid)) left_running.push_back(tid);
  }
  void thread_started(Tid) override { started++; }
  void thread_exited(Tid) override { ended++; }
  void executed(const std::string& program) override {
    executions.push_back(program);
    if (on_exec) on_exec();
  }
  void forked(Pid child) override { children.push_back(child); }
  void exited(int code, int signal, bool) override { exit = signal != 0 ? 1000 + signal : code; }
  void warned(const std::string& text) override { warnings.push_back(text); }

  Folder folder;
  image::Modules modules{sym::SearchOptions{}};
  std::unique_ptr<run::Inferior> inferior;
  std::function<run::SiteVerdict(Tid, LoadAddr, std::span<const trap::Owner>)> on_site;
  std::function<run::SignalVerdict(const siginfo_t&)> signal_verdict;
  std::function<void()> on_exec;
  bool stop_at_sites = true;
  std::map<std::uint32_t, std::uint64_t> hit_counts;
  std::vector<int> signals;
  std::vector<run::StopReport> stops;
  std::vector<Tid> left_running;
  std::vector<std::string> executions, warnings;
  std::vector<Pid> children;
  int started = 0, ended = 0;
  std::optional<int> exit;  // 1000 + signal for a death by one

 private:
  bool launched_ = false;
};

}  // namespace trapline::test
