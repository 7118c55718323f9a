#pragma once
// The debuggers that bench/ compares, each behind the same few questions: trapline and lldb over DAP, gdb over MI.
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace trapline::bench {

class Daemon;

using Seconds = std::chrono::duration<double>;

double median(std::vector<double> values);
double median_of(const std::vector<Seconds>& times);
// Of a process and its descendants, those that run `program` left out. From /proc/PID/smaps_rollup.
long private_kib_of(int pid, const std::string& program);

class Peer {
 public:
  virtual ~Peer() = default;
  virtual std::string name() const = 0;
  // From nothing (the daemon, where there is one, runs) until the program stands in main.
  virtual Seconds launch_to_main(const std::string& program) = 0;
  // From nothing until the program stands at `function` and its innermost frame was answered.
  virtual Seconds ready_at(const std::string& program, const std::string& function) = 0;
  // Private memory, in KiB, of the debugger's processes without the program; between the last two and end().
  virtual long private_kib(const std::string& program) = 0;
  // After launch_to_main: a breakpoint on `function`, then continue until the next stop, `rounds` times.
  virtual std::vector<Seconds> breakpoint_rounds(const std::string& function, int rounds) = 0;
  virtual std::vector<Seconds> step_rounds(int rounds) = 0;  // `next`
  // After ready_at() of a function that main called: children [start, start + count) of main's `variable`, which was
  // listed before. `per_entry`: how many children MI has for one.
  virtual Seconds page_of(const std::string& variable, std::uint64_t start, std::uint64_t count,
                          std::uint64_t per_entry) = 0;
  virtual Seconds attach(int pid) = 0;  // until it answers that it is attached
  virtual Seconds detach() = 0;
  virtual void end() = 0;  // kills what it launched
};

std::unique_ptr<Peer> trapline_peer(const Daemon& daemon);
std::unique_ptr<Peer> lldb_peer(const std::string& adapter, std::vector<std::string> init_commands = {});
std::unique_ptr<Peer> gdb_peer(const std::string& gdb, std::vector<std::string> early_commands = {});

}  // namespace trapline::bench
