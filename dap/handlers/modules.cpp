#include <algorithm>

#include "dap/handlers/handlers.hpp"
#include "dap/shapes/values.hpp"

namespace trapline::dap {

Result<spec::ModulesResponse> handle(spec::Modules, Session& session, const spec::ModulesArguments& args) {
  const auto all = session.control().modules();
  spec::ModulesResponse response{.modules = {}, .total_modules = all.size()};
  const auto first = std::min<std::uint64_t>(args.start_module, all.size());
  const auto rest = all.size() - first;
  const auto count = args.module_count == 0 ? rest : std::min<std::uint64_t>(args.module_count, rest);
  for (auto i = first; i < first + count; ++i) response.modules.push_back(shape_module(all[i]));
  return response;
}

}  // namespace trapline::dap
