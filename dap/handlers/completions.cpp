// DAP `completions`. The client counts UTF-16 units from the begin of the line, we count bytes.
#include <algorithm>

#include "dap/handlers/handlers.hpp"
#include "dap/shapes/coordinates.hpp"

namespace trapline::dap {
namespace {

// UTF-16 units of the UTF-8 character that begins with `lead`; 0 within a character.
std::int64_t units_of(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return (byte & 0xc0) == 0x80 ? 0 : byte >= 0xf0 ? 2 : 1;
}

std::int64_t units(std::string_view text) {
  std::int64_t count = 0;
  for (const char c : text) count += units_of(c);
  return count;
}

// Bytes of `line` before its UTF-16 unit `wanted`; the end where it is shorter.
std::size_t bytes_before(std::string_view line, std::int64_t wanted) {
  std::int64_t count = 0;
  std::size_t at = 0;
  while (at < line.size() && (count < wanted || units_of(line[at]) == 0)) count += units_of(line[at++]);
  return at;
}

std::string_view type_of(std::string_view kind) {
  if (kind == "member") return "field";
  if (kind == "type") return "class";
  if (kind == "enumerator") return "enum";
  if (kind == "register") return "value";
  return "variable";
}

}  // namespace

Result<spec::CompletionsResponse> handle(spec::Completions, Session& session, const spec::CompletionsArguments& args) {
  const std::int64_t first_column = session.coordinates().column(0U);
  std::string_view line(args.text);
  std::size_t begin = 0;
  if (args.line)
    for (std::int64_t left = *args.line - session.coordinates().line(Line{1}); left > 0; --left) {
      const auto end = line.find('\n', begin);
      if (end == std::string_view::npos) break;
      begin = end + 1;
    }
  line = line.substr(begin);
  line = line.substr(0, line.find('\n'));
  // A command of the console is not run here, and so not completed.
  const std::string& prefix = session.settings().command_prefix;
  if (!prefix.empty() && line.starts_with(prefix)) return spec::CompletionsResponse{};
  proto::CompletionSpec wanted{
      .text = std::string(line), .cursor = bytes_before(line, args.column - first_column), .frame = std::nullopt};
  if (args.frame_id) {
    TL_TRY(wanted.frame, session.handles().frames.find(*args.frame_id));
  }
  TL_TRY(const auto found, session.control().completions(wanted));
  const auto start = std::min<std::size_t>(static_cast<std::size_t>(found.start), line.size());
  spec::CompletionsResponse response;
  for (const auto& item : found.items)
    response.targets.push_back({.label = item.text,
                                .type = std::string(type_of(item.kind)),
                                .detail = item.type,
                                .start = units(std::string_view(args.text).substr(0, begin + start)) + first_column,
                                .length = units(line.substr(start, static_cast<std::size_t>(found.length)))});
  return response;
}

}  // namespace trapline::dap
