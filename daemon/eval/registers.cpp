// Registers as expressions see them: names as in the manuals and gdb's $pc, $sp, $fp; types by what they mostly hold.
#include <fmt/format.h>

#include <array>

#include "daemon/eval/binder.hpp"

namespace trapline::eval {

using sym::Builtin;

namespace {

// All the ways to look at a vector register; the layout is the register's own, lowest element first.
const sym::Type* vector_type(std::string_view name, std::uint64_t bytes) {
  struct View {
    const char* suffix;
    Builtin element;
    std::uint64_t size;
  };
  static constexpr std::array<View, 7> views{{{"float", Builtin::float_, 4},
                                              {"double", Builtin::double_, 8},
                                              {"int8", Builtin::signed_char, 1},
                                              {"int16", Builtin::short_, 2},
                                              {"int32", Builtin::int_, 4},
                                              {"int64", Builtin::long_, 8},
                                              {"uint128", Builtin::unsigned_int128, 16}}};
  std::vector<sym::Member> members;
  for (const View& view : views) {
    sym::Member member;
    const std::uint64_t count = bytes / view.size;
    member.name = count == 1 ? view.suffix : fmt::format("v{}_{}", count, view.suffix);
    member.type = count == 1 ? sym::builtin(view.element) : sym::builtin(view.element)->array_of(count);
    members.push_back(std::move(member));
  }
  return sym::make_record(std::string(name), sym::RecordKey::union_, bytes, std::move(members));
}

bool numbered(std::string_view name, std::string_view prefix, unsigned most) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  if (name.empty() || name.size() > 2 || (name.size() == 2 && name[0] == '0')) return false;
  unsigned number = 0;
  for (const char c : name) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  return number <= most;
}

Builtin general_type(std::string_view name, bool& known) {
  // fioff and fooff: the 64-bit form of FXSAVE holds whole addresses.
  static constexpr std::array<std::string_view, 18> wide{"rax", "rbx", "rcx",     "rdx",     "rsi",   "rdi",
                                                         "r8",  "r9",  "r10",     "r11",     "r12",   "r13",
                                                         "r14", "r15", "fs_base", "gs_base", "fioff", "fooff"};
  static constexpr std::array<std::string_view, 8> half{"eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp"};
  static constexpr std::array<std::string_view, 8> quarter{"ax", "bx", "cx", "dx", "si", "di", "bp", "sp"};
  static constexpr std::array<std::string_view, 12> byte{"al", "bl", "cl",  "dl",  "ah",  "bh",
                                                         "ch", "dh", "sil", "dil", "bpl", "spl"};
  static constexpr std::array<std::string_view, 14> small{"eflags", "cs",    "ds",    "es",   "fs",  "gs",    "ss",
                                                          "mxcsr",  "fctrl", "fstat", "ftag", "fop", "fiseg", "foseg"};
  const auto in = [&](const auto& list) {
    for (const std::string_view entry : list)
      if (entry == name) return true;
    return false;
  };
  known = true;
  if (in(wide) || name == "orig_rax" || name == "pkru" || numbered(name, "k", 7)) return Builtin::long_;
  if (in(half)) return Builtin::int_;
  if (in(quarter)) return Builtin::short_;
  if (in(byte)) return Builtin::signed_char;
  if (in(small)) return Builtin::int_;
  if (name.size() > 2 && name[0] == 'r' && name[1] >= '1' && name[1] <= '9') {  // r8d, r8w, r8b
    const std::string_view base = name.substr(0, name.size() - 1);
    if (numbered(base, "r", 15)) {
      if (name.back() == 'd') return Builtin::int_;
      if (name.back() == 'w') return Builtin::short_;
      if (name.back() == 'b') return Builtin::signed_char;
    }
  }
  if (name.size() == 3 && name[0] == 'r' && (name[1] == '8' || name[1] == '9')) {
    if (name[2] == 'd') return Builtin::int_;
    if (name[2] == 'w') return Builtin::short_;
    if (name[2] == 'b') return Builtin::signed_char;
  }
  known = false;
  return Builtin::long_;
}

}  // namespace

std::optional<RegisterFacts> register_facts(std::string_view name) {
  static const sym::Type* code = sym::make_function(sym::builtin(Builtin::void_), {}, false)->pointer_to();
  static const sym::Type* data = sym::builtin(Builtin::void_)->pointer_to();
  static const sym::Type* xmm = vector_type("vec128", 16);
  static const sym::Type* ymm = vector_type("vec256", 32);
  static const sym::Type* zmm = vector_type("vec512", 64);
  if (name == "pc" || name == "rip") return RegisterFacts{"rip", code};
  // $sp is gdb's name of the stack pointer, and not the 16-bit register.
  if (name == "sp" || name == "rsp") return RegisterFacts{"rsp", data};
  if (name == "fp" || name == "rbp") return RegisterFacts{"rbp", data};
  if (name == "flags") name = "eflags";
  if (numbered(name, "xmm", 31)) return RegisterFacts{std::string(name), xmm};
  if (numbered(name, "ymm", 31)) return RegisterFacts{std::string(name), ymm};
  if (numbered(name, "zmm", 31)) return RegisterFacts{std::string(name), zmm};
  if (numbered(name, "st", 7)) return RegisterFacts{std::string(name), sym::builtin(Builtin::long_double)};
  if (numbered(name, "mm", 7)) return RegisterFacts{std::string(name), sym::builtin(Builtin::long_)};
  bool known = false;
  const Builtin type = general_type(name, known);
  if (!known) return std::nullopt;
  return RegisterFacts{std::string(name), sym::builtin(type)};
}

}  // namespace trapline::eval
