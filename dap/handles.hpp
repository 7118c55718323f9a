#pragma once
// Opaque ids for what a client may refer to until the debuggee resumes. An id is never used for a second thing, so one
// of an earlier stop is recognised and never answers with the value of another.
#include <fmt/format.h>

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "proto/control.hpp"

namespace trapline::dap {

template <class T, class Key>
class Handles {
 public:
  explicit Handles(std::string_view what) : what_(what) {}

  // The same key gives the same id until the next drop().
  std::int32_t add(Key key, T item) {
    const auto [known, fresh] = ids_.try_emplace(key, next_);
    if (fresh) ++next_;
    items_.insert_or_assign(known->second, std::move(item));
    return known->second;
  }

  // Errors: stale_reference (of an earlier stop), not_found (never given out).
  Result<T> find(std::int32_t id) const {
    if (const auto found = items_.find(id); found != items_.end()) return found->second;
    if (id > 0 && id < first_)
      return fail(Errc::stale_reference, fmt::format("{} {} belongs to an earlier stop", what_, id));
    return fail(Errc::not_found, fmt::format("no {} {}", what_, id));
  }

  void drop() {
    items_.clear();
    ids_.clear();
    first_ = next_;
  }

 private:
  std::string_view what_;
  std::int32_t next_ = 1;
  std::int32_t first_ = 1;  // of this stop
  std::unordered_map<std::int32_t, T> items_;
  std::unordered_map<Key, std::int32_t> ids_;
};

// A scope or a value with children.
struct Container {
  ValueRef ref;
  std::uint64_t named = 0;
  std::uint64_t indexed = 0;
};

struct StopHandles {
  Handles<FrameId, FrameId> frames{"frame"};
  Handles<Container, ValueRef> containers{"variable reference"};
  void drop() {
    frames.drop();
    containers.drop();
  }
};

}  // namespace trapline::dap
