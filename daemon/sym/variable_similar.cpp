// Near misses and completion: the names that a person at this place could have meant.
#include <algorithm>
#include <set>

#include "daemon/sym/variable_match.hpp"

namespace trapline::sym {

namespace {

void add_fields(const Type* record, std::set<std::string>& names, int depth) {
  if (record == nullptr || depth > 16) return;
  for (const Member& member : record->strip()->complete()->members()) {
    if (member.kind == Member::Kind::field && !member.name.empty()) names.insert(member.name);
    if (member.kind == Member::Kind::static_) names.insert(member.name);
    if (member.kind == Member::Kind::base || member.kind == Member::Kind::virtual_base || member.name.empty())
      add_fields(member.type, names, depth + 1);
  }
}

std::set<std::string> names_in_view(const LookupScope& from) {
  std::set<std::string> names;
  if (!from.scope) return names;
  for (const Variable& v : locals_of(from.scope, from.pc)) names.insert(v.name);
  for (const Variable& v : parameters_of(from.scope)) names.insert(v.name);
  add_fields(implicit_this(from.scope), names, 0);
  const UnitNames& unit = names_of(*from.scope.module).unit_of(from.scope);
  const Path context = context_of(from.scope);
  for (const NameEntry& entry : unit.entries())
    for (std::size_t depth = 0; depth <= context.size(); ++depth)
      if (!entry.name.empty() && spells(unit, entry.parent, std::span(context).first(depth))) names.insert(entry.name);
  names.erase("");
  return names;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > limit) return limit + 1;
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return std::min(last[b.size()], limit + 1);
}

std::vector<std::string> similar_names(const LookupScope& from, std::string_view name, std::size_t limit) {
  const std::size_t allowed = name.size() <= 2 ? 1 : name.size() <= 5 ? 2 : 3;
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& candidate : names_in_view(from)) {
    const std::size_t distance = edit_distance(name, candidate, allowed);
    if (distance <= allowed && distance < candidate.size()) near.emplace_back(distance, candidate);
  }
  std::ranges::sort(near);
  std::vector<std::string> out;
  for (auto& [distance, candidate] : near)
    if (out.size() < limit) out.push_back(std::move(candidate));
  return out;
}

std::vector<std::string> visible_names(const LookupScope& from, std::string_view prefix, std::size_t limit) {
  std::vector<std::string> out;
  for (const std::string& candidate : names_in_view(from))
    if (candidate.starts_with(prefix) && out.size() < limit) out.push_back(candidate);
  return out;
}

std::vector<std::string> names_within(const LookupScope& from, const QualifiedName& scope, std::size_t limit) {
  std::set<std::string> names;
  if (!from.scope) return {};
  const UnitNames& unit = names_of(*from.scope.module).unit_of(from.scope);
  const Path context = scope.global ? Path{} : context_of(from.scope);
  for (const NameEntry& entry : unit.entries())
    for (std::size_t depth = 0; depth <= context.size() && names.size() < limit; ++depth)
      if (!entry.name.empty() && spells(unit, entry.parent, joined(std::span(context).first(depth), scope.parts)))
        names.insert(entry.name);
  return {names.begin(), names.end()};
}

}  // namespace trapline::sym
