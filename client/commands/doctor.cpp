// doctor: what this machine allows, and the fix for each no.
#include <fmt/format.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/commands/commands.hpp"
#include "client/text.hpp"

namespace trapline::client {
namespace {

struct Finding {
  std::string what;
  bool good = false;
  std::string detail;
  std::string fix;
};

std::string file_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool has_capability(int number) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("CapEff:")) return (std::stoull(line.substr(7), nullptr, 16) >> number) & 1;
  return false;
}

Finding ptrace_scope() {
  constexpr int cap_sys_ptrace = 19;
  const auto scope = file_line("/proc/sys/kernel/yama/ptrace_scope");
  const bool capable = has_capability(cap_sys_ptrace);
  Finding finding{.what = "attach to processes of this user", .good = true, .detail = {}, .fix = {}};
  if (scope.empty() || scope == "0")
    finding.detail = scope.empty() ? "Yama is not in this kernel" : "kernel.yama.ptrace_scope is 0";
  else {
    finding.good = capable && scope != "3";
    finding.detail =
        fmt::format("kernel.yama.ptrace_scope is {}{}", scope, capable ? ", and CAP_SYS_PTRACE is there" : "");
    finding.fix = scope == "3" ? "it is locked until the next boot; remove it from /etc/sysctl.d"
                               : "sudo sysctl kernel.yama.ptrace_scope=0 (launching works without)";
  }
  return finding;
}

Finding other_users() {
  constexpr int cap_sys_ptrace = 19;
  const bool capable = has_capability(cap_sys_ptrace);
  return {.what = "attach to other users' processes",
          .good = capable,
          .detail = capable ? "CAP_SYS_PTRACE is there" : "no CAP_SYS_PTRACE",
          .fix = "run traplined with sudo, or: setcap cap_sys_ptrace+ep traplined"};
}

// Slots are counted by taking them with perf events on this very process: no debuggee is needed.
Finding hardware_slots() {
  static std::array<char, 64> target{};
  std::vector<int> taken;
  int problem = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_BREAKPOINT;
    attributes.size = sizeof attributes;
    attributes.bp_type = HW_BREAKPOINT_W;
    attributes.bp_addr = reinterpret_cast<std::uint64_t>(target.data() + i * 8);
    attributes.bp_len = HW_BREAKPOINT_LEN_8;
    attributes.exclude_kernel = 1;
    const auto fd = static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
    if (fd < 0) {
      problem = errno;
      break;
    }
    taken.push_back(fd);
  }
  for (const int fd : taken) ::close(fd);
  if (taken.empty() && (problem == EACCES || problem == EPERM))
    return {.what = "hardware breakpoint slots",
            .good = true,
            .detail = "cannot be counted (perf_event_paranoid); ptrace may still use them",
            .fix = {}};
  return {.what = "hardware breakpoint slots",
          .good = !taken.empty(),
          .detail = fmt::format("{} a thread", taken.size()),
          .fix = "this CPU or its hypervisor has no debug registers to give"};
}

Finding libc_debug_info() {
  std::error_code ignored;
  const bool there = std::filesystem::exists("/usr/lib/debug/.build-id", ignored);
  return {.what = "debug information of system libraries",
          .good = there,
          .detail = there ? "/usr/lib/debug/.build-id is there" : "none in /usr/lib/debug",
          .fix = "apt install libc6-dbg (stacks work without; libc's lines and locals do not)"};
}

Finding randomisation() {
  const auto value = file_line("/proc/sys/kernel/randomize_va_space");
  return {.what = "same addresses in every launch",
          .good = true,
          .detail = fmt::format("randomize_va_space is {}; launches turn it off for themselves", value),
          .fix = {}};
}

Finding core_pattern() {
  const auto pattern = file_line("/proc/sys/kernel/core_pattern");
  return {
      .what = "core dumps", .good = !pattern.empty(), .detail = fmt::format("core_pattern is {}", pattern), .fix = {}};
}

// The one that counts: a program is launched through the daemon and stands at its first instruction.
Finding real_launch(const Common& common) {
  Finding finding{.what = "launch a program and stop it", .good = false, .detail = {}, .fix = {}};
  auto connection = connect_or_start(common.where);
  if (!connection) {
    finding.detail = connection.error().message;
    finding.fix = connection.error().hint;
    return finding;
  }
  const auto launched =
      (*connection)->call("session.launch", {{"program", "/bin/true"}, {"console", "internalConsole"}});
  finding.good = launched.has_value();
  finding.detail = launched ? "a daemon answers, ptrace works" : launched.error().message;
  if (!launched) finding.fix = launched.error().hint;
  return finding;
}

}  // namespace

int doctor_verb(const Common& common) {
  const std::vector<Finding> findings{real_launch(common), ptrace_scope(),  other_users(), hardware_slots(),
                                      libc_debug_info(),   randomisation(), core_pattern()};
  const Paint paint(::isatty(STDOUT_FILENO) == 1);
  Json all = Json::array();
  for (const auto& finding : findings) {
    all.push_back({{"what", finding.what},
                   {"ok", finding.good},
                   {"detail", finding.detail},
                   {"fix", finding.good ? "" : finding.fix}});
    if (common.json) continue;
    fmt::print("{}  {:<42} {}\n", finding.good ? paint.green("ok") : paint.red("no"), finding.what, finding.detail);
    if (!finding.good && !finding.fix.empty()) fmt::print("    fix: {}\n", finding.fix);
  }
  if (common.json) fmt::print("{}\n", all.dump());
  return findings.front().good ? 0 : 1;
}

}  // namespace trapline::client
