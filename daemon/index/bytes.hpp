#pragma once
// Bytes of a section, read with every bound checked. Little endian: the room reads files of x86-64 only. Inside the
// room.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace trapline::index {

class Bytes {
 public:
  Bytes() = default;
  explicit Bytes(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::size_t size() const { return bytes_.size(); }

  // Little endian, of 1 to 8 bytes; nothing where they are not all there.
  std::optional<std::uint64_t> number(std::uint64_t at, unsigned width) const {
    if (width > 8 || at > bytes_.size() || bytes_.size() - at < width) return std::nullopt;
    std::uint64_t value = 0;
    std::memcpy(&value, bytes_.data() + at, width);
    return value;
  }
  // 0 where it is not there: for what was checked when the file was opened.
  std::uint32_t u32(std::uint64_t at) const { return static_cast<std::uint32_t>(number(at, 4).value_or(0)); }
  std::uint64_t u64(std::uint64_t at) const { return number(at, 8).value_or(0); }

  // The text at `at` up to its NUL; "" where it does not end within the bytes.
  std::string_view text(std::uint64_t at) const {
    if (at >= bytes_.size()) return {};
    const auto* begin = reinterpret_cast<const char*>(bytes_.data() + at);
    const auto* end = static_cast<const char*>(std::memchr(begin, 0, bytes_.size() - at));
    return end ? std::string_view(begin, static_cast<std::size_t>(end - begin)) : std::string_view{};
  }
  bool text_is(std::uint64_t at, std::string_view wanted) const {
    return at < bytes_.size() && bytes_.size() - at > wanted.size() &&
           std::memcmp(bytes_.data() + at, wanted.data(), wanted.size()) == 0 &&
           bytes_[at + wanted.size()] == std::byte{0};
  }
  // The part [at, at + count); empty where it is not all there.
  std::span<const std::byte> part(std::uint64_t at, std::uint64_t count) const {
    if (at > bytes_.size() || bytes_.size() - at < count) return {};
    return bytes_.subspan(at, count);
  }

 private:
  std::span<const std::byte> bytes_;
};

// Reads on from a place; after a read that went past the end every further one gives 0 and ok() is false.
class Cursor {
 public:
  explicit Cursor(Bytes bytes, std::uint64_t at = 0) : bytes_(bytes), at_(at) {}
  bool ok() const { return ok_; }
  std::uint64_t at() const { return at_; }

  std::uint64_t number(unsigned width) {
    const auto value = ok_ ? bytes_.number(at_, width) : std::nullopt;
    ok_ = value.has_value();
    if (ok_) at_ += width;
    return value.value_or(0);
  }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t uleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      const std::uint64_t byte = number(1);
      if (!ok_) return 0;
      if (shift < 64) value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    ok_ = false;  // longer than any 64-bit number is
    return 0;
  }
  void skip(std::uint64_t count) {
    ok_ = ok_ && at_ <= bytes_.size() && count <= bytes_.size() - at_;
    if (ok_) at_ += count;
  }

 private:
  Bytes bytes_;
  std::uint64_t at_ = 0;
  bool ok_ = true;
};

}  // namespace trapline::index
