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
  explicit GdbPeer(std::string gdb) : gdb_(std::move(gdb)) {}
  std::string name() const override { return "gdb (MI)"; }

  Seconds launch_to_main(const std::string& program) override {
    const auto begin = Clock::now();
    start({gdb_, "-q", "-nx", "-i=mi2", program});
    command("-break-insert main");
    send("-exec-run");
    wait("*stopped");
    return Clock::now() - begin;
  }

  std::vector<Seconds> breakpoint_rounds(const std::string& function, int rounds) override {
    command("-break-insert " + function);
    return repeat(rounds, "-exec-continue");
  }

  std::vector<Seconds> step_rounds(int rounds) override {
    command("-break-delete");
    return repeat(rounds, "-exec-next");
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
  void start(const std::vector<std::string>& argv) {
    channel_.reset();
    channel_.emplace(Channel::program(argv));
    command("-gdb-set confirm off");
  }
  void send(const std::string& text) { channel_->write(text + "\n"); }
  void wait(std::string_view prefix) {
    for (;;) {
      const auto line = channel_->read_line();
      if (line.starts_with("^error")) throw std::runtime_error("gdb: " + line);
      if (line.starts_with(prefix)) return;
    }
  }
  void command(const std::string& text) {
    send(text);
    wait("^done");
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
  std::optional<Channel> channel_;
};

}  // namespace

std::unique_ptr<Peer> gdb_peer(const std::string& gdb) { return std::make_unique<GdbPeer>(gdb); }

}  // namespace trapline::bench
