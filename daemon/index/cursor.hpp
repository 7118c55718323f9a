#pragma once
// Reads little-endian DWARF data that may be damaged: past the end every read gives 0 and ok() turns false. Beside
// bytes.hpp, which checks every read by itself and is for tables: the scanner
// reads a hundred million fields of a large program one after the other, so everything here is a few inline
// instructions.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace trapline::index {

using Data = std::span<const std::byte>;

class DataCursor {
 public:
  DataCursor() = default;
  explicit DataCursor(Data bytes, std::uint64_t at = 0)
      : begin_(reinterpret_cast<const std::uint8_t*>(bytes.data())), at_(begin_), end_(begin_ + bytes.size()) {
    skip(at);
  }
  bool ok() const { return ok_; }
  bool at_end() const { return at_ >= end_; }
  std::uint64_t offset() const { return static_cast<std::uint64_t>(at_ - begin_); }
  std::uint64_t left() const { return static_cast<std::uint64_t>(end_ - at_); }
  const char* here() const { return reinterpret_cast<const char*>(at_); }
  void fail() {
    ok_ = false;
    at_ = end_;
  }
  void skip(std::uint64_t count) {
    if (count > left()) return fail();
    at_ += count;
  }
  // To an offset further on; what leads back or out is damage.
  void go_forward_to(std::uint64_t offset) {
    if (offset < this->offset() || offset - this->offset() > left()) return fail();
    at_ = begin_ + offset;
  }
  template <class T>
  T fixed() {
    T value{};
    if (sizeof(T) > left()) {
      fail();
      return value;
    }
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::uint8_t u8() { return fixed<std::uint8_t>(); }
  std::uint16_t u16() { return fixed<std::uint16_t>(); }
  std::uint32_t u32() { return fixed<std::uint32_t>(); }
  std::uint64_t u64() { return fixed<std::uint64_t>(); }
  std::uint32_t u24() {
    const std::uint32_t low = u16();
    return low | static_cast<std::uint32_t>(u8()) << 16;
  }
  std::uint64_t sized(bool eight) { return eight ? u64() : u32(); }
  std::uint64_t uleb() {
    if (at_ < end_ && *at_ < 0x80) return *at_++;
    std::uint64_t value = 0;
    for (unsigned shift = 0; at_ < end_; shift += 7) {
      const std::uint8_t byte = *at_++;
      if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    fail();
    return 0;
  }
  std::int64_t sleb() {
    std::uint64_t value = 0;
    unsigned shift = 0;
    while (at_ < end_) {
      const std::uint8_t byte = *at_++;
      if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      shift += 7;
      if ((byte & 0x80) != 0) continue;
      if (shift < 64 && (byte & 0x40) != 0) value |= ~std::uint64_t{0} << shift;
      return static_cast<std::int64_t>(value);
    }
    fail();
    return 0;
  }
  void skip_leb() {
    while (at_ < end_)
      if ((*at_++ & 0x80) == 0) return;
    fail();
  }
  std::string_view c_string() {
    const void* zero = left() > 0 ? std::memchr(at_, 0, left()) : nullptr;
    if (!zero) {
      fail();
      return {};
    }
    const auto size = static_cast<std::size_t>(static_cast<const std::uint8_t*>(zero) - at_);
    const std::string_view text(here(), size);
    at_ += size + 1;
    return text;
  }

 private:
  const std::uint8_t* begin_ = nullptr;
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  bool ok_ = true;
};

// A string of a string section; empty where the offset leads out of it, or no zero ends it.
inline std::string_view string_at(Data section, std::uint64_t offset) {
  if (offset >= section.size()) return {};
  const auto* begin = reinterpret_cast<const char*>(section.data()) + offset;
  const void* zero = std::memchr(begin, 0, section.size() - offset);
  return zero ? std::string_view(begin, static_cast<std::size_t>(static_cast<const char*>(zero) - begin))
              : std::string_view{};
}

}  // namespace trapline::index
