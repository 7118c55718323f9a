#include "daemon/sym/symbols.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include "daemon/sym/mini_debug_info.hpp"

namespace trapline::sym {
namespace {

constexpr std::size_t max_symbols = 1U << 25;
constexpr std::size_t worth_sorting = 16;

bool names_code_or_data(unsigned type) {
  return type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE || type == STT_GNU_IFUNC;
}

// Of several names for one address: functions, global ones, those without the marks of an internal alias.
auto rank(const RawSymbol& symbol) {
  const auto underscores = std::min(symbol.name.find_first_not_of('_'), symbol.name.size());
  const auto internal = is_mangled(symbol.name) ? std::size_t{0} : underscores;
  return std::tuple(symbol.address, !symbol.function, symbol.size == 0, !symbol.global, internal, symbol.name.size(),
                    symbol.name);
}

}  // namespace

void SymbolTable::read_from(const ElfFile& file, std::uint32_t section_type) {
  Elf_Scn* scn = nullptr;
  while ((scn = elf_nextscn(file.elf(), scn)) != nullptr) {
    GElf_Shdr header;
    if (!gelf_getshdr(scn, &header) || header.sh_type != section_type || header.sh_entsize == 0) continue;
    Elf_Data* data = elf_getdata(scn, nullptr);
    if (!data) continue;
    const std::size_t count = std::min<std::size_t>(data->d_size / sizeof(Elf64_Sym), max_symbols);
    for (std::size_t i = 0; i < count; ++i) {
      GElf_Sym symbol;
      if (!gelf_getsym(data, static_cast<int>(i), &symbol)) break;
      if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS || symbol.st_value == 0) continue;
      const auto type = GELF_ST_TYPE(symbol.st_info);
      if (!names_code_or_data(type)) continue;
      const char* text = elf_strptr(file.elf(), header.sh_link, symbol.st_name);
      if (!text || !*text) continue;
      std::string_view name(text);
      if (const auto version = name.find('@'); version != std::string_view::npos && version > 0)
        name = name.substr(0, version);
      const bool code = type == STT_FUNC || type == STT_GNU_IFUNC;
      symbols_.push_back({.address = symbol.st_value,
                          .size = symbol.st_size,
                          .name = name,
                          .function = code || (type == STT_NOTYPE && program_.executable_at(symbol.st_value)),
                          .global = GELF_ST_BIND(symbol.st_info) != STB_LOCAL});
    }
  }
}

void SymbolTable::read() {
  if (read_) return;
  read_ = true;
  read_from(program_, SHT_SYMTAB);
  if (symbols_.empty() && debug_file_) read_from(*debug_file_, SHT_SYMTAB);
  if (symbols_.empty()) {
    read_from(program_, SHT_DYNSYM);
    // It holds the functions that .dynsym does not.
    mini_ = mini_debug_info(program_);
    if (mini_) read_from(*mini_, SHT_SYMTAB);
  }
  std::ranges::sort(symbols_, [](const RawSymbol& a, const RawSymbol& b) {
    return a.address != b.address ? a.address < b.address : rank(a) < rank(b);
  });
  for (std::uint32_t i = 0; i < symbols_.size(); ++i) {
    const auto& symbol = symbols_[i];
    const bool first_here = i == 0 || symbols_[i - 1].address != symbol.address;
    if (!first_here) continue;
    std::uint64_t end = 0;
    if (symbol.size != 0 && !__builtin_add_overflow(symbol.address, symbol.size, &end))
      sized_.add(symbol.address, end, i);
  }
  sized_.seal();
  for (const auto* file : {&program_, debug_file_})
    if (file) file->release_pages();
}

bool SymbolTable::empty() const {
  if (read_) return symbols_.empty();
  const auto any_in = [](const ElfFile& file) {
    Elf_Scn* scn = nullptr;
    while ((scn = elf_nextscn(file.elf(), scn)) != nullptr) {
      GElf_Shdr header;
      if (gelf_getshdr(scn, &header) && (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM) &&
          header.sh_size > sizeof(Elf64_Sym))  // the first entry of every table says nothing
        return true;
    }
    return false;
  };
  return !any_in(program_) && program_.section(".gnu_debugdata") == nullptr &&
         (debug_file_ == nullptr || !any_in(*debug_file_));
}

std::span<const RawSymbol> SymbolTable::all_at(std::uint64_t address) {
  read();
  return std::ranges::equal_range(symbols_, address, {}, &RawSymbol::address);
}

const RawSymbol* SymbolTable::exactly_at(std::uint64_t address) {
  const auto found = all_at(address);
  return found.empty() ? nullptr : &found.front();
}

const RawSymbol* SymbolTable::at(std::uint64_t address) {
  read();
  if (const auto* covering = sized_.find(address)) return &symbols_[covering->payload];
  // A label of hand-written assembler has no size: it reaches to the next symbol, and not out of its section (else all
  // of .plt would be called _init).
  auto next = std::ranges::upper_bound(symbols_, address, {}, &RawSymbol::address);
  if (next == symbols_.begin()) return nullptr;
  const std::uint64_t begin = std::prev(next)->address;
  const RawSymbol* below = exactly_at(begin);
  if (!below || below->size != 0) return nullptr;
  for (const auto& section : program_.sections())
    if (section.range.contains(address)) return section.range.contains(begin) ? below : nullptr;
  return nullptr;
}

std::vector<const RawSymbol*> SymbolTable::with_mangled_name(std::string_view name) {
  read();
  std::vector<const RawSymbol*> found;
  // The first few questions are answered faster by looking at each than by putting 100,000 into order.
  if (by_name_.empty() && ++asked_by_name_ <= worth_sorting) {
    for (const auto& symbol : symbols_)
      if (symbol.name == name) found.push_back(&symbol);
    return found;
  }
  if (by_name_.empty()) {
    by_name_.resize(symbols_.size());
    for (std::uint32_t i = 0; i < by_name_.size(); ++i) by_name_[i] = i;
    std::ranges::stable_sort(by_name_, {}, [&](std::uint32_t i) { return symbols_[i].name; });
  }
  for (const auto i : std::ranges::equal_range(by_name_, name, {}, [&](std::uint32_t n) { return symbols_[n].name; }))
    found.push_back(&symbols_[i]);
  return found;
}

std::vector<std::pair<const RawSymbol*, std::string>> SymbolTable::functions_with_base(const NameQuery& query) {
  read();
  std::vector<std::pair<const RawSymbol*, std::string>> found;
  const std::string base(query.base());
  const bool every = query.every_name();
  if (base.empty() && !every) return found;
  // A mangled name holds its identifiers in plain: that spares nearly all the demangling. Operators are coded.
  const bool coded = every || base.starts_with("operator");
  const std::string_view identifier = std::string_view(base).substr(base.starts_with('~') ? 1 : 0);
  for (const auto& symbol : symbols_) {
    if (!symbol.function) continue;
    if (!is_mangled(symbol.name)) {
      // gcc marks the variants of a function: "f.isra.0", "f.part.1"; whether that is f is for the DIE to say.
      const bool variant = symbol.name.size() > base.size() && symbol.name[base.size()] == '.' &&
                           symbol.name.starts_with(base) && !symbol.name.ends_with(".cold");
      if (every || symbol.name == base || variant) found.emplace_back(&symbol, std::string(symbol.name));
      continue;
    }
    if (!coded && symbol.name.find(identifier) == std::string_view::npos) continue;
    std::string plain = demangle(symbol.name);
    if (every) {
      found.emplace_back(&symbol, std::move(plain));
      continue;
    }
    const std::string name = without_parameters(plain);
    const auto last = without_template_arguments(split_scopes(name).back());
    // The type of a conversion is spelled in many ways: name_fits() compares them.
    const bool conversion = base.starts_with("operator ") && last.starts_with("operator ");
    if (conversion || last == base) found.emplace_back(&symbol, std::move(plain));
  }
  return found;
}

void SymbolTable::each_plain_function(const std::function<void(std::string_view)>& take) {
  read();
  for (const auto& symbol : symbols_)
    if (symbol.function && !is_mangled(symbol.name)) take(symbol.name);
}

std::vector<const RawSymbol*> SymbolTable::functions_containing(std::string_view text, std::size_t limit) {
  read();
  std::vector<const RawSymbol*> found;
  const auto parts = split_scopes(text);
  for (const auto& symbol : symbols_) {
    if (found.size() >= limit) break;
    if (!symbol.function) continue;
    if (is_mangled(symbol.name)) {
      if (symbol.name.find(parts.back()) == std::string_view::npos) continue;
      if (demangle(symbol.name).find(text) == std::string::npos) continue;
    } else if (symbol.name.find(text) == std::string_view::npos) {
      continue;
    }
    found.push_back(&symbol);
  }
  return found;
}

}  // namespace trapline::sym
