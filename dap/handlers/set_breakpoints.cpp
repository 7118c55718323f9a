// DAP `setBreakpoints`: the lines of one file.
#include <algorithm>
#include <cctype>

#include "dap/handlers/handlers.hpp"

namespace trapline::dap {
namespace {

// Of the file as the editor shows it; line tables know this one algorithm only.
std::string md5_of(const spec::Source& source) {
  for (const auto& one : source.checksums) {
    if (one.algorithm != "MD5") continue;
    std::string digits = one.checksum;
    std::ranges::transform(digits, digits.begin(), [](unsigned char c) { return std::tolower(c); });
    return digits;
  }
  return {};
}

Result<proto::BreakpointSpec> spec_for(const std::string& file, const std::string& md5,
                                       const spec::SourceBreakpoint& wanted, const Coordinates& coordinates) {
  TL_TRY(const auto line, coordinates.line(wanted.line));
  proto::LinePlace place{.file = file, .line = line, .md5 = md5};
  if (wanted.column) {
    TL_TRY(place.column, coordinates.column(*wanted.column));
  }
  TL_TRY(auto result, breakpoint_spec(std::move(place), wanted.condition, wanted.hit_condition, wanted.mode));
  result.log_message = wanted.log_message;
  return result;
}

}  // namespace

Result<spec::BreakpointsResponse> handle(spec::SetBreakpoints, Session& session,
                                         const spec::SetBreakpointsArguments& args) {
  TL_TRY(const auto file, session.sources().path_of(args.source, session.coordinates()));
  std::vector<Result<proto::BreakpointSpec>> wanted;
  wanted.reserve(args.breakpoints.size());
  for (const auto& one : args.breakpoints)
    wanted.push_back(spec_for(file, md5_of(args.source), one, session.coordinates()));
  TL_TRY(auto breakpoints, session.breakpoints().set("file:" + file, wanted));
  for (std::size_t i = 0; i < wanted.size(); ++i)  // a refused one still belongs to its line in the editor
    if (!wanted[i]) breakpoints[i].line = args.breakpoints[i].line;
  return spec::BreakpointsResponse{std::move(breakpoints)};
}

}  // namespace trapline::dap
