#include "daemon/image/module_cache.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "daemon/util/rooted.hpp"

namespace trapline::image {
namespace {

struct Key {
  std::string path;
  std::vector<std::string> debug_dirs;
  std::vector<std::string> fetched_dirs;
  std::vector<std::string> exclude;
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  auto operator<=>(const Key&) const = default;
};

struct Cache {
  std::map<Key, std::weak_ptr<const sym::Module>> known;
  std::vector<SharedModule> kept;
};
Cache& cache() {
  static Cache the_cache;
  return the_cache;
}

// Ids name a module for good within this process: 0 is never given out.
ModuleId next_id() {
  static std::uint32_t last = 0;
  return {++last};
}

}  // namespace

Result<SharedModule> open_module(const std::string& path, const sym::SearchOptions& options,
                                 const std::vector<SharedModule>& in_use) {
  const std::string real = options.read_from.empty() ? util::path_in_root(options.root, path) : options.read_from;
  struct stat about {};
  const bool found = ::stat(real.c_str(), &about) == 0;
  Key key{.path = path,
          .debug_dirs = options.debug_dirs,
          .fetched_dirs = options.fetched_dirs,
          .exclude = options.exclude,
          .device = about.st_dev,
          .inode = about.st_ino,
          .size = about.st_size,
          .seconds = about.st_mtim.tv_sec,
          .nanoseconds = about.st_mtim.tv_nsec};
  if (found)
    if (const auto known = cache().known.find(key); known != cache().known.end())
      if (auto module = known->second.lock(); module && std::ranges::find(in_use, module) == in_use.end())
        return module;
  TL_TRY(auto module, sym::Module::open(path, next_id(), options));
  if (found) {
    std::erase_if(cache().known, [](const auto& entry) { return entry.second.expired(); });
    cache().known.insert_or_assign(std::move(key), module);
  }
  return module;
}

Result<SharedModule> open_image(std::vector<std::byte> image, std::string name) {
  return sym::Module::from_image(std::move(image), std::move(name), next_id());
}

void keep_for_restart(std::vector<SharedModule> modules) {
  if (!modules.empty()) cache().kept = std::move(modules);
}

}  // namespace trapline::image
