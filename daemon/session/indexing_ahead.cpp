// `trapline index`: what a session does behind, before there is one.
#include <fmt/format.h>

#include <filesystem>

#include "daemon/index/behind.hpp"
#include "daemon/index/store.hpp"
#include "daemon/session/session.hpp"
#include "daemon/sym/module.hpp"

namespace trapline::session {

Result<IndexedAhead> index_ahead(const std::string& file, const std::string& folder,
                                 const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  std::error_code failed;
  const auto path = std::filesystem::absolute(file, failed).string();
  TL_TRY(const auto module, sym::Module::open(failed ? file : path, {1}, {}));
  const auto source = module->index_source();
  if (!source) {
    const auto problem = module->debug_problem();
    return fail_hint(Errc::not_found,
                     fmt::format("{} has no debug information{}", file, problem.empty() ? "" : ": " + problem),
                     "compile with -g, or install its debug symbols");
  }
  const index::Store store(folder.empty() ? index::default_folder() : folder);
  if (store.folder().empty())
    return fail_hint(Errc::not_available, "there is no folder for indexes", "set HOME, or give --index-cache");
  TL_TRY(const auto key, index::key_of(source->path));
  const bool there = store.has(key);
  TL_TRY(const auto made,
         index::make_index({.path = source->path, .alternate = source->alternate, .folder = store.folder()}, progress,
                           nullptr));
  if (!store.has(key)) return fail(Errc::os, fmt::format("the index of {} cannot be kept in {}", file, store.folder()));
  return IndexedAhead{
      .debug_file = source->path, .index = store.path_of(key), .bytes = made->bytes().size(), .built = !there};
}

}  // namespace trapline::session
