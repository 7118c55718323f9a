#include "daemon/index/unit_table.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace trapline::index {

UnitTable UnitTable::of(std::shared_ptr<const DebugFile> file, std::shared_ptr<const DebugFile> alternate) {
  UnitTable table;
  const auto add = [&](Data section, bool in_types, bool in_alternate) {
    for (const auto& head : read_unit_heads(section, in_types, table.problem))
      table.heads.push_back({head, in_alternate});
  };
  add(file->sections().info, false, false);
  add(file->sections().types, true, false);
  if (alternate) add(alternate->sections().info, false, true);
  table.file = std::move(file);
  table.alternate = std::move(alternate);
  return table;
}

const UnitTable::Place* UnitTable::holding(std::uint64_t offset, bool in_alternate) const {
  // Sorted by (alternate, types, offset): of() put them in that order.
  const auto key = [](const Place& p) { return std::tuple(p.alternate, p.head.in_types, p.head.offset); };
  auto next = std::ranges::upper_bound(heads, std::tuple(in_alternate, false, offset), {}, key);
  if (next == heads.begin()) return nullptr;
  --next;
  const bool fits = next->alternate == in_alternate && !next->head.in_types && offset >= next->head.first_die &&
                    offset < next->head.end;
  return fits ? &*next : nullptr;
}

const UnitTable::Place* UnitTable::holding_header(std::uint64_t offset) const {
  const auto key = [](const Place& p) { return std::tuple(p.alternate, p.head.in_types, p.head.offset); };
  const auto found = std::ranges::lower_bound(heads, std::tuple(false, false, offset), {}, key);
  return found != heads.end() && key(*found) == std::tuple(false, false, offset) ? &*found : nullptr;
}

}  // namespace trapline::index
