#pragma once
// The debuggers that bench/ compares, each behind the same few questions: trapline and lldb over DAP, gdb over MI.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace trapline::bench {

using Seconds = std::chrono::duration<double>;

class Peer {
 public:
  virtual ~Peer() = default;
  virtual std::string name() const = 0;
  // From nothing (the daemon, where there is one, runs) until the program stands in main.
  virtual Seconds launch_to_main(const std::string& program) = 0;
  // After launch_to_main: a breakpoint on `function`, then continue until the next stop, `rounds` times.
  virtual std::vector<Seconds> breakpoint_rounds(const std::string& function, int rounds) = 0;
  virtual std::vector<Seconds> step_rounds(int rounds) = 0;  // `next`
  virtual Seconds attach(int pid) = 0;                       // until it answers that it is attached
  virtual Seconds detach() = 0;
  virtual void end() = 0;  // kills what it launched
};

std::unique_ptr<Peer> trapline_peer(const std::string& socket);
std::unique_ptr<Peer> lldb_peer(const std::string& adapter);
std::unique_ptr<Peer> gdb_peer(const std::string& gdb);

}  // namespace trapline::bench
