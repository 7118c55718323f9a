#include "daemon/stack/code_map.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "daemon/stack/instructions.hpp"

namespace trapline::stack {
namespace {

constexpr std::size_t most_facts_per_module = 100'000;
// ld.so's first code calls its main function and the program's: both return into these bytes.
constexpr std::uint64_t start_code_size = 0x100;

std::uint64_t key_of(std::uint64_t pc, PcKind kind) {
  return kind == PcKind::exact ? pc : pc ^ (std::uint64_t{1} << 63);
}

}  // namespace

// One mapped module: its call frame information, and the facts found so far, by file address.
class ModuleCode {
 public:
  explicit ModuleCode(const image::MappedModule& module)
      : id(module.id), bias(module.bias), symbols(module.symbols), cfi(sym::CfiTable::of(module.symbols)) {}

  bool fits(const image::MappedModule& module) const {
    return id == module.id && bias == module.bias && facts.size() < most_facts_per_module;
  }
  bool executable(std::uint64_t at) const {
    return std::ranges::any_of(symbols->segments(),
                               [&](const sym::Segment& s) { return s.executable && s.range.contains(at); });
  }

  ModuleId id;
  std::uint64_t bias;
  std::shared_ptr<const sym::Module> symbols;
  std::unique_ptr<const sym::CfiTable> cfi;
  std::unordered_map<std::uint64_t, std::unique_ptr<CodeFacts>> facts;
};

namespace {

// Static because modules are immutable, and outlive a stop; it is the loop thread's alone.
using Registry = std::unordered_map<const sym::Module*, std::shared_ptr<ModuleCode>>;
Registry& registry() {
  static Registry instance;
  return instance;
}

std::shared_ptr<ModuleCode> code_of(const image::MappedModule& module) {
  auto& slot = registry()[module.symbols.get()];
  if (slot && slot->fits(module)) return slot;
  auto made = std::make_shared<ModuleCode>(module);
  slot = made;
  CodeMap::forget_closed_modules();  // modules come when others may have gone
  return made;
}

}  // namespace

void CodeMap::forget_closed_modules() {
  // The table of call frame information holds a reference, ModuleCode another: two are ours.
  constexpr long own_references = 2;
  std::erase_if(registry(), [](const Registry::value_type& entry) {
    return entry.second.use_count() == 1 && entry.second->symbols.use_count() <= own_references;
  });
}

CodeMap::CodeMap(const util::Memory& memory, const image::Modules& modules) : memory_(memory), modules_(modules) {}
CodeMap::~CodeMap() = default;

CodeFacts& CodeMap::at(LoadAddr pc, PcKind kind) {
  const std::uint64_t key = key_of(pc.value, kind);
  if (last_ != nullptr && key == last_key_) return *last_;
  auto [known, added] = known_.try_emplace(key, nullptr);
  if (added) known->second = &find(pc, kind);
  last_key_ = key;
  last_ = known->second;
  return *last_;
}

CodeFacts& CodeMap::find(LoadAddr pc, PcKind kind) {
  // A call that ends its module leaves a return address just behind it.
  const LoadAddr lookup = kind == PcKind::exact || pc.value == 0 ? pc : pc - ByteCount{1};
  const image::MappedModule* module = modules_.find(lookup);
  if (module == nullptr || !module->symbols) {
    auto facts = std::make_unique<CodeFacts>();
    facts->pc = pc;
    facts->lookup_pc = lookup;
    learn_other_code(*facts, kind);
    return *own_.emplace_back(std::move(facts));
  }
  auto code = code_of(*module);
  if (std::ranges::find(used_, code) == used_.end()) used_.push_back(code);
  auto& slot = code->facts[key_of(pc.value - module->bias, kind)];
  if (!slot) {
    slot = std::make_unique<CodeFacts>();
    slot->pc = pc;
    slot->lookup_pc = lookup;
    learn_module_code(*slot, kind, *module, *code);
  }
  return *slot;
}

void CodeMap::learn_other_code(CodeFacts& facts, PcKind kind) {
  std::byte first{};
  facts.readable = memory_.read_some(facts.pc, std::span(&first, 1)) == 1;
  facts.trampoline = facts.readable && is_signal_trampoline(facts.pc, memory_);
  if (facts.trampoline) facts.lookup_pc = facts.pc;
  // No module says what is code here: something must be there, and for a caller a call must stand before it.
  facts.executable = facts.readable && (kind == PcKind::exact || facts.trampoline || call_before(facts.pc, memory_));
}

void CodeMap::learn_module_code(CodeFacts& facts, PcKind kind, const image::MappedModule& module,
                                const ModuleCode& code) {
  facts.bias = module.bias;
  facts.module = module.id;
  facts.module_name = module.path.substr(module.path.rfind('/') + 1);
  facts.readable = true;
  facts.executable = code.executable(facts.lookup_pc.value - module.bias);
  if (!facts.executable) return;
  learn_row(facts, kind, module, code);
  if (facts.source == RowSource::cfi) return;
  facts.trampoline = is_signal_trampoline(facts.pc, memory_);
  if (facts.trampoline) {
    facts.lookup_pc = facts.pc;
    return;
  }
  facts.program_start = starts_program(facts, module);
  if (!facts.program_start) analyse(facts, module);
}

void CodeMap::learn_row(CodeFacts& facts, PcKind kind, const image::MappedModule& module, const ModuleCode& code) {
  auto row = code.cfi->row_at(facts.lookup_pc.value - module.bias);
  const std::uint64_t pc = facts.pc.value - module.bias;
  // What is returned to but was never called: signal trampolines, makecontext()'s last function. Where such an entry
  // does not begin one byte early (glibc's trampoline does, for this very reason), the byte before belongs to something
  // else.
  if (kind == PcKind::return_address && (!row || row->range.end == pc))
    if (auto exact = code.cfi->row_at(pc); exact) {
      facts.never_called = !exact->signal_frame && exact->range.begin == pc && !call_before(facts.pc, memory_);
      if (exact->signal_frame || facts.never_called) {
        row = std::move(exact);
        facts.lookup_pc = facts.pc;
      }
    }
  if (!row) {
    if (row.error().code != Errc::not_found) facts.problem = row.error().message;
    return;
  }
  facts.row = *std::move(row);
  facts.source = RowSource::cfi;
  facts.trampoline = facts.row.signal_frame;
  if (facts.trampoline) facts.lookup_pc = facts.pc;
}

bool CodeMap::starts_program(const CodeFacts& facts, const image::MappedModule& module) const {
  const LoadAddr entry{module.symbols->entry() + module.bias};
  if (module.symbols->entry() == 0 || facts.lookup_pc < entry) return false;
  if ((facts.lookup_pc - entry).value >= start_code_size) return false;
  const auto symbol = module.symbols->symbol_at(facts.lookup_pc.value - module.bias);
  return !symbol || symbol->address <= module.symbols->entry() || symbol->name == "_dl_start_user";
}

// Without call frame information, the stack pointer is followed through the instructions from where the function (or
// the linker's stub) begins.
void CodeMap::analyse(CodeFacts& facts, const image::MappedModule& module) {
  constexpr std::uint64_t stub_size = 16;
  const auto take = [&](LoadAddr begin, std::int64_t initial_cfa) {
    auto row = analyse_function(begin, facts.pc, initial_cfa, memory_);
    if (!row) return false;
    facts.row = *std::move(row);
    facts.source = RowSource::analysed;
    return true;
  };
  const std::uint64_t at = facts.lookup_pc.value - module.bias;
  for (const char* name : {".plt", ".plt.sec", ".plt.got"}) {
    const auto section = module.symbols->section(name);
    if (!section || !section->contains(at)) continue;
    const std::uint64_t into = at - section->begin;
    const LoadAddr begin{section->begin + module.bias};
    // The first stub of .plt is jumped to by the others. psABI 5.2: they have pushed an index before, and it begins
    // with a push of GOT+8. mold keeps the index in a register, and its first stub takes two slots.
    if (std::string_view(name) == ".plt" && into < 2 * stub_size) {
      std::array<std::byte, 2> opcode{};
      const bool pushed =
          memory_.read(begin, opcode).has_value() && opcode[0] == std::byte{0xff} && opcode[1] == std::byte{0x35};
      if ((!pushed || into < stub_size) && take(begin, pushed ? 16 : 8)) return;
    }
    if (take(begin + ByteCount{into / stub_size * stub_size}, 8)) return;
  }
  if (const auto symbol = module.symbols->symbol_at(at); symbol && symbol->address <= at) {
    facts.function_begin = LoadAddr{symbol->address + module.bias};
    take(*facts.function_begin, 8);
  }
}

bool CodeMap::in_program(const CodeFacts& facts) const {
  const auto entry = modules_.entry_of_program();
  const auto* program = entry ? modules_.find(*entry) : nullptr;
  return program != nullptr && facts.module == program->id;
}

const std::vector<CodeLevel>& CodeMap::levels(CodeFacts& facts, Effort effort) {
  if (facts.named) return facts.levels;
  facts.named = true;
  std::optional<image::CodePlace> place;
  if (facts.module && effort == Effort::by_symbol) place = modules_.place_without_opening(facts.lookup_pc);
  const bool by_symbol = place.has_value();
  if (facts.module && !by_symbol) place = modules_.place(facts.lookup_pc);
  if (place) {
    facts.function_begin = place->function_begin;
    if (!place->module_name.empty()) facts.module_name = place->module_name;
  }
  if (place && !by_symbol) {
    for (auto& level : modules_.inline_chain(facts.lookup_pc))
      facts.levels.push_back({level.function, level.file, level.line, level.column, level.die});
  }
  if (facts.levels.empty()) {
    auto& only = facts.levels.emplace_back();
    if (place) only = {place->function, place->file, place->line, place->column, {}};
  }
  return facts.levels;
}

}  // namespace trapline::stack
