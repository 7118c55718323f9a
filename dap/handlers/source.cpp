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

Result<std::string> wanted(Session& session, const spec::SourceArguments& args) {
  const int reference = args.source_reference > 0 ? args.source_reference
                        : args.source             ? args.source->source_reference
                                                  : 0;
  if (reference > 0) return session.sources().path_of(reference);
  if (args.source) return session.sources().path_of(*args.source, session.coordinates());
  return fail(Errc::bad_request, "arguments.source: is missing, and there is no sourceReference");
}

}  // namespace

void handle(spec::SourceText, Session& session, const spec::SourceArguments& args, Reply<spec::SourceResponse> reply) {
  const auto path = wanted(session, args);
  if (!path) return reply(std::unexpected(path.error()));
  session.control().read_source(*path, [path = *path, reply](Result<std::string> content) {
    if (!content) return reply(std::unexpected(content.error()));
    reply(spec::SourceResponse{.content = *std::move(content), .mime_type = mime_type(path)});
  });
}

}  // namespace trapline::dap
