// Source: ptrace(2) "Ptrace access mode checking", kernel Documentation/admin-guide/LSM/Yama.rst.
#include "daemon/os/attachable.hpp"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "daemon/os/proc_files.hpp"
#include "daemon/util/fd.hpp"

namespace trapline::os {
namespace {

constexpr int yama_restricted = 1;
constexpr int yama_admin_only = 2;
constexpr int yama_no_attach = 3;

Error refuse(Errc code, std::string message, std::string hint, int os_errno = 0) {
  return Error{.code = code, .message = std::move(message), .os_errno = os_errno, .hint = std::move(hint)};
}

std::string user_name(uid_t uid) {
  std::vector<char> buffer(4096);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return found->pw_name;
  return fmt::format("uid {}", uid);
}

bool has_trace_capability() {
  const auto status = proc_file(::getpid(), "status");
  if (!status) return ::geteuid() == 0;
  return ((to_number(proc_field(*status, "CapEff:"), 16) >> CAP_SYS_PTRACE) & 1U) != 0;
}

std::optional<int> yama_scope() {
  const util::Fd fd(::open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC));
  char digit = 0;
  if (!fd || ::read(fd.get(), &digit, 1) != 1) return std::nullopt;
  return digit - '0';
}

// Stopping a process above us would freeze the shell or editor that drives us, or the lobby that watches over us.
bool is_ancestor_of_ours(Pid pid) {
  Pid at{::getppid()};
  for (int depth = 0; at.value > 0 && depth < 1000; ++depth) {
    if (at == pid) return true;
    const auto status = process_status(Tid{at.value});
    if (!status) return false;
    at = status->parent;
  }
  return false;
}

bool is_elf32(Pid pid) {
  const util::Fd fd(::open(fmt::format("/proc/{}/exe", pid.value).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<unsigned char, EI_NIDENT> ident{};
  if (!fd || ::read(fd.get(), ident.data(), ident.size()) != static_cast<ssize_t>(ident.size())) return false;
  return std::memcmp(ident.data(), ELFMAG, SELFMAG) == 0 && ident[EI_CLASS] == ELFCLASS32;
}

std::string named(const AttachFacts& facts) {
  return fmt::format("process {} ({})", facts.pid.value, facts.status.comm);
}

std::optional<Error> refused_by_yama(const AttachFacts& facts) {
  if (!facts.yama_scope) return std::nullopt;
  if (*facts.yama_scope >= yama_no_attach)
    return refuse(Errc::no_permission,
                  fmt::format("cannot attach to {}: kernel.yama.ptrace_scope is 3, nobody may attach", named(facts)),
                  "The setting can only be changed by a reboot with another value (see /etc/sysctl.d). Launching the "
                  "program under trapline is refused by it too.");
  if (*facts.yama_scope == yama_admin_only && !facts.can_trace_all)
    return refuse(
        Errc::no_permission,
        fmt::format("cannot attach to {}: kernel.yama.ptrace_scope is 2, only CAP_SYS_PTRACE may attach", named(facts)),
        "Run the daemon as root, or: sudo sysctl kernel.yama.ptrace_scope=0");
  return std::nullopt;
}

std::optional<Error> refused_by_owner(const AttachFacts& facts) {
  if (facts.can_trace_all) return std::nullopt;
  const auto& status = facts.status;
  if (status.real_uid != facts.our_uid)
    return refuse(Errc::no_permission, fmt::format("{} belongs to another user, {}", named(facts), facts.user),
                  facts.user == "root"
                      ? "Run the daemon as root, or give it CAP_SYS_PTRACE."
                      : fmt::format("Run the daemon as {} or as root, or give it CAP_SYS_PTRACE.", facts.user));
  if (status.effective_uid != facts.our_uid)
    return refuse(
        Errc::no_permission,
        fmt::format("{} runs a set-user-id program with the rights of uid {}", named(facts), status.effective_uid),
        "Run the daemon as root, or give it CAP_SYS_PTRACE.");
  return std::nullopt;
}

}  // namespace

AttachFacts gather_attach_facts(Pid pid) {
  AttachFacts facts;
  facts.pid = pid;
  const auto status = process_status(Tid{pid.value});
  facts.exists = status.has_value();
  if (!status) return facts;
  facts.status = *status;
  facts.user = user_name(status->real_uid);
  if (status->tracer.value != 0) {
    const auto tracer = process_status(Tid{status->tracer.value});
    if (tracer) facts.tracer_comm = tracer->comm;
  }
  facts.is_self = status->tgid.value == ::getpid();
  facts.is_ancestor = is_ancestor_of_ours(status->tgid);
  facts.elf32 = is_elf32(pid);
  struct stat folder {};
  facts.dumpable =
      ::stat(fmt::format("/proc/{}", pid.value).c_str(), &folder) != 0 || folder.st_uid == status->effective_uid;
  facts.yama_scope = yama_scope();
  facts.our_uid = ::geteuid();
  facts.can_trace_all = has_trace_capability();
  return facts;
}

std::optional<Error> refusal(const AttachFacts& facts) {
  if (!facts.exists)
    return refuse(Errc::no_process, fmt::format("there is no process {}", facts.pid.value),
                  "It has ended, or the number is another one: `ps -e` lists the processes.", ESRCH);
  const auto& status = facts.status;
  if (facts.is_self)
    return refuse(Errc::no_permission, fmt::format("{} is trapline itself", named(facts)),
                  "A debugger cannot stop itself and go on working. Start a second daemon to debug this one.");
  if (status.tgid != facts.pid)
    return refuse(Errc::no_process,
                  fmt::format("{} is a thread of process {}, not a process", facts.pid.value, status.tgid.value),
                  fmt::format("Attach to {}: all its threads come along.", status.tgid.value));
  if (status.kernel_thread)
    return refuse(Errc::kernel_thread, fmt::format("{} is a kernel thread: there is no program to debug", named(facts)),
                  "");
  if (status.state == 'Z' || status.state == 'X')
    return refuse(Errc::no_process,
                  fmt::format("{} has exited already and waits for its parent, process {}, to collect it (a zombie)",
                              named(facts), status.parent.value),
                  "");
  if (facts.is_ancestor)
    return refuse(Errc::no_permission, fmt::format("{} is an ancestor of trapline", named(facts)),
                  "Stopping it would stop what drives this debugger. Start the daemon from somewhere else.");
  if (status.tracer.value != 0)
    return refuse(Errc::already_traced,
                  fmt::format("{} is traced already, by process {}{}", named(facts), status.tracer.value,
                              facts.tracer_comm.empty() ? "" : fmt::format(" ({})", facts.tracer_comm)),
                  "A process has one tracer at a time: let that one detach first.");
  if (auto owner = refused_by_owner(facts)) return owner;
  if (facts.elf32)
    return refuse(Errc::unsupported, fmt::format("{} is a 32-bit process", named(facts)),
                  "trapline debugs 64-bit x86 programs only: build it without -m32 or -mx32.");
  return refused_by_yama(facts);
}

Error explanation(const AttachFacts& facts, int os_errno) {
  if (auto known = refusal(facts)) {
    if (known->os_errno == 0) known->os_errno = os_errno;
    return *std::move(known);
  }
  if (os_errno == ESRCH)
    return refuse(Errc::no_process, fmt::format("{} ended while it was being attached to", named(facts)), "", os_errno);
  if (facts.yama_scope == yama_restricted && !facts.can_trace_all)
    return refuse(Errc::no_permission,
                  fmt::format("cannot attach to {}: kernel.yama.ptrace_scope is 1, only descendants may be attached to",
                              named(facts)),
                  "sudo sysctl kernel.yama.ptrace_scope=0, or launch the program under trapline, or let it call "
                  "prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY), or give the daemon CAP_SYS_PTRACE.",
                  os_errno);
  if (!facts.dumpable && !facts.can_trace_all)
    return refuse(Errc::no_permission,
                  fmt::format("{} made itself non-dumpable, or its program file cannot be read: the kernel protects it",
                              named(facts)),
                  "Run the daemon as root, or give it CAP_SYS_PTRACE.", os_errno);
  return refuse(Errc::no_permission,
                fmt::format("the kernel refused to attach to {}: {}", named(facts), std::strerror(os_errno)),
                "Likely a container or security module (seccomp, SELinux, AppArmor): in a container add "
                "--cap-add=SYS_PTRACE; `trapline doctor` shows what this machine allows.",
                os_errno);
}

Result<void> check_attachable(Pid pid) {
  if (auto why = refusal(gather_attach_facts(pid))) return std::unexpected(*std::move(why));
  return {};
}

Error explain_refusal(Pid pid, int os_errno) { return explanation(gather_attach_facts(pid), os_errno); }

}  // namespace trapline::os
