#include <fmt/format.h>

#include "dap/handlers/handlers.hpp"

namespace trapline::dap {

Result<spec::ThreadsResponse> handle(spec::Threads, Session& session, const spec::NoArguments&) {
  const auto state = session.control().state();
  if (state == proto::RunState::none || state == proto::RunState::exited) return spec::ThreadsResponse{};
  TL_TRY(const auto threads, session.control().threads());
  spec::ThreadsResponse response;
  response.threads.reserve(threads.size());
  for (const auto& thread : threads)
    response.threads.push_back(
        {thread.id.value, thread.name.empty() ? fmt::format("thread {}", thread.id.value) : thread.name});
  return response;
}

}  // namespace trapline::dap
