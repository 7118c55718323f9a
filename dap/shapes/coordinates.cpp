#include "dap/shapes/coordinates.hpp"

#include <fmt/format.h>

#include <limits>

namespace trapline::dap {
namespace {

Result<std::uint32_t> from_one(std::int64_t theirs, std::int64_t first, std::string_view what) {
  if (theirs < first || theirs - first >= std::numeric_limits<std::int32_t>::max())
    return fail(Errc::bad_request, fmt::format("{} {} does not exist; the first is {}", what, theirs, first));
  return static_cast<std::uint32_t>(theirs - first + 1);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 3986: unreserved characters and '/' stand for themselves in a path.
bool plain_in_uri(char c) {
  constexpr std::string_view others = "-._~/";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         others.find(c) != std::string_view::npos;
}

}  // namespace

std::int64_t Coordinates::line(Line ours) const {
  return ours.value == 0 ? 0 : static_cast<std::int64_t>(ours.value) - 1 + lines_from_;
}

std::int64_t Coordinates::column(std::uint32_t ours) const {
  return ours == 0 ? columns_from_ : static_cast<std::int64_t>(ours) - 1 + columns_from_;
}

Result<Line> Coordinates::line(std::int64_t theirs) const {
  TL_TRY(const auto value, from_one(theirs, lines_from_, "line"));
  return Line{value};
}

Result<std::uint32_t> Coordinates::column(std::int64_t theirs) const {
  return from_one(theirs, columns_from_, "column");
}

std::string Coordinates::path(const std::string& ours) const {
  if (!uris_) return ours;
  std::string uri = "file://";
  for (const char c : ours) {
    if (plain_in_uri(c))
      uri += c;
    else
      uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

Result<std::string> Coordinates::path_from(const std::string& theirs) const {
  constexpr std::string_view scheme = "file://";
  if (!theirs.starts_with(scheme)) return theirs;
  const auto root = theirs.find('/', scheme.size());  // a host may stand before it
  if (root == std::string::npos) return fail(Errc::bad_request, fmt::format("'{}' names no file", theirs));
  std::string path;
  for (std::size_t i = root; i < theirs.size(); ++i) {
    if (theirs[i] != '%') {
      path += theirs[i];
      continue;
    }
    const int high = i + 2 < theirs.size() ? hex_digit(theirs[i + 1]) : -1;
    const int low = i + 2 < theirs.size() ? hex_digit(theirs[i + 2]) : -1;
    if (high < 0 || low < 0) return fail(Errc::bad_request, fmt::format("'{}' has a broken escape", theirs));
    path += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return path;
}

}  // namespace trapline::dap
