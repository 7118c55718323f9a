#pragma once
// What is known of the code at one pc: how to leave its frame, and what people call it.
//
// Facts about a module's code never change, so they are kept for as long as the module is open and shared by all stops
// and all threads' stacks (CodeMap::forget_closed_modules() drops the rest). Facts about other code (JIT, stubs, a jump
// to nowhere) live as long as the CodeMap. Thread: the loop's.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/image/modules.hpp"
#include "daemon/sym/cfi.hpp"
#include "daemon/util/memory.hpp"
#include "proto/words/addr.hpp"

namespace trapline::stack {

// How a frame came to its pc. A caller stands behind its call, which may be the last instruction of its function (the
// call of a noreturn function), so it is looked up one byte before; who was interrupted stands exactly at pc.
enum class PcKind : std::uint8_t { exact, return_address };

enum class RowSource : std::uint8_t { none, cfi, analysed };

struct CodeLevel {  // one inlined call, or the function itself (the last)
  std::string function;
  std::string file;
  Line line;
  std::uint32_t column = 0;
  sym::DieRef scope;
};

struct CodeFacts {
  LoadAddr pc;
  LoadAddr lookup_pc;
  std::uint64_t bias = 0;
  std::optional<ModuleId> module;
  std::string module_name;
  bool readable = false;
  bool executable = false;     // in an executable segment of a module; elsewhere: readable, and looks like code
  bool trampoline = false;     // the kernel's signal trampoline: what it "returns" to was interrupted
  bool never_called = false;   // a return address that is a function's first byte, behind no call: put there by hand
  bool program_start = false;  // the first code of a program or of ld.so, which nobody called
  RowSource source = RowSource::none;
  sym::CfiRow row;
  std::string problem;  // why there is no row, where that is not plain absence
  std::optional<LoadAddr> function_begin;

  bool named = false;  // `levels` is filled on the first CodeMap::levels()
  std::vector<CodeLevel> levels;
};

class ModuleCode;

class CodeMap {
 public:
  CodeMap(const util::Memory& memory, const image::Modules& modules);
  ~CodeMap();

  // The reference stays valid as long as the map.
  CodeFacts& at(LoadAddr pc, PcKind kind);
  // Innermost first, never empty. `by_symbol`: without opening a separate debug file for it.
  enum class Effort : std::uint8_t { full, by_symbol };
  const std::vector<CodeLevel>& levels(CodeFacts& facts, Effort effort = Effort::full);
  bool in_program(const CodeFacts& facts) const;  // in the executable itself, not in a library

  static void forget_closed_modules();

 private:
  CodeFacts& find(LoadAddr pc, PcKind kind);
  void learn_module_code(CodeFacts& facts, PcKind kind, const image::MappedModule& module, const ModuleCode& code);
  void learn_other_code(CodeFacts& facts, PcKind kind);
  void learn_row(CodeFacts& facts, PcKind kind, const image::MappedModule& module, const ModuleCode& code);
  void analyse(CodeFacts& facts, const image::MappedModule& module);
  bool starts_program(const CodeFacts& facts, const image::MappedModule& module) const;

  const util::Memory& memory_;
  const image::Modules& modules_;
  std::vector<std::shared_ptr<ModuleCode>> used_;  // keeps the facts that we gave out
  std::vector<std::unique_ptr<CodeFacts>> own_;
  std::unordered_map<std::uint64_t, CodeFacts*> known_;
  std::uint64_t last_key_ = ~std::uint64_t{0};
  CodeFacts* last_ = nullptr;
};

}  // namespace trapline::stack
