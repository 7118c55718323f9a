// Which code has a personality: the routine that an unwinder asks for handlers and cleanups. libdw, which unwinds for
// debuggers, passes over it.
//
// Source: LSB core, "Exception Frames": augmentation string "zPLR", pointers encoded by DW_EH_PE_*.
#include "daemon/sym/cfi_personality.hpp"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string_view>

#include "daemon/sym/module.hpp"
#include "daemon/sym/reader.hpp"

namespace trapline::sym {
namespace {

constexpr std::uint8_t format_bits = 0x0f, relative_to_place = 0x10, no_pointer = 0xff;

struct Section {
  Elf_Data* data = nullptr;
  std::uint64_t address = 0;
  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data->d_buf), data->d_size}; }
  std::size_t offset(const std::uint8_t* at) const {
    return static_cast<std::size_t>(at - static_cast<const std::uint8_t*>(data->d_buf));
  }
};

Section eh_frame(Elf* elf) {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return {};
  for (Elf_Scn* scn = nullptr; (scn = elf_nextscn(elf, scn)) != nullptr;) {
    GElf_Shdr header;
    if (!gelf_getshdr(scn, &header) || header.sh_type == SHT_NOBITS) continue;
    const char* name = elf_strptr(elf, names, header.sh_name);
    if (name == nullptr || std::string_view(name) != ".eh_frame") continue;
    Elf_Data* data = elf_rawdata(scn, nullptr);
    if (data == nullptr || data->d_buf == nullptr) return {};
    return {data, header.sh_addr};
  }
  return {};
}

// Of a pointer's value alone, be it relative or not; fails for formats that nobody uses here.
std::uint64_t value_of(Reader& reader, std::uint8_t encoding) {
  switch (encoding & format_bits) {
    case DW_EH_PE_absptr:
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8: return reader.u64();
    case DW_EH_PE_udata4: return reader.u32();
    case DW_EH_PE_udata2: return reader.u16();
    case DW_EH_PE_sdata4: return static_cast<std::uint64_t>(std::int64_t{reader.fixed<std::int32_t>()});
    case DW_EH_PE_sdata2: return static_cast<std::uint64_t>(std::int64_t{reader.fixed<std::int16_t>()});
    default: reader.fail(); return 0;
  }
}

struct Cie {
  bool personality = false;
  std::uint8_t pointers = DW_EH_PE_absptr;  // how its FDEs encode addresses
};

// nullopt: not understood.
std::optional<Cie> read_cie(const Section& section, const Dwarf_CIE& entry) {
  const std::string_view letters(entry.augmentation);
  Cie cie;
  if (letters.empty()) return cie;
  if (letters[0] != 'z' || entry.augmentation_data == nullptr) return std::nullopt;
  Reader reader(section.bytes(), section.offset(entry.augmentation_data));
  for (const char letter : letters.substr(1)) switch (letter) {
      case 'R': cie.pointers = reader.u8(); break;
      case 'L': reader.u8(); break;
      case 'P': {
        const auto encoding = reader.u8();
        cie.personality = encoding != no_pointer;
        if (cie.personality) value_of(reader, encoding);
        break;
      }
      case 'S':
      case 'B': break;
      default: return std::nullopt;
    }
  return reader.ok() ? std::optional(cie) : std::nullopt;
}

// nullopt: not understood.
std::optional<FileRange> code_of(const Section& section, const Dwarf_FDE& fde, const Cie& cie) {
  Reader reader(section.bytes(), section.offset(fde.start));
  const std::uint64_t place = section.address + reader.offset();
  std::uint64_t begin = value_of(reader, cie.pointers);
  const std::uint64_t size = value_of(reader, cie.pointers & format_bits);
  const auto relative = static_cast<std::uint8_t>(cie.pointers & ~format_bits);
  if (!reader.ok() || (relative != 0 && relative != relative_to_place)) return std::nullopt;
  if (relative == relative_to_place) begin += place;
  return FileRange{begin, begin + size};
}

}  // namespace

bool may_have_personality(Elf* elf, std::uint64_t at) {
  const Section section = eh_frame(elf);
  std::size_t size = 0;
  const auto* ident = reinterpret_cast<const unsigned char*>(elf_getident(elf, &size));
  if (section.data == nullptr || ident == nullptr) return true;
  std::map<Dwarf_Off, std::optional<Cie>> cies;
  Dwarf_CFI_Entry entry;
  for (Dwarf_Off offset = 0, next = 0;; offset = next) {
    const int found = dwarf_next_cfi(ident, section.data, true, offset, &next, &entry);
    if (found != 0 || next <= offset) return true;  // it is in none that could be read
    if (entry.CIE_id == DW_CIE_ID_64) {
      cies[offset] = read_cie(section, entry.cie);
      continue;
    }
    const auto cie = cies.find(entry.fde.CIE_pointer);
    if (cie == cies.end() || !cie->second) continue;
    const auto code = code_of(section, entry.fde, *cie->second);
    if (code && code->contains(at)) return cie->second->personality;
  }
}

}  // namespace trapline::sym
