#include "dap/handlers/handlers.hpp"

namespace trapline::dap {
namespace {

std::string mime_type(const std::string& path) {
  const auto ending = path.substr(path.find_last_of("./") + 1);
  if (ending == "c" || ending == "h") return "text/x-c";
  if (ending == "cc" || ending == "cpp" || ending == "cxx" || ending == "hpp" || ending == "hh") return "text/x-c++";
  if (ending == "rs") return "text/x-rust";
  if (ending == "s" || ending == "S") return "text/x-asm";
  return "";
}

}  // namespace

Result<spec::SourceResponse> handle(spec::SourceText, Session& session, const spec::SourceArguments& args) {
  std::string path;
  const int reference = args.source_reference > 0 ? args.source_reference
                        : args.source             ? args.source->source_reference
                                                  : 0;
  if (reference > 0) {
    TL_TRY(path, session.sources().path_of(reference));
  } else if (args.source) {
    TL_TRY(path, session.sources().path_of(*args.source, session.coordinates()));
  } else {
    return fail(Errc::bad_request, "arguments.source: is missing, and there is no sourceReference");
  }
  TL_TRY(auto content, session.control().source_text(path));
  return spec::SourceResponse{.content = std::move(content), .mime_type = mime_type(path)};
}

}  // namespace trapline::dap
