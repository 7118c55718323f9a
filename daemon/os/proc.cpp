#include "daemon/os/proc.hpp"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "daemon/os/proc_files.hpp"
#include "daemon/util/fd.hpp"

namespace trapline::os {
namespace {

constexpr unsigned long kernel_thread_flag = 0x00200000;  // PF_KTHREAD, linux/sched.h; field 9 of /proc/PID/stat
constexpr std::string_view deleted_mark = " (deleted)";

std::unexpected<Error> fail_proc(pid_t id, std::string_view name, int err,
                                 std::source_location where = std::source_location::current()) {
  if (err == ENOENT || err == ESRCH)
    return fail(Errc::no_process, fmt::format("there is no process or thread {}", id), err, where);
  const auto code = err == EACCES || err == EPERM ? Errc::no_permission : Errc::os;
  return fail(code, fmt::format("cannot read /proc/{}/{}: {}", id, name, std::strerror(err)), err, where);
}

// /proc writes names with a line feed as \n and a backslash as two (seq_escape_str in fs/proc/array.c); maps uses \012.
std::string unescape(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 >= text.size()) {
      plain += text[i];
    } else if (text[i + 1] == 'n' || text[i + 1] == '\\') {
      plain += text[++i] == 'n' ? '\n' : '\\';
    } else if (text.substr(i + 1, 3) == "012") {
      plain += '\n';
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// Calls `visit` with every all-digit name in the directory. False: it could not be opened (errno).
template <class Visit>
bool each_number_in(const std::string& directory, Visit&& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), &::closedir);
  if (!dir) return false;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    pid_t number = 0;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (problem == std::errc{} && end == name.data() + name.size()) visit(number);
  }
  return true;
}

std::optional<Mapping> parse_mapping(std::string_view line) {
  // "7f00-7f01 r-xp 00001000 fe:01 1234      /path with spaces (deleted)"
  const auto dash = line.find('-');
  const auto space = line.find(' ');
  if (dash == std::string_view::npos || space == std::string_view::npos || space < dash || line.size() < space + 5)
    return std::nullopt;
  Mapping m;
  m.range = {LoadAddr{to_number(line, 16)}, LoadAddr{to_number(line.substr(dash + 1), 16)}};
  const auto flags = line.substr(space + 1, 4);
  m.readable = flags[0] == 'r';
  m.writable = flags[1] == 'w';
  m.executable = flags[2] == 'x';
  m.shared = flags[3] == 's';
  m.offset = to_number(nth_word(line, 2), 16);
  const auto device = nth_word(line, 3);
  const auto colon = device.find(':');
  if (colon != std::string_view::npos)
    m.device = (to_number(device, 16) << 32) | to_number(device.substr(colon + 1), 16);
  const auto inode = nth_word(line, 4);
  m.inode = to_number(inode);
  const auto after = static_cast<std::size_t>(inode.data() + inode.size() - line.data());
  const auto name = line.find_first_not_of(' ', std::min(after, line.size()));
  if (name != std::string_view::npos) m.path = unescape(line.substr(name));
  if (m.inode != 0 && m.path.ends_with(deleted_mark)) {
    m.path.resize(m.path.size() - deleted_mark.size());
    m.deleted = true;
  }
  return m;
}

}  // namespace

Result<std::string> proc_file(pid_t id, std::string_view name) {
  const util::Fd fd(::open(fmt::format("/proc/{}/{}", id, name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_proc(id, name, errno);
  std::string text;
  char part[16384];
  for (;;) {
    const ssize_t n = ::read(fd.get(), part, sizeof part);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_proc(id, name, errno);  // ESRCH: it went between open and read
    if (n == 0) return text;
    text.append(part, static_cast<std::size_t>(n));
  }
}

std::string_view proc_field(std::string_view text, std::string_view label) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    auto line = text.substr(at, end - at);
    if (line.starts_with(label)) {
      line.remove_prefix(label.size());
      const auto begin = line.find_first_not_of(" \t");
      return begin == std::string_view::npos ? std::string_view{} : line.substr(begin);
    }
    at = end + 1;
  }
  return {};
}

Result<std::string> stat_after_comm(pid_t id) {
  TL_TRY(std::string text, proc_file(id, "stat"));
  const auto close = text.rfind(')');
  if (close == std::string::npos || close + 2 > text.size())
    return fail(Errc::os, fmt::format("/proc/{}/stat is not what proc(5) says", id));
  return text.substr(close + 2);
}

std::string_view nth_word(std::string_view text, std::size_t index) {
  for (;; --index) {
    const auto end = std::min(text.find_first_of(" \t\n"), text.size());
    if (index == 0) return text.substr(0, end);
    if (end == text.size()) return {};
    text.remove_prefix(end + 1);
  }
}

std::uint64_t to_number(std::string_view digits, int base) {
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  return value;
}

Result<ProcessStatus> process_status(Tid tid) {
  TL_TRY(const std::string text, proc_file(tid.value, "status"));
  const auto number = [&](std::string_view label) { return to_number(proc_field(text, label)); };
  ProcessStatus status;
  status.comm = unescape(proc_field(text, "Name:"));
  const auto state = proc_field(text, "State:");
  if (!state.empty()) status.state = state.front();
  status.tgid = Pid{static_cast<pid_t>(number("Tgid:"))};
  status.parent = Pid{static_cast<pid_t>(number("PPid:"))};
  status.tracer = Pid{static_cast<pid_t>(number("TracerPid:"))};
  const auto uids = proc_field(text, "Uid:");  // real, effective, saved, file system
  status.real_uid = static_cast<uid_t>(to_number(nth_word(uids, 0)));
  status.effective_uid = static_cast<uid_t>(to_number(nth_word(uids, 1)));
  TL_TRY(const std::string stat, stat_after_comm(tid.value));
  status.kernel_thread = (to_number(nth_word(stat, 9 - 3)) & kernel_thread_flag) != 0;
  return status;
}

Result<std::vector<Tid>> threads_of(Pid pid) {
  std::vector<Tid> threads;
  if (!each_number_in(fmt::format("/proc/{}/task", pid.value), [&](pid_t tid) { threads.push_back(Tid{tid}); }))
    return fail_proc(pid.value, "task", errno);
  if (threads.empty()) return fail_proc(pid.value, "task", ESRCH);  // it went while we listed
  std::ranges::sort(threads);
  return threads;
}

Result<std::string> thread_name(Pid pid, Tid tid) {
  TL_TRY(std::string name, proc_file(pid.value, fmt::format("task/{}/comm", tid.value)));
  if (name.ends_with('\n')) name.pop_back();
  return name;
}

bool has_random_addresses(Pid pid) {
  const auto text = proc_file(pid.value, "personality");
  return text && (std::strtoul(text->c_str(), nullptr, 16) & ADDR_NO_RANDOMIZE) == 0;
}

Result<std::string> executable_of(Pid pid) {
  const std::string link = fmt::format("/proc/{}/exe", pid.value);
  std::string path(PATH_MAX, '\0');
  const ssize_t n = ::readlink(link.c_str(), path.data(), path.size());
  if (n < 0) {
    const int err = errno;
    // A kernel thread and a zombie have a folder in /proc, but no address space and so no executable.
    if (err == ENOENT && ::access(fmt::format("/proc/{}", pid.value).c_str(), F_OK) == 0)
      return fail(Errc::not_available,
                  fmt::format("process {} has no executable: a kernel thread, or exited and not yet reaped", pid.value),
                  err);
    return fail_proc(pid.value, "exe", err);
  }
  path.resize(static_cast<std::size_t>(n));
  // A file may really be called "x (deleted)": then it is the very file that the link leads to.
  struct stat named {
  }, linked{};
  if (path.ends_with(deleted_mark) && !(::stat(path.c_str(), &named) == 0 && ::stat(link.c_str(), &linked) == 0 &&
                                        named.st_ino == linked.st_ino && named.st_dev == linked.st_dev))
    path.resize(path.size() - deleted_mark.size());
  return path;
}

Result<std::vector<std::string>> command_line(Pid pid) {
  TL_TRY(const std::string text, proc_file(pid.value, "cmdline"));
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\0', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::vector<Pid> all_processes() {
  std::vector<Pid> found;
  each_number_in("/proc", [&](pid_t pid) { found.push_back(Pid{pid}); });
  std::ranges::sort(found);
  return found;
}

std::vector<Pid> processes_named(std::string_view glob) {
  const std::string pattern(glob);
  const auto matches = [&](const std::string& name) { return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0; };
  std::vector<Pid> found;
  for (const Pid pid : all_processes()) {
    const auto exe = executable_of(pid);
    if (exe && matches(exe->substr(exe->rfind('/') + 1))) {
      found.push_back(pid);
      continue;
    }
    // A kernel thread has a name too, but nobody means it. An executable we may not read is still somebody's process.
    if (!exe && exe.error().code != Errc::no_permission) continue;
    const auto comm = thread_name(pid, Tid{pid.value});
    if (comm && matches(*comm)) found.push_back(pid);
  }
  return found;
}

Result<std::vector<Mapping>> mappings(Pid pid) {
  TL_TRY(const std::string text, proc_file(pid.value, "maps"));
  std::vector<Mapping> found;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    if (auto mapping = parse_mapping(std::string_view(text).substr(at, end - at))) found.push_back(*std::move(mapping));
    at = end + 1;
  }
  return found;
}

Result<AuxVector> auxiliary_vector(Pid pid) {
  TL_TRY(const std::string text, proc_file(pid.value, "auxv"));
  AuxVector aux;
  for (std::size_t at = 0; at + sizeof(Elf64_auxv_t) <= text.size(); at += sizeof(Elf64_auxv_t)) {
    Elf64_auxv_t entry;
    std::memcpy(&entry, text.data() + at, sizeof entry);
    const std::uint64_t value = entry.a_un.a_val;
    switch (entry.a_type) {
      case AT_PHDR: aux.phdr = value; break;
      case AT_PHENT: aux.phent = value; break;
      case AT_PHNUM: aux.phnum = value; break;
      case AT_BASE: aux.base = value; break;
      case AT_ENTRY: aux.entry = value; break;
      case AT_SYSINFO_EHDR: aux.vdso = value; break;
      case AT_EXECFN: aux.execfn = value; break;
      case AT_NULL: return aux;
      default: break;
    }
  }
  return aux;
}

Result<std::uint64_t> start_time(Pid pid) {
  TL_TRY(const std::string stat, stat_after_comm(pid.value));
  return to_number(nth_word(stat, 22 - 3));
}

}  // namespace trapline::os
