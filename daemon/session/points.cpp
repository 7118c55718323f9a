// Modules as they come and go, breakpoints as they bind, and what a breakpoint's hit is worth.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include "daemon/session/session_impl.hpp"
#include "daemon/util/log.hpp"

namespace trapline::session {
namespace {

constexpr trap::Owner loader_owner{trap::OwnerKind::internal, 1};

}  // namespace

void Session::load_modules() {
  auto changes = modules_->load_process(inferior_->pid(), inferior_->memory());
  if (!changes)
    return console(fmt::format("The modules of the process cannot be read: {}\n", changes.error().message),
                   proto::OutputCategory::important);
  place_loader_site();
  modules_changed(*changes);
  if (process_->start_method == proto::StartMethod::launch) return;
  // Between reading the link map and placing the loader's site a library may have come: look once more.
  if (const auto more = modules_->refresh(inferior_->pid(), inferior_->memory())) modules_changed(*more);
}

void Session::place_loader_site() {
  const auto at = modules_->loader_breakpoint();
  if (!at || loader_site_ == at) return;
  loader_site_ = at;
  place({{.at = *at, .owner = loader_owner, .add = true}});
}

void Session::modules_changed(const image::Changes& changes) {
  for (const auto& module : changes.removed)
    emit(proto::ModuleEvent{.change = proto::Change::removed, .module = describe(module)});
  for (const auto id : changes.added)
    if (const auto* module = modules_->find(id))
      emit(proto::ModuleEvent{.change = proto::Change::added, .module = describe(*module)});
  if (changes.added.empty() && changes.removed.empty()) return;
  if (!loader_site_) place_loader_site();
  bind_all();
  index_soon();
  fetch_soon();
  if (options_.load_eagerly) load_eagerly();
}

void Session::bind_all(Rebind which) {
  if (no_debug_ || !modules_ || !inferior_) return;
  std::vector<run::Inferior::SiteEdit> edits;
  std::vector<BreakpointId> changed;
  for (auto& [id, breakpoint] : breakpoints_.entries())
    if ((which == Rebind::all || std::holds_alternative<proto::FunctionPlace>(breakpoint.info.spec.place)) &&
        breakpoints_.bind(breakpoint, *modules_, sources_, edits))
      changed.push_back(id);
  place(std::move(edits), &changed);
  for (const auto id : changed)
    if (const auto* breakpoint = breakpoints_.find(id))
      emit(proto::BreakpointEvent{.change = proto::Change::changed, .breakpoint = breakpoint->info});
}

void Session::place(std::vector<run::Inferior::SiteEdit> edits, std::vector<BreakpointId>* touched) {
  if (edits.empty() || !inferior_) return;
  const auto results = inferior_->edit_sites(edits);
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i]) continue;
    const auto& edit = edits[i];
    // Taking out a site of a module that was unmapped fails, and nothing is lost by it.
    if (!edit.add) continue;
    log::warn("session", "site {:#x}: {}", edit.at.value, results[i].error().message);
    if (edit.owner.kind != trap::OwnerKind::breakpoint) continue;
    const BreakpointId id{static_cast<std::int32_t>(edit.owner.id)};
    breakpoints_.refuse(id, edit.at, results[i].error());
    if (touched != nullptr && std::ranges::find(*touched, id) == touched->end()) touched->push_back(id);
  }
}

Result<std::vector<proto::BreakpointInfo>> Session::edit_breakpoints(std::span<const BreakpointId> remove,
                                                                     std::span<const proto::BreakpointSpec> add) {
  for (const auto id : remove)
    if (breakpoints_.find(id) == nullptr)
      return fail_hint(Errc::not_found, fmt::format("there is no breakpoint {}", id.value),
                       "breakpoint.list names them");
  std::vector<run::Inferior::SiteEdit> edits;
  for (const auto id : remove) {
    // The same id may be named twice.
    const auto* breakpoint = breakpoints_.find(id);
    if (breakpoint == nullptr) continue;
    emit(proto::BreakpointEvent{.change = proto::Change::removed, .breakpoint = breakpoint->info});
    std::ranges::move(breakpoints_.drop(id), std::back_inserter(edits));
  }
  std::vector<BreakpointId> added;
  const bool placeable = modules_ && inferior_ && !no_debug_ && state_ != proto::RunState::exited;
  for (const auto& spec : add) {
    auto& breakpoint = breakpoints_.add(spec);
    added.push_back(breakpoint.info.id);
    if (placeable)
      breakpoints_.bind(breakpoint, *modules_, sources_, edits);
    else if (no_debug_)
      breakpoint.info.message = "the program was started without debugging (noDebug)";
    else if (breakpoint.info.message.empty())
      breakpoint.info.message = "the program is not running yet";
  }
  if (placeable) place(std::move(edits));
  if (placeable && !add.empty()) index_soon();
  std::vector<proto::BreakpointInfo> answers;
  for (const auto id : added) {
    answers.push_back(breakpoints_.find(id)->info);
    emit(proto::BreakpointEvent{.change = proto::Change::added, .breakpoint = answers.back()});
  }
  return answers;
}

// In the tight path: one thread stands still, the others run.
bool Session::breakpoint_says_stop(Breakpoint& breakpoint, Tid thread, LoadAddr pc) {
  auto& info = breakpoint.info;
  if (info.spec.thread && *info.spec.thread != thread) return false;
  const auto begin = std::chrono::steady_clock::now();
  ++info.evaluations;
  // A view of its own: nothing of it may outlive this stop, and Views belong to the stops that users see.
  Views here(*inferior_, *modules_, &visualizers_);
  const bool needs_view = !info.spec.condition.empty() || !info.spec.log_message.empty();
  std::optional<eval::FrameView> view;
  if (needs_view) {
    auto made = here.view({.thread = thread, .level = 0});
    if (!made) {
      log::warn("session", "breakpoint {}: {}", info.id.value, made.error().message);
      return true;
    }
    view = *std::move(made);
  }
  bool due = true;
  if (!info.spec.condition.empty()) {
    const auto truth = eval::condition(*view, info.spec.condition, *breakpoint.cache);
    if (!truth) report_condition_error(breakpoint, truth.error());
    due = truth.value_or(true);  // a condition that cannot be computed stops: better once too often than never
  }
  if (due) due = breakpoint.hit_condition.due(++info.hits);
  if (due && !info.spec.log_message.empty()) {
    write_log(breakpoint, *view, pc);
    due = false;
  }
  breakpoint.evaluation_nanoseconds +=
      static_cast<std::uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count());
  return due;
}

void Session::report_condition_error(Breakpoint& breakpoint, const Error& error) {
  if (breakpoint.errors++ > 0) return;
  console(fmt::format("Breakpoint {}: the condition `{}` cannot be evaluated: {}. It stops here.\n",
                      breakpoint.info.id.value, breakpoint.info.spec.condition, error.message),
          proto::OutputCategory::important);
}

void Session::write_log(Breakpoint& breakpoint, const eval::FrameView& view, LoadAddr pc) {
  visualizers_.forget_memory();  // other threads run: what was read before is not what is there
  auto text = eval::log_text(view, breakpoint.info.spec.log_message);
  if (!text.ends_with('\n')) text += '\n';
  proto::OutputEvent event{.category = proto::OutputCategory::console, .text = std::move(text), .file = {}, .line = {}};
  for (const auto& location : breakpoint.info.locations) {
    if (location.address != pc) continue;
    event.file = location.file;
    event.line = location.line;
  }
  emit(std::move(event));
}

proto::ModuleInfo Session::describe(const image::MappedModule& module) const {
  proto::ModuleInfo info{.id = module_shown(module.id),
                         .name = std::filesystem::path(module.path).filename().string(),
                         .path = module.path,
                         .build_id = {},
                         .range = module.range,
                         .has_symbols = false,
                         .has_debug_info = false,
                         .debug_file = {},
                         .optimized = {}};
  if (module.symbols) {
    info.build_id = module.symbols->build_id();
    info.has_symbols = module.symbols->has_symbols();
    info.has_debug_info = module.symbols->has_debug_info();
    info.debug_file = module.symbols->debug_file();
    if (info.has_debug_info) info.optimized = module.symbols->optimized();
  }
  return info;
}

}  // namespace trapline::session
