#pragma once
// The ELF symbol tables of a module: .symtab (its own, else its debug file's), else .dynsym and .gnu_debugdata.
// Inside the room.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/sym/elf_file.hpp"
#include "daemon/sym/interval_index.hpp"
#include "daemon/sym/names.hpp"

namespace trapline::sym {

struct RawSymbol {
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  std::string_view name;  // in the file's string table, without @version
  bool function = false;
  bool global = false;
};

class SymbolTable {
 public:
  // The files outlive the table. `debug_file` may be null.
  SymbolTable(const ElfFile& program, const ElfFile* debug_file) : program_(program), debug_file_(debug_file) {}
  bool empty() const;  // by the sections' sizes as long as nobody looked a symbol up
  const RawSymbol* at(std::uint64_t address);
  const RawSymbol* exactly_at(std::uint64_t address);
  std::span<const RawSymbol> all_at(std::uint64_t address);  // that begin there
  std::vector<const RawSymbol*> with_mangled_name(std::string_view name);
  // Functions whose last component is that of the query; with their demangled names.
  std::vector<std::pair<const RawSymbol*, std::string>> functions_with_base(const NameQuery& query);
  void each_plain_function(const std::function<void(std::string_view)>& take);  // not mangled
  std::vector<const RawSymbol*> functions_containing(std::string_view text, std::size_t limit);

 private:
  void read();
  void read_from(const ElfFile& file, std::uint32_t section_type);

  const ElfFile& program_;
  const ElfFile* debug_file_;
  std::unique_ptr<ElfFile> mini_;
  bool read_ = false;
  std::vector<RawSymbol> symbols_;  // by address; of those at one address the best known first
  IntervalIndex<std::uint32_t> sized_;
  std::vector<std::uint32_t> by_name_;  // once it was worth sorting
  std::size_t asked_by_name_ = 0;
};

}  // namespace trapline::sym
