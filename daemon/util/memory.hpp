#pragma once
// The debuggee's memory as the rooms see it. run/ gives the live one, tests give a map of bytes.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "proto/words/addr.hpp"
#include "proto/words/result.hpp"

namespace trapline::util {

class Memory {
 public:
  virtual ~Memory() = default;
  // Reads all of `out`, or fails; on error `out` is unspecified. Our own patches are hidden: the program's bytes are
  // shown. Errors: bad_address (some byte unmapped), process_gone.
  virtual Result<void> read(LoadAddr at, std::span<std::byte> out) const = 0;
  // As many bytes as are readable from `at` on; 0 where the first is not.
  virtual std::size_t read_some(LoadAddr at, std::span<std::byte> out) const = 0;

  template <class T>
  Result<T> get(LoadAddr at) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    if (auto got = read(at, std::as_writable_bytes(std::span(&value, 1))); !got) return std::unexpected(got.error());
    return value;
  }
  // Up to `limit` bytes before a NUL (not included).
  Result<std::string> c_string(LoadAddr at, std::size_t limit) const;
};

class WritableMemory : public Memory {
 public:
  // Writes text and read-only data too (/proc/PID/mem). Bytes under one of our patches go to what the patch will
  // restore.
  virtual Result<void> write(LoadAddr at, std::span<const std::byte> bytes) = 0;
};

}  // namespace trapline::util
