#include "daemon/index/store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "daemon/index/debug_sections.hpp"
#include "daemon/util/fd.hpp"

namespace trapline::index {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view extension = ".tlindex";
constexpr std::string_view unfinished = ".part-";
constexpr auto abandoned_after = std::chrono::hours(1);

Result<void> write_all(int fd, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), 1 << 26));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return fail(Errc::os, fmt::format("write {}", path), errno);
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return {};
}

}  // namespace

std::string default_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr && value[0] == '/' ? value
                                                           : "");  // the XDG specification: absolute, or ignored
  };
  if (const auto cache = variable("XDG_CACHE_HOME"); !cache.empty()) return cache + "/trapline/index";
  if (const auto home = variable("HOME"); !home.empty()) return home + "/.cache/trapline/index";
  return {};
}

Result<Key> key_of(const std::string& path) {
  TL_TRY(const auto identity, identify(path));
  if (!identity.build_id.empty()) return Key::of(fmt::format("{}-{:016x}", identity.build_id, identity.fingerprint));
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0) return fail(Errc::not_found, fmt::format("stat {}", path), errno);
  const auto text = fmt::format("{}|{}|{}|{}|{}.{}", path, about.st_dev, about.st_ino, about.st_size,
                                about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
  return Key::of(fmt::format("file-{:016x}-{:016x}", XXH3_64bits(text.data(), text.size()), identity.fingerprint));
}

std::string Store::path_of(const Key& key) const { return fmt::format("{}/{}{}", folder_, key.name, extension); }

bool Store::has(const Key& key) const { return !folder_.empty() && Index::map(path_of(key), key).has_value(); }

std::shared_ptr<const Index> Store::load(const Key& key) const {
  if (folder_.empty()) return nullptr;
  const auto path = path_of(key);
  auto index = Index::map(path, key);
  if (!index) {
    if (index.error().code == Errc::bad_debug_info) ::unlink(path.c_str());
    return nullptr;
  }
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // mount options may keep atime still: the time of use is mtime
  return *index;
}

Result<void> Store::save(const Key& key, std::span<const std::byte> bytes) const {
  if (folder_.empty()) return fail(Errc::not_available, "there is no folder for indexes");
  std::error_code failed;
  const bool there = fs::exists(folder_, failed);
  fs::create_directories(folder_, failed);
  if (failed) return fail(Errc::os, fmt::format("make the folder {}", folder_), failed.value());
  if (!there) ::chmod(folder_.c_str(), 0700);
  std::string part = fmt::format("{}/{}{}XXXXXX", folder_, key.name, unfinished);
  util::Fd file(::mkostemp(part.data(), O_CLOEXEC));
  if (!file) return fail(Errc::os, fmt::format("make {}", part), errno);
  auto written = write_all(file.get(), bytes, part);
  if (written && ::rename(part.c_str(), path_of(key).c_str()) != 0)
    written = fail(Errc::os, fmt::format("rename {}", part), errno);
  if (!written) {
    ::unlink(part.c_str());
    return written;
  }
  keep_bounded();
  return {};
}

void Store::keep_bounded() const {
  struct File {
    fs::path path;
    fs::file_time_type used;
    std::uint64_t size = 0;
  };
  std::vector<File> files;
  std::uint64_t all = 0;
  std::error_code failed;
  const auto now = fs::file_time_type::clock::now();
  for (fs::directory_iterator at(folder_, failed), end; !failed && at != end; at.increment(failed)) {
    std::error_code gone;
    File file{.path = at->path(), .used = at->last_write_time(gone), .size = at->file_size(gone)};
    if (gone) continue;
    const auto name = file.path.filename().string();
    if (name.find(unfinished) != std::string::npos && now - file.used > abandoned_after) fs::remove(file.path, gone);
    if (!name.ends_with(extension)) continue;
    all += file.size;
    files.push_back(std::move(file));
  }
  std::ranges::sort(files, {}, &File::used);
  for (const auto& file : files) {
    if (all <= most_bytes_) break;
    std::error_code gone;
    if (fs::remove(file.path, gone)) all -= file.size;
  }
}

}  // namespace trapline::index
