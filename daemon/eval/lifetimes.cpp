#include "daemon/eval/lifetimes.hpp"

namespace trapline::eval {

void Lifetimes::read() {
  read_ = true;
  if (place_.module == nullptr || !place_.module->symbols) return;
  const sym::Module& module = *place_.module->symbols;
  if (module.optimized().value_or(true)) return;
  const auto function = module.function_at(place_.file_pc);
  const auto here = module.line_at(place_.file_pc);
  if (!function || !here) return;
  for (const sym::FileRange& range : function->ranges)
    for (const sym::LineRow& row : module.lines_in(range)) {
      if (row.end_sequence || row.line.value == 0 || row.file != here->file) continue;
      const auto [entry, fresh] = first_.try_emplace(row.line.value, row.address);
      if (!fresh) entry->second = std::min(entry->second, row.address);
    }
}

bool Lifetimes::not_yet(const sym::Variable& variable) {
  if (variable.is_static || variable.artificial || variable.gone || variable.declared.value == 0) return false;
  if (!read_) read();
  const auto first = first_.find(variable.declared.value);
  if (first == first_.end()) return false;
  // The next line with code begins earlier: an initialiser over several lines, a header of a loop. Nothing is said
  // then.
  if (const auto next = std::next(first); next != first_.end() && next->second < first->second) return false;
  return place_.file_pc <= first->second;
}

}  // namespace trapline::eval
