// Patches: journalled before they are written, in any state of the debuggee (one byte, so no stop is needed).
#include <fmt/format.h>

#include "daemon/run/machine.hpp"
#include "daemon/util/log.hpp"

namespace trapline::run {
namespace {

constexpr trap::Owner step_owner{trap::OwnerKind::step, 0};

}  // namespace

Result<void> Inferior::Impl::add_site(LoadAddr at, trap::Owner owner) {
  if (!alive_ || !attached_) return fail(Errc::no_debuggee, "there is no debuggee to place a trap in");
  if (const auto* site = sites_.find(at)) {
    static_cast<void>(sites_.add(at, owner, site->original));
    return {};
  }
  std::byte original{};
  TL_TRY_VOID(memory_.read_raw(at, std::span(&original, 1)));
  if (slots_.holds(at))
    return fail(Errc::bad_address, fmt::format("{:#x} lies in code of the debugger's own", at.value));
  TL_TRY_VOID(journal_->will_patch(at, std::span(&original, 1)));
  if (original != std::byte{0xCC}) shield_.guard(at, at);  // the program's own trap is its own
  const auto patch = sites_.add(at, owner, original);
  if (!patch) return {};
  if (auto written = memory_.write_raw(at, patch->bytes); !written) {
    static_cast<void>(sites_.drop_all(at));
    journal_->did_restore(at);
    return written;
  }
  // The thread that the user looks at stands here: that is not a hit to come.
  if (!running_ && last_stop_thread_)
    if (auto* thread = find(*last_stop_thread_); thread != nullptr && thread->stopped() && thread->registers &&
                                                 thread->kind != StopKind::event && pc_of(*thread->registers) == at)
      thread->passed = at;
  return {};
}

Result<void> Inferior::Impl::drop_site(LoadAddr at, trap::Owner owner) {
  const auto patch = sites_.drop(at, owner);
  if (!patch) return {};
  forget_crossing(at);
  auto written = memory_.write_raw(at, patch->bytes);
  // Unmapped meanwhile (dlclose), or the process is gone: nothing of ours stands there.
  if (written || written.error().code == Errc::bad_address || written.error().code == Errc::process_gone) {
    journal_->did_restore(at);
    return {};
  }
  return written;  // the journal keeps it
}

void Inferior::Impl::restore_sites() {
  for (const auto& patch : sites_.restore_all()) {
    const auto written = memory_.write_raw(patch.at, patch.bytes);
    if (written || written.error().code == Errc::bad_address || written.error().code == Errc::process_gone)
      journal_->did_restore(patch.at);
    else
      log::error("run", "the trap at {:#x} of process {} could not be taken back: {}", patch.at.value, pid_.value,
                 written.error().message);
  }
  sites_.clear();
  crossings_.clear();
}

bool Inferior::Impl::plant(LoadAddr at) {
  const auto added = add_site(at, step_owner);
  if (!added) log::debug("run", "no step trap at {:#x}: {}", at.value, added.error().message);
  return added.has_value();
}

void Inferior::Impl::uproot(LoadAddr at) {
  if (auto dropped = drop_site(at, step_owner); !dropped)
    log::warn("run", "the step's trap at {:#x} could not be taken back: {}", at.value, dropped.error().message);
}

}  // namespace trapline::run
