// Arrays: as text where they hold characters, else their first elements, equal ones that follow each other once.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "daemon/eval/format.hpp"
#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/text.hpp"

namespace trapline::eval {

using sym::Encoding;
using sym::Type;
using sym::TypeKind;

namespace {

constexpr std::uint64_t most_looked_at = 200;  // elements
constexpr std::size_t most_shown = 100;
constexpr std::uint64_t repeat_threshold = 10;
constexpr std::uint64_t most_ahead = 64 << 10;  // bytes

// An array's elements and, of flat ones, the bytes of its first, read at once.
class Elements {
 public:
  Elements(const util::Memory& memory, const Value& array, const Type* element, std::uint64_t count,
           std::uint64_t stride)
      : memory_(memory), array_(array), element_(element), count_(count), stride_(stride) {
    const TypeKind kind = element->strip()->kind();
    if (stride > 0 && stride <= 64 && kind != TypeKind::record && kind != TypeKind::array)
      bytes_ = read_bytes(memory, array, 0, window() * stride);
  }
  std::uint64_t window() const { return std::min(count_, most_looked_at); }
  Result<Value> at(std::uint64_t n) const {
    if (!bytes_) return part_of(array_, n * stride_, element_);
    const auto one = bytes_of(*bytes_, n);
    return computed(element_, {one.begin(), one.end()});
  }
  // How many from `n` on are equal, as far as is known.
  std::uint64_t run(std::uint64_t n) const {
    std::uint64_t length = 1;
    if (!bytes_) return length;
    while (n + length < window() && equal(n, *bytes_, n + length)) ++length;
    return n + length == window() && window() < count_ && length >= repeat_threshold ? length + run_ahead(n) : length;
  }

 private:
  std::span<const std::byte> bytes_of(std::span<const std::byte> elements, std::uint64_t n) const {
    return elements.subspan(static_cast<std::size_t>(n * stride_), static_cast<std::size_t>(stride_));
  }
  bool equal(std::uint64_t n, std::span<const std::byte> elements, std::uint64_t other) const {
    return std::ranges::equal(bytes_of(*bytes_, n), bytes_of(elements, other));
  }
  // A run that fills the window goes on for how long nobody knows without reading it all.
  std::uint64_t run_ahead(std::uint64_t n) const {
    const std::uint64_t ahead = std::min(count_ - window(), most_ahead / stride_);
    const auto more = read_bytes(memory_, array_, window() * stride_, ahead * stride_);
    std::uint64_t length = 0;
    while (more && length < ahead && equal(n, *more, length)) ++length;
    return length;
  }

  const util::Memory& memory_;
  const Value& array_;
  const Type* element_;
  std::uint64_t count_, stride_;
  Result<std::vector<std::byte>> bytes_ = fail(Errc::not_available, "not read at once");
};

}  // namespace

std::string Printer::array(const Value& value, std::size_t depth) const {
  const Type* plain = value.type->strip();
  const Type* element = plain->target();
  const auto count = count_of(view_, plain);
  if (!count) {
    if (plain->dynamic_count()) return problem_text(count.error());
    return "{...}";  // int a[]: its length is known to nobody
  }
  if (*count == 0) return "{}";
  const auto stride = size_of(view_, element);
  if (!stride) return problem_text(stride.error());
  // Who counts and names a radix wants the elements.
  const bool counted = depth == 0 && options_.format.count && options_.format.radix != Format::Radix::natural;
  if (is_character(element) && !plain->vector() && !counted)
    if (auto text = characters(value, element, *count * *stride)) return *std::move(text);
  if (depth > options_.limits.summary_depth - 1 && depth > 0) return "{...}";
  return elements(value, *count, *stride, depth);
}

// nullopt: bytes that are no text.
std::optional<std::string> Printer::characters(const Value& value, const Type* element, std::uint64_t bytes) const {
  const std::size_t limit = std::max<std::size_t>(options_.limits.max_string, 1);
  const auto read = read_bytes(*view_.memory, value, 0, std::min<std::uint64_t>(bytes, limit));
  if (!read) return problem_text(read.error());
  StringRead string = string_in(element, *read, bytes > limit);
  const Type* unit = element->strip();
  const bool bytes_only = unit->size() == 1 && unit->name() != "char" && unit->encoding() != Encoding::utf;
  if (bytes_only && (!string.printable || string.empty)) return std::nullopt;
  return std::move(string.text);
}

std::string Printer::elements(const Value& value, std::uint64_t count, std::uint64_t stride, std::size_t depth) const {
  const Type* element = value.type->strip()->target();
  // The rows of a matrix are part of it.
  const std::size_t below = element->strip()->kind() == TypeKind::array ? depth : depth + 1;
  const Elements all(*view_.memory, value, element, count, stride);
  std::string out = "{";
  std::uint64_t next = 0;
  for (std::size_t shown = 0; next < all.window() && shown < most_shown; ++shown) {
    const auto one = all.at(next);
    out += (shown == 0 ? "" : ", ") + (one ? text(*one, below) : problem_text(one.error()));
    const std::uint64_t run = all.run(next);
    if (run >= repeat_threshold) out += fmt::format(" <repeats {} times>", run);
    next += run >= repeat_threshold ? run : 1;
  }
  return out + (next < count ? "...}" : "}");
}

}  // namespace trapline::eval
