#pragma once
// The folder of index files, shared by all sessions of a user: one file a debug file, written aside and renamed, least
// recently used out. Thread: any; processes too, by what rename(2) and unlink(2) promise.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "daemon/index/image.hpp"

namespace trapline::index {

inline constexpr std::uint64_t default_store_bytes = std::uint64_t{2} << 30;

// $XDG_CACHE_HOME/trapline/index, else ~/.cache/trapline/index; empty where neither is known.
std::string default_folder();

// What the index of that debug file is kept under: its build-id and a fingerprint of its debug sections; without a
// build-id the file's path, inode, size and time of change.
Result<Key> key_of(const std::string& path);

class Store {
 public:
  // `folder` empty: nothing is kept, load() finds nothing.
  explicit Store(std::string folder, std::uint64_t most_bytes = default_store_bytes)
      : folder_(std::move(folder)), most_bytes_(most_bytes) {}
  const std::string& folder() const { return folder_; }
  std::string path_of(const Key& key) const;

  // Null: none, or one that is damaged, foreign or old (which is removed). Marks it as used.
  std::shared_ptr<const Index> load(const Key& key) const;
  bool has(const Key& key) const;
  // Errors: os (the folder cannot be written). Whoever writes last wins; both wrote the same.
  Result<void> save(const Key& key, std::span<const std::byte> bytes) const;
  // Unlinks the least recently used files while all together are too large, and what interrupted writers left.
  void keep_bounded() const;

 private:
  std::string folder_;
  std::uint64_t most_bytes_;
};

}  // namespace trapline::index
