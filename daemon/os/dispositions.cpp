#include "daemon/os/dispositions.hpp"

#include <unistd.h>

#include <string>
#include <string_view>

#include "daemon/os/proc_files.hpp"

namespace trapline::os {

namespace {

constexpr std::uint64_t strict_mode = 1;

std::uint64_t filters_of(std::string_view status) { return to_number(proc_field(status, "Seccomp_filters:"), 10); }

// Those of the container that we all live in.
std::uint64_t our_filters() {
  static const std::uint64_t count = [] {
    const auto text = proc_file(::getpid(), "status");
    return text ? filters_of(*text) : 0;
  }();
  return count;
}

}  // namespace

Result<Dispositions> dispositions(Tid tid) {
  TL_TRY(const std::string text, proc_file(tid.value, "status"));
  const auto signals = [&](const char* label) { return to_number(proc_field(text, label), 16); };
  return Dispositions{
      .ignored = signals("SigIgn:"),
      .caught = signals("SigCgt:"),
      .pending = signals("SigPnd:") | signals("ShdPnd:"),
      .blocked = signals("SigBlk:"),
      .filters_calls = to_number(proc_field(text, "Seccomp:"), 10) == strict_mode || filters_of(text) > our_filters(),
      .shadow_stack = proc_field(text, "x86_Thread_features:").find("shstk") != std::string_view::npos};
}

}  // namespace trapline::os
