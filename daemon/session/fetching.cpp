// Debug information that is not on this machine, fetched from debuginfod servers behind everything else: nothing waits
// for it. When a file has come, its module is opened anew: the file lies in the client's cache folder, which is looked
// into like /usr/lib/debug, and counts only if it carries the module's build-id.
#include <fmt/format.h>

#include <algorithm>
#include <asio/post.hpp>
#include <cerrno>
#include <filesystem>

#include "daemon/session/session_impl.hpp"
#include "daemon/util/log.hpp"

namespace trapline::session {
namespace {

constexpr auto patience = std::chrono::milliseconds(150);  // a start, and what an editor asks at once, goes first

std::string megabytes(std::uint64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

}  // namespace

fetch::Settings Session::fetch_settings() const {
  const auto& options = options_.debuginfod;
  return {.urls = options.urls, .timeout = options.timeout, .cache = options.cache};
}

bool Session::may_fetch() const {
  const auto use = options_.debuginfod.use;
  return !no_debug_ && modules_ && !fetch_given_up_ && !environment_.exec_helper.empty() &&
         (use == proto::Debuginfod::on || use == proto::Debuginfod::automatic);
}

void Session::fetch_soon() {
  if (!may_fetch()) return;
  if (!fetch::names_servers(fetch_settings())) {
    if (options_.debuginfod.use == proto::Debuginfod::on) fetch_gives_up(fetch::error_of(ENOSYS, {}));
    return;
  }
  fetch_timer_.expires_after(patience);
  fetch_timer_.async_wait([this, alive = alive_](std::error_code problem) {
    if (!problem && *alive) fetch_next();
  });
}

void Session::fetch_next() {
  if (fetcher_.busy() || !modules_ || no_debug_ || fetch_given_up_) return;
  for (const auto* module : modules_->all()) {
    auto build_id = module->symbols ? module->symbols->wants_debug_file() : std::string{};
    if (build_id.empty() || !fetch_tried_.insert(build_id).second) continue;
    fetching_ = {.id = fmt::format("fetch-{}", ++last_progress_),
                 .name = std::filesystem::path(module->path).filename().string(),
                 .build_id = build_id,
                 .debug_file = {},
                 .begun = std::chrono::steady_clock::now(),
                 .told = false};
    return fetch_file(build_id);
  }
}

void Session::fetch_file(const std::string& build_id) {
  log::info("session", "asking debuginfod for {} of {}", build_id, fetching_.name);
  const auto started = fetcher_.start(
      {.build_id = build_id, .source = {}, .settings = fetch_settings()},
      [this](std::uint64_t done, std::uint64_t all) { fetch_progressed(done, all); },
      [this](Result<std::string> path) { fetch_came(std::move(path)); });
  if (!started) fetch_done(started);
}

void Session::fetch_progressed(std::uint64_t done, std::uint64_t all) {
  if (!fetching_.told && std::chrono::steady_clock::now() - fetching_.begun < environment_.tell_after) return;
  // Before the first byte the numbers are not yet bytes of the file.
  const bool known = all > 0;
  proto::ProgressEvent event{
      .phase = fetching_.told ? proto::ProgressPhase::update : proto::ProgressPhase::begin,
      .id = fetching_.id,
      .title = "Downloading debug information of " + fetching_.name,
      .message = known ? fmt::format("{} of {}", megabytes(done), megabytes(all)) : std::string{},
      .percentage = static_cast<std::uint32_t>(known ? std::min<std::uint64_t>(done * 100 / all, 100) : 0),
      .cancellable = true};
  fetching_.told = true;
  emit(std::move(event));
}

void Session::fetch_came(Result<std::string> path) {
  if (!path) {
    // Without its dwz file a debug file still has most of what it has.
    if (fetching_.debug_file.empty() || path.error().code == Errc::cancelled)
      return fetch_done(std::unexpected(path.error()));
    log::info("session", "the dwz file of {}: {}", fetching_.debug_file, path.error().message);
  } else if (fetching_.debug_file.empty()) {
    fetching_.debug_file = *path;
    const auto alternate = modules_ ? sym::missing_alternate(*path, search_options(options_)) : std::string{};
    if (!alternate.empty()) return fetch_file(alternate);
  }
  fetch_done(use_fetched());
}

// The modules of that build-id, opened anew. Errors: the file is none of theirs.
Result<void> Session::use_fetched() {
  std::vector<ModuleId> waiting;
  if (modules_)
    for (const auto* module : modules_->all())
      if (module->symbols && module->symbols->wants_debug_file() == fetching_.build_id) waiting.push_back(module->id);
  for (const auto id : waiting) {
    TL_TRY(const auto* module, modules_->reopen(id));
    if (!module->symbols->wants_debug_file().empty())
      return fail(Errc::bad_debug_info,
                  fmt::format("what was fetched is not its debug information: {}", module->symbols->debug_problem()));
    const auto shown = module_shown(id);
    shown_modules_[module->id] = shown;
    log::info("session", "{}: debug information in {}", module->path, module->symbols->debug_file());
    emit(proto::ModuleEvent{.change = proto::Change::changed, .module = describe(*module)});
  }
  if (!waiting.empty()) symbols_came();
  return {};
}

// What was read of this stop, and how breakpoints were bound, may say more now.
void Session::symbols_came() {
  breakpoints_.forget_bound_conditions();
  if (views_) views_->drop();
  if (state_ == proto::RunState::stopped && stop_) {
    fill_place(*stop_);
    emit(proto::InvalidatedEvent{.threads = true});
  }
  bind_all();
  index_soon();
}

void Session::fetch_done(Result<void> outcome) {
  const auto why = outcome ? std::string("done") : outcome.error().message;
  if (fetching_.told)
    emit(proto::ProgressEvent{.phase = proto::ProgressPhase::end,
                              .id = fetching_.id,
                              .title = "Downloading debug information of " + fetching_.name,
                              .message = why,
                              .percentage = 100,
                              .cancellable = false});
  if (!outcome) {
    log::info("session", "debug information of {}: {}", fetching_.name, why);
    const auto code = outcome.error().code;
    if (code == Errc::bad_debug_info)
      console(fmt::format("{}: {}\n", fetching_.name, why));
    else if (code != Errc::not_found && code != Errc::cancelled)
      return fetch_gives_up(outcome.error());
  }
  fetch_next();
}

// A server that is gone would cost every module the time that it takes to notice.
void Session::fetch_gives_up(const Error& why) {
  fetch_given_up_ = true;
  console(
      fmt::format("No debug information is fetched: {}{}{}\n", why.message, why.hint.empty() ? "" : "; ", why.hint));
}

// What to ask a server for: the path as the debug information has it, of the first module that was compiled from it.
fetch::Order Session::source_order(const std::string& path) const {
  for (const auto& name : sources_.to_debug(path))
    for (const auto* module : modules_->all())
      if (module->symbols && module->symbols->has_debug_info() && !module->symbols->build_id().empty() &&
          module->symbols->addresses_of(name, Line{1}, 0).file_known)
        return {.build_id = module->symbols->build_id(), .source = name, .settings = fetch_settings()};
  return {};
}

void Session::read_source(const std::string& path, Reply<std::string> reply) {
  auto here = source_text(path);
  if (here || !may_fetch() || !fetch::names_servers(fetch_settings())) return reply(std::move(here));
  const auto order = source_order(path);
  if (order.build_id.empty()) return reply(std::move(here));
  auto fetcher = std::make_shared<fetch::Fetcher>(environment_.loop, environment_.exec_helper);
  const auto done = [this, one = fetcher.get(), why = here.error(), reply](Result<std::string> file) mutable {
    const auto mine = std::ranges::find(source_fetchers_, one, [](const auto& each) { return each.get(); });
    if (mine != source_fetchers_.end()) {
      asio::post(environment_.loop, [ended = *mine] {});  // it is still in the middle of telling us
      source_fetchers_.erase(mine);
    }
    if (file) return reply(read_text(*file));
    why.message += "; " + file.error().message;
    reply(std::unexpected(std::move(why)));
  };
  source_fetchers_.push_back(fetcher);
  if (const auto started = fetcher->start(
          order, [](std::uint64_t, std::uint64_t) {}, done);
      !started) {
    source_fetchers_.pop_back();
    reply(std::unexpected(started.error()));
  }
}

// Clients know a module by the id that it had when they heard of it first.
ModuleId Session::module_shown(ModuleId id) const {
  const auto known = shown_modules_.find(id);
  return known == shown_modules_.end() ? id : known->second;
}

}  // namespace trapline::session
