#include "proto/rpc/codec.hpp"

namespace trapline::rpc {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view type_name(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null: return "null";
    case Json::value_t::object: return "an object";
    case Json::value_t::array: return "an array";
    case Json::value_t::string: return "a string";
    case Json::value_t::boolean: return "a boolean";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned: return "an integer";
    case Json::value_t::number_float: return "a fraction";
    default: return "something else";
  }
}

void Codec<LoadAddr>::read(const Json& from, LoadAddr& into, Reading reading) {
  if (!from.is_string()) return Codec<std::uint64_t>::read(from, into.value, reading);
  const auto& text = from.get_ref<const std::string&>();
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  const char* begin = text.data() + (hex ? 2 : 0);
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(begin, end, into.value, hex ? 16 : 10);
  if (error != std::errc{} || stop != end || begin == end)
    throw CodecError{
        fmt::format("must be an address like \"0x401136\" or a number, not {}",
                    text.size() > 40 ? "this text" : from.dump(-1, ' ', false, Json::error_handler_t::replace))};
}

Json Codec<std::vector<std::byte>>::write(const std::vector<std::byte>& bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    text += digits[std::to_integer<unsigned>(b) >> 4];
    text += digits[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

void Codec<std::vector<std::byte>>::read(const Json& from, std::vector<std::byte>& into, Reading) {
  if (!from.is_string()) throw CodecError{fmt::format("must be a string of hex digits, not {}", type_name(from))};
  const auto& text = from.get_ref<const std::string&>();
  into.clear();
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    const int high = hex_digit(text[i]);
    const int low = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
    if (high < 0 || low < 0)
      throw CodecError{fmt::format("must be bytes as pairs of hex digits; character {} is not one", i)};
    into.push_back(static_cast<std::byte>(high * 16 + low));
    i += 2;
  }
}

}  // namespace trapline::rpc
