#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "proto/wire/framing.hpp"

namespace trapline::wire {
namespace {

// Depth of arrays and objects in `text`, without building a value; strings are stepped over.
std::size_t nesting(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

const nlohmann::json& representative(const nlohmann::json& message) {
  return message.is_array() && !message.empty() ? message.front() : message;  // a JSON-RPC batch
}

Result<Protocol> protocol_of(const nlohmann::json& message, Framing framing) {
  const auto& first = representative(message);
  if (first.is_object() && first.contains("jsonrpc")) return Protocol::rpc;
  if (message.is_object() && message.contains("type")) {
    if (framing == Framing::headers) return Protocol::dap;
    return fail_hint(Errc::bad_request, "a DAP message came without its frame",
                     "put 'Content-Length: BYTES' and an empty line before each message");
  }
  return fail_hint(Errc::bad_request, "the first message is neither DAP (\"type\") nor JSON-RPC (\"jsonrpc\")",
                   R"(send {"jsonrpc":"2.0","id":1,"method":"rpc.discover"} to see what there is)");
}

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text) {
  constexpr std::size_t deepest = 200;
  if (nesting(text) > deepest)
    return fail(Errc::bad_request, fmt::format("JSON is nested deeper than {} levels", deepest));
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& e) {
    const auto at = e.byte > 0 ? e.byte - 1 : 0;
    return fail(Errc::bad_request, fmt::format("malformed JSON at byte {}: '{}'", e.byte,
                                               excerpt(text.substr(std::min(at > 16 ? at - 16 : 0, text.size())))));
  } catch (const nlohmann::json::exception& e) {  // e.g. a number out of range
    return fail(Errc::bad_request, fmt::format("malformed JSON: {}", e.what()));
  }
}

std::string encode(const nlohmann::json& message) {
  return message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string encode_frame(const nlohmann::json& message) { return frame_body(encode(message)); }

std::string encode_line(const nlohmann::json& message) { return encode(message) + '\n'; }

std::string encode_as(Framing framing, const nlohmann::json& message) {
  return framing == Framing::headers ? encode_frame(message) : encode_line(message);
}

void Sniffer::feed(std::string_view bytes) {
  if (reader_) return reader_->feed(bytes);
  early_.append(bytes);
  const auto first = early_.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) {
    early_.clear();
    return;
  }
  const char c = early_[first];
  reader_.emplace(c == '{' || c == '[' ? Framing::lines : Framing::headers, limits_);
  reader_->feed(std::string_view(early_).substr(first));
  early_.clear();
}

Result<std::optional<FirstMessage>> Sniffer::next() {
  if (!reader_) return std::nullopt;
  TL_TRY(auto body, reader_->next());
  if (!body) return std::nullopt;
  TL_TRY(const auto message, parse_json(*body));
  TL_TRY(const auto protocol, protocol_of(message, reader_->framing()));
  return FirstMessage{protocol, reader_->framing(), std::move(*body)};
}

MessageReader Sniffer::take_reader() {
  TL_ASSERT(reader_.has_value());
  return std::move(*reader_);
}

std::optional<Framing> Sniffer::framing() const { return reader_ ? std::optional(reader_->framing()) : std::nullopt; }

}  // namespace trapline::wire
