#pragma once
// /proc/PID/mem and process_vm_readv. No attach and no stop needed; bytes of a running debuggee may be of two moments.
#include <cstddef>
#include <span>

#include "daemon/util/fd.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::os {

class ProcessMemory {
 public:
  static Result<ProcessMemory> open(Pid pid);  // /proc/PID/mem, read and write. After an exec it must be opened anew.
  Result<void> read(LoadAddr at, std::span<std::byte> out) const;  // bad_address, process_gone
  std::size_t read_some(LoadAddr at, std::span<std::byte> out) const;
  Result<void> write(LoadAddr at, std::span<const std::byte> bytes);  // r-x text too (FOLL_FORCE); pages become private
  // As a store of the program itself: bad_address where the page is not writable, a stack's guard page among them.
  // Source: process_vm_writev(2) has no FOLL_FORCE.
  Result<void> store_as_program(LoadAddr at, std::span<const std::byte> bytes);
  Pid pid() const { return pid_; }

 private:
  ProcessMemory(Pid pid, util::Fd fd) : pid_(pid), fd_(std::move(fd)) {}
  Pid pid_;
  util::Fd fd_;
};

}  // namespace trapline::os
