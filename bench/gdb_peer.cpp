#include <fmt/format.h>

#include <optional>
#include <stdexcept>

#include "bench/channel.hpp"
#include "bench/peer.hpp"

namespace trapline::bench {
namespace {

using Clock = std::chrono::steady_clock;

// gdb of Debian 12 has no DAP: its machine interface is what cpptools speaks, so that is what its users wait for.
class GdbPeer final : public Peer {
 public:
  GdbPeer(std::string gdb, std::vector<std::string> early_commands)
      : gdb_(std::move(gdb)), early_commands_(std::move(early_commands)) {}
  std::string name() const override { return "gdb (MI)"; }

  Seconds launch_to_main(const std::string& program) override {
    const auto begin = Clock::now();
    launch_to(program, "main");
    return Clock::now() - begin;
  }

  Seconds ready_at(const std::string& program, const std::string& function) override {
    const auto begin = Clock::now();
    launch_to(program, function);
    command("-stack-list-frames 0 0");
    return Clock::now() - begin;
  }

  long private_kib(const std::string& program) override { return private_kib_of(channel_->pid(), program); }

  std::vector<Seconds> breakpoint_rounds(const std::string& function, int rounds) override {
    command("-break-insert " + function);
    return repeat(rounds, "-exec-continue");
  }

  std::vector<Seconds> step_rounds(int rounds) override {
    command("-break-delete");
    return repeat(rounds, "-exec-next");
  }

  Seconds page_of(const std::string& variable, std::uint64_t start, std::uint64_t count,
                  std::uint64_t per_entry) override {
    command("-enable-pretty-printing");
    command(fmt::format("-var-create --thread 1 --frame 1 page * {}", variable));
    const auto begin = Clock::now();
    const auto page = command(
        fmt::format("-var-list-children --all-values page {} {}", start * per_entry, (start + count) * per_entry));
    const auto took = Clock::now() - begin;
    std::uint64_t found = 0;
    for (std::size_t at = 0; (at = page.find("child={", at)) != std::string::npos; ++at) ++found;
    if (found != count * per_entry) throw std::runtime_error(fmt::format("{} children", found));
    return took;
  }

  Seconds attach(int pid) override {
    start({gdb_, "-q", "-nx", "-i=mi2"});
    const auto begin = Clock::now();
    command(fmt::format("-target-attach {}", pid));
    return Clock::now() - begin;
  }

  Seconds detach() override {
    const auto begin = Clock::now();
    command("-target-detach");
    const auto took = Clock::now() - begin;
    channel_.reset();
    return took;
  }

  void end() override {
    if (!channel_) return;
    send("kill");
    channel_.reset();
  }

 private:
  void launch_to(const std::string& program, const std::string& function) {
    std::vector<std::string> argv{gdb_, "-q", "-nx", "-i=mi2"};
    for (const auto& text : early_commands_) argv.insert(argv.end(), {"-iex", text});
    argv.push_back(program);
    start(argv);
    command("-break-insert " + function);
    send("-exec-run");
    wait("*stopped");
  }
  void start(const std::vector<std::string>& argv) {
    channel_.reset();
    channel_.emplace(Channel::program(argv));
    command("-gdb-set confirm off");
  }
  void send(const std::string& text) { channel_->write(text + "\n"); }
  std::string wait(std::string_view prefix) {
    for (;;) {
      const auto line = channel_->read_line();
      if (line.starts_with("^error")) throw std::runtime_error("gdb: " + line);
      if (line.starts_with(prefix)) return line;
    }
  }
  std::string command(const std::string& text) {
    send(text);
    return wait("^done");
  }
  std::vector<Seconds> repeat(int rounds, const std::string& text) {
    std::vector<Seconds> times;
    for (int i = 0; i < rounds; ++i) {
      const auto begin = Clock::now();
      send(text);
      wait("*stopped");
      times.emplace_back(Clock::now() - begin);
    }
    return times;
  }

  std::string gdb_;
  std::vector<std::string> early_commands_;
  std::optional<Channel> channel_;
};

}  // namespace

std::unique_ptr<Peer> gdb_peer(const std::string& gdb, std::vector<std::string> early_commands) {
  return std::make_unique<GdbPeer>(gdb, std::move(early_commands));
}

}  // namespace trapline::bench
