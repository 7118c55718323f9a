// breakpoint.*
#include "proto/rpc/method_rooms.hpp"

namespace trapline::rpc {
namespace {

struct RemoveParams {
  BreakpointId id;
};
struct EditParams {
  std::vector<BreakpointId> remove;
  std::vector<BreakpointParams> add;
};

}  // namespace

template <>
struct Shape<RemoveParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("id", &RemoveParams::id)};
};
template <>
struct Shape<EditParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{field("remove", &EditParams::remove), field("add", &EditParams::add)};
};

namespace {

Result<BreakpointAnswer> set(Desk& desk, const BreakpointParams& params) {
  TL_TRY(const auto spec, breakpoint_spec(params));
  TL_TRY(const auto made, desk.control().edit_breakpoints({}, std::span(&spec, 1)));
  if (made.size() != 1) return fail(Errc::internal, "one breakpoint was asked for, and another number was answered");
  return breakpoint_answer(made.front());
}

Result<std::vector<BreakpointAnswer>> edit(Desk& desk, const EditParams& params) {
  std::vector<proto::BreakpointSpec> specs;
  for (const auto& one : params.add) {
    TL_TRY(auto spec, breakpoint_spec(one));
    specs.push_back(std::move(spec));
  }
  TL_TRY(const auto made, desk.control().edit_breakpoints(params.remove, specs));
  std::vector<BreakpointAnswer> answers;
  for (const auto& info : made) answers.push_back(breakpoint_answer(info));
  return answers;
}

Result<Nothing> remove(Desk& desk, const RemoveParams& params) {
  const auto known = desk.control().breakpoints();
  if (std::ranges::find(known, params.id, &proto::BreakpointInfo::id) == known.end())
    return fail_hint(Errc::not_found, fmt::format("there is no breakpoint {}", params.id.value),
                     "breakpoint.list shows which there are");
  TL_TRY_VOID(desk.control().edit_breakpoints(std::span(&params.id, 1), {}));
  return Nothing{};
}

Result<std::vector<BreakpointAnswer>> list(Desk& desk, const Nothing&) {
  std::vector<BreakpointAnswer> answers;
  for (const auto& info : desk.control().breakpoints()) answers.push_back(breakpoint_answer(info));
  return answers;
}

}  // namespace

void add_breakpoint_methods(Registry& registry) {
  registry.add("breakpoint.set", "Stop, or print, where a line, a function or an address is reached.", set);
  registry.add("breakpoint.edit", "Remove some and add others in one batch; answers those added.", edit);
  registry.add("breakpoint.remove", "Take a breakpoint away.", remove);
  registry.add("breakpoint.list", "All breakpoints with their counters.", list);
}

}  // namespace trapline::rpc
