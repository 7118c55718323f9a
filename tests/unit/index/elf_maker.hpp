#pragma once
// A small ELF file with given debug sections and one executable segment, and DWARF put together byte by byte.
#include <elf.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "daemon/index/debug_sections.hpp"

namespace trapline::test {

class ByteMaker {
 public:
  ByteMaker& u8(unsigned value) { return number(value, 1); }
  ByteMaker& u16(unsigned value) { return number(value, 2); }
  ByteMaker& u32(std::uint64_t value) { return number(value, 4); }
  ByteMaker& u64(std::uint64_t value) { return number(value, 8); }
  ByteMaker& uleb(std::uint64_t value) {
    do {
      u8(static_cast<unsigned>((value & 0x7f) | (value > 0x7f ? 0x80U : 0U)));
      value >>= 7;
    } while (value != 0);
    return *this;
  }
  ByteMaker& text(std::string_view value) {
    bytes_.append(value);
    bytes_.push_back('\0');
    return *this;
  }
  // A unit's length field in front of what was made.
  std::string with_length() const { return ByteMaker().u32(bytes_.size()).bytes_ + bytes_; }
  const std::string& bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }

 private:
  ByteMaker& number(std::uint64_t value, unsigned width) {
    for (unsigned i = 0; i < width; ++i) bytes_.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }
  std::string bytes_;
};

inline constexpr std::uint64_t code_begin = 0x401000, code_end = 0x402000;

inline std::vector<std::byte> elf_with(const std::map<std::string, std::string>& sections) {
  std::string names(1, '\0'), body;
  std::vector<Elf64_Shdr> headers(1);
  const std::size_t first = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
  const auto add = [&](const std::string& name, const std::string& bytes) {
    Elf64_Shdr header{};
    header.sh_name = static_cast<Elf64_Word>(names.size());
    header.sh_type = SHT_PROGBITS;
    header.sh_offset = first + body.size();
    header.sh_size = bytes.size();
    headers.push_back(header);
    names += name + '\0';
    body += bytes;
  };
  for (const auto& [name, bytes] : sections) add(name, bytes);
  const std::size_t own = names.size();
  names += std::string(".shstrtab") + '\0';
  Elf64_Shdr strings{};
  strings.sh_name = static_cast<Elf64_Word>(own);
  strings.sh_type = SHT_STRTAB;
  strings.sh_offset = first + body.size();
  strings.sh_size = names.size();
  headers.push_back(strings);
  body += names;
  Elf64_Ehdr file{};
  std::memcpy(file.e_ident, ELFMAG, SELFMAG);
  file.e_ident[EI_CLASS] = ELFCLASS64;
  file.e_ident[EI_DATA] = ELFDATA2LSB;
  file.e_phoff = sizeof file;
  file.e_phnum = 1;
  file.e_phentsize = sizeof(Elf64_Phdr);
  file.e_shoff = first + body.size();
  file.e_shnum = static_cast<Elf64_Half>(headers.size());
  file.e_shstrndx = static_cast<Elf64_Half>(headers.size() - 1);
  Elf64_Phdr code{};
  code.p_type = PT_LOAD;
  code.p_flags = PF_R | PF_X;
  code.p_vaddr = code_begin;
  code.p_memsz = code_end - code_begin;
  std::string all(reinterpret_cast<const char*>(&file), sizeof file);
  all.append(reinterpret_cast<const char*>(&code), sizeof code);
  all += body;
  all.append(reinterpret_cast<const char*>(headers.data()), headers.size() * sizeof(Elf64_Shdr));
  const auto* begin = reinterpret_cast<const std::byte*>(all.data());
  return {begin, begin + all.size()};
}

// Abbreviation: code, tag, children, then pairs of attribute and form.
inline std::string abbreviation(unsigned code, unsigned tag, bool children,
                                std::vector<std::pair<unsigned, unsigned>> of) {
  ByteMaker made;
  made.uleb(code).uleb(tag).u8(children ? 1 : 0);
  for (const auto& [attribute, form] : of) made.uleb(attribute).uleb(form);
  return made.u8(0).u8(0).bytes();
}

}  // namespace trapline::test
