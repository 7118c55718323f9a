#include "dap/handlers/handlers.hpp"

namespace trapline::dap {

Result<spec::LoadedSourcesResponse> handle(spec::LoadedSources, Session& session, const spec::NoArguments&) {
  TL_TRY(const auto files, session.control().source_files());
  spec::LoadedSourcesResponse response;
  response.sources.reserve(files.size());
  for (const auto& file : files) response.sources.push_back(session.sources().shape(file, session.coordinates()));
  return response;
}

}  // namespace trapline::dap
