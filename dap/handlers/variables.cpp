// DAP `variables`, by pages. The Control counts a value's children as one row, named ones first; the filters of the
// protocol are windows on it.
#include <algorithm>

#include "dap/handlers/handlers.hpp"
#include "dap/shapes/values.hpp"

namespace trapline::dap {
namespace {

struct Window {
  std::uint64_t start = 0;
  std::uint64_t count = 0;  // 0: to the end
  bool empty = false;
};

Window window_of(const spec::VariablesArguments& args, const Container& container) {
  const bool counted = container.named + container.indexed > 0;
  if (!counted) return {args.start, args.count, false};  // its size is not known before it is read
  std::uint64_t first = 0;
  std::uint64_t size = container.named + container.indexed;
  if (args.filter == spec::VariablesFilter::named) {
    size = container.named;
  } else if (args.filter == spec::VariablesFilter::indexed) {
    first = container.named;
    size = container.indexed;
  }
  if (args.start >= size) return {0, 0, true};
  const auto rest = size - args.start;
  return {first + args.start, args.count == 0 ? rest : std::min(args.count, rest), false};
}

}  // namespace

Result<spec::VariablesResponse> handle(spec::Variables, Session& session, const spec::VariablesArguments& args) {
  TL_TRY(const auto container, session.handles().containers.find(args.variables_reference));
  const auto window = window_of(args, container);
  spec::VariablesResponse response;
  if (window.empty) return response;
  TL_TRY(const auto children,
         session.control().children(container.ref, window.start, window.count, format_of(args.format, session)));
  response.variables.reserve(children.size());
  for (const auto& child : children) response.variables.push_back(shape_variable(child, session.handles()));
  return response;
}

}  // namespace trapline::dap
