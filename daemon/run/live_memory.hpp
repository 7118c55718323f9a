#pragma once
// The debuggee's memory with our traps hidden, and with what calls of functions left behind. Thread: the tracer's.
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "daemon/os/memory.hpp"
#include "daemon/trap/site_table.hpp"
#include "daemon/util/memory.hpp"

namespace trapline::run {

class LiveMemory final : public util::WritableMemory {
 public:
  // `rewritten` is told about sites whose program byte a write changes, before the write.
  using Rewritten = std::function<void(LoadAddr site, std::byte now)>;
  LiveMemory(os::ProcessMemory process, trap::SiteTable& sites, Rewritten rewritten)
      : process_(std::move(process)), sites_(sites), rewritten_(std::move(rewritten)) {}

  Result<void> read(LoadAddr at, std::span<std::byte> out) const override;
  std::size_t read_some(LoadAddr at, std::span<std::byte> out) const override;
  Result<void> write(LoadAddr at, std::span<const std::byte> bytes) override;

  // With our traps, for patches and slots.
  Result<void> read_raw(LoadAddr at, std::span<std::byte> out) const { return process_.read(at, out); }
  Result<void> write_raw(LoadAddr at, std::span<const std::byte> bytes) { return process_.write(at, bytes); }
  Result<void> store_as_program(LoadAddr at, std::span<const std::byte> bytes) {
    return process_.store_as_program(at, bytes);
  }
  Result<void> reopen();  // after an exec: /proc/PID/mem stays with the old address space

  // Objects that a called function was given or returned. They lay below a stack pointer, where the stack is as it was
  // again; who reads there sees them until the debuggee goes on. Newer ones lie below older ones of the same stack.
  struct Kept {
    LoadAddr at;
    std::vector<std::byte> bytes;
  };
  void keep(Kept objects) { kept_.push_back(std::move(objects)); }
  std::vector<Kept>& kept() { return kept_; }

 private:
  os::ProcessMemory process_;
  trap::SiteTable& sites_;
  Rewritten rewritten_;
  void show_kept(LoadAddr at, std::span<std::byte> out) const;
  std::vector<Kept> kept_;
};

}  // namespace trapline::run
