#include "dap/breakpoint_list.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace trapline::dap {
namespace {

// A total order for finding equal specifications; the place's kind is the same within a group.
auto key_of(const proto::BreakpointSpec& spec) {
  std::tuple<std::string, std::uint64_t, std::uint32_t> place;
  if (const auto* line = std::get_if<proto::LinePlace>(&spec.place))
    place = {line->file + '\n' + line->md5, line->line.value, line->column};
  if (const auto* function = std::get_if<proto::FunctionPlace>(&spec.place)) place = {function->name, 0, 0};
  if (const auto* address = std::get_if<proto::AddressPlace>(&spec.place)) place = {"", address->address.value, 0};
  return std::tuple{std::move(place), spec.condition, spec.hit_condition, spec.log_message, spec.mode};
}

}  // namespace

Result<std::vector<proto::dap::Breakpoint>> BreakpointList::set(
    const std::string& group, const std::vector<Result<proto::BreakpointSpec>>& wanted) {
  std::multimap<decltype(key_of({})), BreakpointId> leaving;
  if (const auto before = groups_.find(group); before != groups_.end())
    for (const auto id : before->second)
      if (const auto own = own_.find(id); own != own_.end()) leaving.emplace(key_of(own->second.spec), id);

  std::vector<BreakpointId> now(wanted.size());  // {}: to be added, or failed
  std::vector<proto::BreakpointSpec> add;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i]) continue;
    if (const auto same = leaving.find(key_of(*wanted[i])); same != leaving.end()) {
      now[i] = same->second;
      leaving.erase(same);
    } else {
      add.push_back(*wanted[i]);
    }
  }
  std::vector<BreakpointId> remove;
  for (const auto& [key, id] : leaving) remove.push_back(id);
  std::vector<proto::BreakpointInfo> added;
  if (!remove.empty() || !add.empty()) {
    TL_TRY(added, control_.edit_breakpoints(remove, add));
    if (added.size() != add.size()) return fail(Errc::internal, "edit_breakpoints answered with another number");
  }

  for (const auto id : remove) own_.erase(id);
  std::vector<proto::dap::Breakpoint> answer;
  answer.reserve(wanted.size());
  auto next_added = added.begin();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i]) {
      answer.push_back(failed_breakpoint(wanted[i].error()));
      continue;
    }
    if (now[i] == BreakpointId{}) {
      const auto& info = *next_added++;
      now[i] = info.id;
      own_.insert_or_assign(info.id, Own{*wanted[i], shape_breakpoint(info, sources_, coordinates_)});
    }
    answer.push_back(own_.at(now[i]).last_told);
  }
  std::erase(now, BreakpointId{});
  groups_[group] = std::move(now);
  return answer;
}

std::optional<proto::dap::Breakpoint> BreakpointList::changed(const proto::BreakpointInfo& info) {
  const auto own = own_.find(info.id);
  if (own == own_.end()) return std::nullopt;
  auto shape = shape_breakpoint(info, sources_, coordinates_);
  if (shape == own->second.last_told) return std::nullopt;  // e.g. only its hits
  own->second.last_told = shape;
  return shape;
}

std::optional<proto::dap::Breakpoint> BreakpointList::removed(BreakpointId id) {
  const auto own = own_.extract(id);
  if (own.empty()) return std::nullopt;
  return std::move(own.mapped().last_told);
}

void BreakpointList::clear() {
  std::vector<BreakpointId> all;
  all.reserve(own_.size());
  for (const auto& [id, own] : own_) all.push_back(id);
  own_.clear();
  groups_.clear();
  // The debuggee may be gone already, and then there is nothing to take away.
  if (!all.empty()) static_cast<void>(control_.edit_breakpoints(all, {}));
}

std::string BreakpointList::stop_reason(std::span<const BreakpointId> hit) const {
  std::optional<std::size_t> kind;
  for (const auto id : hit) {
    const auto own = own_.find(id);
    if (own == own_.end() || (kind && *kind != own->second.spec.place.index())) return "breakpoint";
    kind = own->second.spec.place.index();
  }
  using proto::BreakpointPlace;
  static_assert(std::is_same_v<std::variant_alternative_t<1, BreakpointPlace>, proto::FunctionPlace>);
  static_assert(std::is_same_v<std::variant_alternative_t<2, BreakpointPlace>, proto::AddressPlace>);
  return kind == 1U ? "function breakpoint" : kind == 2U ? "instruction breakpoint" : "breakpoint";
}

}  // namespace trapline::dap
