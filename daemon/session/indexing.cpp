// Indexes of large debug information, built behind: what a client asked was answered with what there was; when an index
// is done, breakpoints that may have more places by it (inlined calls, above all) are bound again.
#include <fmt/format.h>

#include <asio/post.hpp>
#include <filesystem>

#include "daemon/index/store.hpp"
#include "daemon/session/session_impl.hpp"
#include "daemon/util/log.hpp"

namespace trapline::session {
namespace {

// A start, and what an editor asks at once, goes first: the threads that index have a low priority, but not their own
// memory bus.
constexpr auto patience = std::chrono::milliseconds(60);

}  // namespace

std::string Session::index_folder() const {
  if (!options_.index_dir.empty()) return options_.index_dir;
  return environment_.index_folder.empty() ? index::default_folder() : environment_.index_folder;
}

sym::SearchOptions Session::search_options(const proto::SourceOptions& options) const {
  sym::SearchOptions search;
  search.debug_dirs.insert(search.debug_dirs.begin(), options.debug_file_dirs.begin(), options.debug_file_dirs.end());
  search.exclude = options.symbols_exclude;
  if (options.debuginfod.use != proto::Debuginfod::off)
    search.fetched_dirs = fetch::cache_folders({.urls = {}, .timeout = {}, .cache = options.debuginfod.cache});
  search.index_folder = index_folder();
  search.index_comes = true;
  search.index_worth = environment_.index_worth.value_or(search.index_worth);
  return search;
}

void Session::index_soon() {
  if (no_debug_ || !modules_) return;
  index_timer_.expires_after(patience);
  index_timer_.async_wait([this, alive = alive_](std::error_code problem) {
    if (!problem && *alive) index_next();
  });
}

void Session::index_next() {
  if (indexer_.busy() || !modules_ || no_debug_) return;
  for (const auto* module : modules_->all()) {
    if (!module->symbols) continue;
    const auto source = module->symbols->wants_index();
    if (!source || !index_tried_.insert(source->path).second) continue;
    return index_module(module->symbols, *source);
  }
}

// Who wants all symbols at once: one module after the other is opened, and requests go in between.
void Session::load_eagerly() {
  eager_timer_.expires_after(patience);
  eager_timer_.async_wait([this, alive = alive_](std::error_code problem) {
    if (problem || !*alive || !modules_ || no_debug_) return;
    for (const auto* module : modules_->all()) {
      if (!module->symbols || !module->symbols->debug_info_waits()) continue;
      if (const auto trouble = module->symbols->debug_problem(); !trouble.empty())
        log::info("session", "{}: {}", module->path, trouble);
      emit(proto::ModuleEvent{.change = proto::Change::changed, .module = describe(*module)});
      return load_eagerly();
    }
    index_next();
  });
}

void Session::index_module(std::shared_ptr<const sym::Module> module, const sym::Module::IndexSource& source) {
  indexing_ = {.id = fmt::format("index-{}", ++last_progress_),
               .name = std::filesystem::path(module->path()).filename().string(),
               .begun = std::chrono::steady_clock::now(),
               .told = false};
  log::info("session", "indexing {}", source.path);
  index_progressed(0, 0);  // tells at once who wants to hear of all
  indexer_.start(
      {.path = source.path, .alternate = source.alternate, .folder = index_folder()},
      [this](std::uint64_t done, std::uint64_t all) { index_progressed(done, all); },
      [this, module = std::move(module), path = source.path](Result<std::shared_ptr<const index::Index>> index) {
        index_done(*module, path, std::move(index));
      });
}

void Session::index_progressed(std::uint64_t done, std::uint64_t all) {
  if (!indexing_.told && std::chrono::steady_clock::now() - indexing_.begun < environment_.tell_after) return;
  proto::ProgressEvent event{.phase = indexing_.told ? proto::ProgressPhase::update : proto::ProgressPhase::begin,
                             .id = indexing_.id,
                             .title = "Indexing " + indexing_.name,
                             .message = {},
                             .percentage = static_cast<std::uint32_t>(all == 0 ? 0 : done * 100 / all),
                             .cancellable = true};
  indexing_.told = true;
  emit(std::move(event));
}

void Session::index_done(const sym::Module& module, const std::string& path,
                         Result<std::shared_ptr<const index::Index>> index) {
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - indexing_.begun);
  if (indexing_.told)
    emit(proto::ProgressEvent{.phase = proto::ProgressPhase::end,
                              .id = indexing_.id,
                              .title = "Indexing " + indexing_.name,
                              .message = index ? "done" : index.error().message,
                              .percentage = 100,
                              .cancellable = false});
  if (index) {
    log::info("session", "indexed {} in {} ms", path, took.count());
    module.use_index(*std::move(index));
    bind_all(Rebind::functions);
  } else {
    log::info("session", "{} is not indexed: {}", path, index.error().message);
    module.no_index();
    bind_all(Rebind::functions);
  }
  index_next();
}

Result<void> Session::cancel_progress(const std::string& id) {
  if (fetcher_.busy() && id == fetching_.id) {
    fetcher_.cancel();
    return {};
  }
  if (!indexer_.busy() || id != indexing_.id)
    return fail(Errc::not_found, fmt::format("nothing with the progress id {} is under way", id));
  indexer_.cancel();
  return {};
}

}  // namespace trapline::session
