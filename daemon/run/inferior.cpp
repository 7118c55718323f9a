#include "daemon/run/inferior.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <cerrno>
#include <cstring>

#include "daemon/run/machine.hpp"
#include "daemon/util/log.hpp"

namespace trapline::run {

Inferior::Inferior(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Inferior::~Inferior() {
  if (!impl_ || !impl_->alive_ || !impl_->attached_) return;
  if (auto done = impl_->detach(); !done) log::warn("run", "{}", done.error().message);
}

Pid Inferior::pid() const { return impl_->pid_; }
bool Inferior::alive() const { return impl_->alive_ && impl_->attached_; }
bool Inferior::all_stopped() const { return alive() && !impl_->running_; }

std::vector<Tid> Inferior::threads() const {
  std::vector<Tid> tids;
  for (const auto& [tid, thread] : impl_->threads_)
    if (!thread.exiting && !thread.fresh && thread.standing != Standing::vanishing) tids.push_back(tid);
  return tids;
}

bool Inferior::is_stopped(Tid tid) const {
  const auto* thread = impl_->find(tid);
  return thread != nullptr && thread->stopped() && !thread->exiting;
}

void Inferior::pump() { impl_->pump(); }
Result<void> Inferior::resume_all() { return impl_->resume(std::nullopt); }
Result<void> Inferior::resume_only(Tid thread) { return impl_->resume(thread); }
Result<void> Inferior::interrupt() { return impl_->interrupt(); }
Result<void> Inferior::step(const StepOrder& order) { return impl_->step(order); }
Result<void> Inferior::run_to(Tid thread, std::span<const LoadAddr> targets) { return impl_->run_to(thread, targets); }
Result<CallReport> Inferior::call(const CallOrder& order) { return impl_->call(order); }
Result<void> Inferior::detach() { return impl_->detach(); }
Result<void> Inferior::kill() { return impl_->kill(); }

Result<void> Inferior::send_signal(int signal) {
  if (!impl_->alive_) return fail(Errc::process_gone, fmt::format("process {} has ended", impl_->pid_.value));
  if (::kill(impl_->pid_.value, signal) == -1)
    return fail(errno == ESRCH   ? Errc::process_gone
                : errno == EPERM ? Errc::no_permission
                                 : Errc::os,
                fmt::format("signal {} to process {}: {}", signal, impl_->pid_.value, std::strerror(errno)), errno);
  return {};
}

std::vector<Result<void>> Inferior::edit_sites(std::span<const SiteEdit> edits) {
  std::vector<Result<void>> results;
  results.reserve(edits.size());
  for (const auto& edit : edits)
    results.push_back(edit.add ? impl_->add_site(edit.at, edit.owner) : impl_->drop_site(edit.at, edit.owner));
  return results;
}

const trap::SiteTable& Inferior::sites() const { return impl_->sites_; }

Result<arch::RegisterFile> Inferior::registers(Tid thread, bool with_xstate) {
  return impl_->registers(thread, with_xstate);
}
Result<void> Inferior::set_registers(Tid thread, const arch::RegisterFile& file) {
  return impl_->set_registers(thread, file);
}
util::WritableMemory& Inferior::memory() { return impl_->memory_; }
bool Inferior::program_handles(Tid thread, int signal) { return impl_->program_handles(thread, signal); }
Result<siginfo_t> Inferior::stop_signal(Tid thread) { return impl_->stop_signal(thread); }
Result<void> Inferior::set_pending_signal(Tid thread, int signal) { return impl_->set_pending_signal(thread, signal); }
Inferior::Counters Inferior::counters() const { return impl_->counters_; }

}  // namespace trapline::run
