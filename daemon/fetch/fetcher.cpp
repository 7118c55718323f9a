#include "daemon/fetch/fetcher.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "daemon/util/fd.hpp"
#include "daemon/util/log.hpp"

namespace trapline::fetch {
namespace {

constexpr std::size_t longest_line = 65536;  // no path and no address is longer

class Spawning {
 public:
  Spawning(int out) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, out, STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  Spawning(const Spawning&) = delete;
  ~Spawning() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  int spawn(const std::string& program, std::vector<std::string> words, std::vector<std::string> variables,
            pid_t& pid) const {
    const auto pointers = [](std::vector<std::string>& texts) {
      std::vector<char*> list;
      for (auto& text : texts) list.push_back(text.data());
      list.push_back(nullptr);
      return list;
    };
    const auto argv = pointers(words);
    const auto envp = pointers(variables);
    return ::posix_spawn(&pid, program.c_str(), &actions_, &attributes_, argv.data(), envp.data());
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

struct Fetcher::Running {
  explicit Running(asio::io_context& loop, int fd) : stream(loop, fd) {}
  asio::posix::stream_descriptor stream;
  pid_t pid = 0;
  util::Fd process;  // a pidfd: the pid may be another's once somebody has reaped ours
  std::array<char, 4096> buffer{};
  std::string unread;
  std::string url;
  Progress progress;
  Done done;
  bool over = false;
};

Fetcher::Fetcher(asio::io_context& loop, std::string executable) : loop_(loop), executable_(std::move(executable)) {}

Fetcher::~Fetcher() {
  if (running_) end(*running_);
  reap();
}

Result<void> Fetcher::start(const Order& order, Progress progress, Done done) {
  if (executable_.empty()) return fail(Errc::not_available, "there is no program to fetch with");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(Errc::os, "pipe for a download", errno);
  util::Fd read_end(ends[0]);
  const util::Fd write_end(ends[1]);
  std::vector<std::string> words{"traplined", "--fetch", order.source.empty() ? "debuginfo" : "source", order.build_id};
  if (!order.source.empty()) words.push_back(order.source);
  pid_t pid = 0;
  if (const int problem = Spawning(write_end.get()).spawn(executable_, words, environment_with(order.settings), pid))
    return fail(Errc::os, fmt::format("cannot run {}: {}", executable_, std::strerror(problem)), problem);
  running_ = std::make_shared<Running>(loop_, read_end.release());
  running_->pid = pid;
  running_->process = util::Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  running_->progress = std::move(progress);
  running_->done = std::move(done);
  read_on(running_);
  return {};
}

void Fetcher::read_on(const std::shared_ptr<Running>& running) {
  running->stream.async_read_some(asio::buffer(running->buffer),
                                  [this, running](std::error_code problem, std::size_t size) {
                                    if (running->over) return;  // `this` may be gone
                                    if (problem)
                                      return finish(running, fail(Errc::os, "the process that fetches ended early"));
                                    running->unread.append(running->buffer.data(), size);
                                    for (auto at = running->unread.find('\n');
                                         at != std::string::npos && !running->over; at = running->unread.find('\n')) {
                                      const auto line = running->unread.substr(0, at);
                                      running->unread.erase(0, at + 1);
                                      take(running, line);
                                    }
                                    if (running->over) return;
                                    if (running->unread.size() > longest_line)
                                      return finish(running, fail(Errc::internal, "a line without an end"));
                                    read_on(running);
                                  });
}

void Fetcher::take(const std::shared_ptr<Running>& running, const std::string& line) {
  const auto said = read_line(line);
  switch (said.what) {
    case Said::What::nothing: break;
    case Said::What::at: return running->progress(said.done, said.all);
    case Said::What::from: running->url = said.text; break;
    case Said::What::found: return finish(running, said.text);
    case Said::What::failed: return finish(running, std::unexpected(error_of(said.os_errno, running->url)));
  }
}

// What is called may start the next one.
void Fetcher::finish(const std::shared_ptr<Running>& running, Result<std::string> result) {
  end(*running);
  running_.reset();
  reap();
  const auto done = std::move(running->done);
  done(std::move(result));
}

// The process sees that nobody reads, and the signal; either ends it.
void Fetcher::end(Running& running) {
  running.over = true;
  std::error_code ignored;
  running.stream.close(ignored);
  if (running.process) ::syscall(SYS_pidfd_send_signal, running.process.get(), SIGTERM, nullptr, 0);
  ended_.push_back(running.pid);
}

void Fetcher::cancel() {
  if (const auto running = running_) finish(running, std::unexpected(error_of(ECANCELED, {})));
}

void Fetcher::reap() {
  std::erase_if(ended_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
}

}  // namespace trapline::fetch
