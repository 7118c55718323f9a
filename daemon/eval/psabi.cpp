#include "daemon/eval/psabi.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "daemon/eval/number.hpp"
#include "daemon/sym/methods.hpp"

namespace trapline::eval {

using sym::Encoding;
using sym::Member;
using sym::Type;
using sym::TypeKind;

namespace {

constexpr std::size_t eightbyte = 8;
constexpr std::size_t largest = 64;  // what may lie in registers: one vector
constexpr int deepest = 64;

// 3.2.3, "Classification", rule 4.
AbiClass merged(AbiClass a, AbiClass b) {
  if (a == b || b == AbiClass::none) return a;
  if (a == AbiClass::none) return b;
  if (a == AbiClass::memory || b == AbiClass::memory) return AbiClass::memory;
  if (a == AbiClass::integer || b == AbiClass::integer) return AbiClass::integer;
  const auto floats = [](AbiClass c) {
    return c == AbiClass::x87 || c == AbiClass::x87_up || c == AbiClass::complex_x87;
  };
  return floats(a) || floats(b) ? AbiClass::memory : AbiClass::sse;
}

class Classifier {
 public:
  explicit Classifier(Modules modules) : modules_(modules) {}

  Result<Passing> run(const Type* type) {
    type = type->strip()->complete(modules_);
    Passing passing;
    if (type->kind() == TypeKind::void_) return passing;
    const auto size = type->size();
    if (!size)
      return fail(Errc::unsupported, fmt::format("the size of `{}` is not known, so it can be neither passed nor "
                                                 "returned",
                                                 type->name()));
    if (type->kind() == TypeKind::record && type->rust())
      return fail(Errc::unsupported, fmt::format("how Rust passes and returns `{}` is its compiler's own affair and no "
                                                 "ABI: scalars and pointers can be passed",
                                                 type->name()));
    if (type->kind() == TypeKind::record && sym::passed_by_reference(type, modules_)) {
      passing.by_reference = true;
      passing.classes = {AbiClass::memory};
      return passing;
    }
    const std::size_t words = (*size + eightbyte - 1) / eightbyte;
    if (*size > largest) {
      passing.classes.assign(words, AbiClass::memory);
      return passing;
    }
    classes_.assign(words, AbiClass::none);
    TL_TRY_VOID(add(type, 0, 0));
    clean_up(*size);
    if (std::ranges::all_of(classes_, [](AbiClass c) { return c == AbiClass::none; })) classes_.clear();
    passing.classes = std::move(classes_);
    return passing;
  }

 private:
  void put(std::size_t offset, AbiClass what) {
    const std::size_t at = offset / eightbyte;
    if (at < classes_.size()) classes_[at] = merged(classes_[at], what);
  }
  void all_in_memory() { std::ranges::fill(classes_, AbiClass::memory); }

  // Rule 5, the post merger. x87 types keep both of their eightbytes.
  void clean_up(std::size_t size) {
    if (std::ranges::find(classes_, AbiClass::memory) != classes_.end()) return all_in_memory();
    for (std::size_t i = 0; i < classes_.size(); ++i)
      if (classes_[i] == AbiClass::x87_up && (i == 0 || classes_[i - 1] != AbiClass::x87)) return all_in_memory();
    if (size > 2 * eightbyte && classes_[0] != AbiClass::complex_x87) {
      bool one_vector = classes_[0] == AbiClass::sse;
      for (std::size_t i = 1; i < classes_.size(); ++i) one_vector = one_vector && classes_[i] == AbiClass::sse_up;
      if (!one_vector) return all_in_memory();
    }
    for (std::size_t i = 0; i < classes_.size(); ++i)
      if (classes_[i] == AbiClass::sse_up &&
          (i == 0 || (classes_[i - 1] != AbiClass::sse && classes_[i - 1] != AbiClass::sse_up)))
        classes_[i] = AbiClass::sse;
  }

  // Fields that lie at no multiple of their alignment put the whole into memory.
  bool misplaced(std::size_t offset, std::size_t alignment) {
    if (offset % alignment == 0) return false;
    all_in_memory();
    return true;
  }

  Result<void> add(const Type* type, std::size_t offset, int depth) {
    if (depth > deepest) return fail(Errc::bad_debug_info, "a type that holds itself");
    type = type->strip()->complete(modules_);
    switch (type->kind()) {
      case TypeKind::base: return add_base(type, offset);
      case TypeKind::pointer:
      case TypeKind::lvalue_reference:
      case TypeKind::rvalue_reference:
      case TypeKind::data_member_pointer:
      case TypeKind::null_pointer:
        if (!misplaced(offset, eightbyte)) put(offset, AbiClass::integer);
        return {};
      case TypeKind::function_member_pointer:
        if (misplaced(offset, eightbyte)) return {};
        put(offset, AbiClass::integer);
        put(offset + eightbyte, AbiClass::integer);
        return {};
      case TypeKind::enumeration:
        if (!misplaced(offset, type->size().value_or(1))) put(offset, AbiClass::integer);
        return {};
      case TypeKind::array: return type->vector() ? add_vector(type, offset) : add_array(type, offset, depth);
      case TypeKind::record: return add_record(type, offset, depth);
      default: return fail(Errc::unsupported, fmt::format("`{}` can be neither passed nor returned", type->name()));
    }
  }

  Result<void> add_base(const Type* type, std::size_t offset) {
    const std::size_t size = type->size().value_or(0);
    const bool complex = type->encoding() == Encoding::complex;
    const bool floating = complex || type->encoding() == Encoding::floating;
    if (size == 0 || type->encoding() == Encoding::other || (size & (size - 1)) != 0)
      return fail(Errc::unsupported, fmt::format("how `{}` is passed is not known", type->name()));
    if (misplaced(offset, std::min<std::size_t>(complex ? size / 2 : size, 16))) return {};
    if (!floating) {
      for (std::size_t at = 0; at < size; at += eightbyte) put(offset + at, AbiClass::integer);
      return {};
    }
    if (complex) {
      if (size == 32) {  // of long double; of __float128 it would be in memory just so
        for (std::size_t at = 0; at < size; at += eightbyte) put(offset + at, AbiClass::complex_x87);
        return {};
      }
      put(offset, AbiClass::sse);
      put(offset + size - 1, AbiClass::sse);
      return {};
    }
    if (size == 16) {
      put(offset, type->quad() ? AbiClass::sse : AbiClass::x87);
      put(offset + eightbyte, type->quad() ? AbiClass::sse_up : AbiClass::x87_up);
      return {};
    }
    put(offset, AbiClass::sse);
    return {};
  }

  Result<void> add_vector(const Type* type, std::size_t offset) {
    const std::size_t size = type->size().value_or(0);
    if (size < eightbyte || (size & (size - 1)) != 0)
      return fail(Errc::unsupported,
                  fmt::format("compilers do not agree how a vector of {} bytes (`{}`) is passed", size, type->name()));
    if (misplaced(offset, size)) return {};
    put(offset, AbiClass::sse);
    for (std::size_t at = eightbyte; at < size; at += eightbyte) put(offset + at, AbiClass::sse_up);
    return {};
  }

  Result<void> add_array(const Type* type, std::size_t offset, int depth) {
    const Type* element = type->target()->strip()->complete(modules_);
    const std::size_t stride = element->size().value_or(0);
    const std::size_t count = stride == 0 ? 0 : std::min<std::size_t>(type->count().value_or(0), largest);
    for (std::size_t i = 0; i < count && offset + i * stride < classes_.size() * eightbyte; ++i)
      TL_TRY_VOID(add(element, offset + i * stride, depth + 1));
    return {};
  }

  Result<void> add_record(const Type* type, std::size_t offset, int depth) {
    if (type->declaration())
      return fail(Errc::unsupported,
                  fmt::format("`{}` is only declared in the debug information at hand", type->name()));
    for (const Member& member : type->members()) {
      if (member.kind == Member::Kind::static_) continue;
      if (member.kind == Member::Kind::virtual_base) {
        all_in_memory();
        return {};
      }
      const std::size_t at = offset + member.offset;
      if (member.bit_size != 0) {
        const std::size_t last = at * 8 + member.bit_offset + member.bit_size - 1;
        for (std::size_t word = (at * 8 + member.bit_offset) / 64; word <= last / 64; ++word)
          put(word * eightbyte, AbiClass::integer);
        continue;
      }
      TL_TRY_VOID(add(member.type, at, depth + 1));
    }
    return {};
  }

  Modules modules_;
  std::vector<AbiClass> classes_;
};

// Callers extend what is narrower than 32 bits (clang counts on it); the rest of the register is anything.
std::uint64_t widened(const Type* type, std::span<const std::byte> bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data(), std::min(bytes.size(), eightbyte));
  type = type->strip();
  const bool scalar = is_integral(type) || is_enumeration(type);
  if (scalar && bytes.size() < eightbyte && is_signed(type)) {
    const auto shift = 64 - bytes.size() * 8;
    word = static_cast<std::uint64_t>(static_cast<std::int64_t>(word << shift) >> shift);
  }
  return word;
}

class Planner {
 public:
  explicit Planner(CallPlan& plan) : plan_(plan), frame_(plan.frame) {}

  std::size_t object(std::span<const std::byte> bytes, std::size_t alignment) {
    alignment = std::clamp<std::size_t>(alignment, 16, arch::object_alignment);
    const std::size_t at = (frame_.objects.size() + alignment - 1) & ~(alignment - 1);
    frame_.objects.resize(at);
    frame_.objects.insert(frame_.objects.end(), bytes.begin(), bytes.end());
    return at;
  }

  void address(std::size_t object) {
    if (integers_ < arch::integer_arguments) {
      frame_.pointers.push_back({.in = arch::CallFrame::Pointer::In::integers, .at = integers_++, .object = object});
      return;
    }
    frame_.pointers.push_back({.in = arch::CallFrame::Pointer::In::stack, .at = frame_.stack.size(), .object = object});
    frame_.stack.resize(frame_.stack.size() + eightbyte);
  }

  void point_to(std::size_t from, std::size_t to) {
    frame_.pointers.push_back({.in = arch::CallFrame::Pointer::In::objects, .at = from, .object = to});
  }

  // `text`: an object whose address is the value's word at `text_at`. Errors: it would lie in no integer register.
  Result<void> value_with_text(const Passing& passing, const CallArgument& argument, const Type* type) {
    const std::size_t text = object(argument.text, 16);
    const std::size_t first = integers_, word = argument.text_at / eightbyte;
    const bool plain = std::ranges::all_of(passing.classes, [](AbiClass c) { return c == AbiClass::integer; });
    if (!plain || first + passing.classes.size() > arch::integer_arguments)
      return fail(Errc::unsupported, "there is no register left for a text made here");
    value(passing, type, argument.bytes);
    frame_.pointers.push_back({.in = arch::CallFrame::Pointer::In::integers, .at = first + word, .object = text});
    return {};
  }

  void value(const Passing& passing, const Type* type, std::span<const std::byte> bytes) {
    if (passing.classes.empty()) return;
    std::size_t integers = 0, vectors = 0;
    bool registers = true;
    for (const AbiClass each : passing.classes) {
      integers += each == AbiClass::integer;
      vectors += each == AbiClass::sse;
      registers = registers && (each == AbiClass::integer || each == AbiClass::sse || each == AbiClass::sse_up ||
                                each == AbiClass::none);
    }
    if (!registers || integers_ + integers > arch::integer_arguments ||
        frame_.vectors_used + vectors > arch::vector_arguments)
      return push(type, bytes);
    for (std::size_t i = 0; i < passing.classes.size(); ++i) {
      const auto part = bytes.subspan(std::min(bytes.size(), i * eightbyte));
      if (passing.classes[i] == AbiClass::integer) {
        frame_.integers[integers_++] = widened(type, part.first(std::min(part.size(), eightbyte)));
      } else if (passing.classes[i] == AbiClass::sse) {
        std::size_t width = eightbyte;
        while (i + width / eightbyte < passing.classes.size() &&
               passing.classes[i + width / eightbyte] == AbiClass::sse_up)
          width += eightbyte;
        auto& into = frame_.vectors[frame_.vectors_used++];
        std::ranges::copy(part.first(std::min(part.size(), width)), into.begin());
        frame_.vector_bytes = std::max(frame_.vector_bytes, width);
      }
    }
  }

 private:
  void push(const Type* type, std::span<const std::byte> bytes) {
    const std::size_t alignment = std::max<std::size_t>(type->alignment(), eightbyte);
    auto& stack = frame_.stack;
    stack.resize((stack.size() + alignment - 1) & ~(alignment - 1));
    frame_.stack_alignment = std::max(frame_.stack_alignment, alignment);
    const std::size_t at = stack.size();
    stack.resize(at + ((bytes.size() + eightbyte - 1) & ~(eightbyte - 1)));
    std::ranges::copy(bytes, stack.begin() + static_cast<std::ptrdiff_t>(at));
    if (bytes.size() < eightbyte) {
      const std::uint64_t word = widened(type, bytes);
      std::memcpy(stack.data() + at, &word, eightbyte);
    }
  }

  CallPlan& plan_;
  arch::CallFrame& frame_;
  std::size_t integers_ = 0;
};

}  // namespace

Result<Passing> classify(const Type* type, Modules modules) { return Classifier(modules).run(type); }

Result<CallPlan> plan_call(LoadAddr function, const Type* result, std::span<const CallArgument> arguments,
                           Modules modules) {
  CallPlan plan;
  plan.frame.function = function;
  TL_TRY(plan.result, classify(result, modules));
  Planner planner(plan);
  if (plan.result.in_memory()) {
    const Type* whole = result->strip()->complete(modules);
    plan.result_in_memory = true;
    plan.result_at = planner.object(std::vector<std::byte>(whole->size().value_or(0)), whole->alignment());
    planner.address(plan.result_at);
  }
  for (const CallArgument& argument : arguments) {
    const Type* type = argument.type->strip()->complete(modules);
    plan.placed.push_back(0);
    if (argument.as_object) {
      const std::size_t at = planner.object(argument.bytes, arch::object_alignment);
      plan.placed.back() = at;
      if (!argument.text.empty()) planner.point_to(at + argument.text_at, planner.object(argument.text, 16));
      planner.address(at);
      continue;
    }
    TL_TRY(const Passing passing, classify(type, modules));
    if (!argument.text.empty()) {
      TL_TRY_VOID(planner.value_with_text(passing, argument, type));
      continue;
    }
    if (passing.by_reference)
      planner.address(planner.object(argument.bytes, type->alignment()));
    else
      planner.value(passing, type, argument.bytes);
  }
  return plan;
}

Result<std::vector<std::byte>> result_in_registers(const Passing& passing, std::size_t size,
                                                   const arch::RegisterFile& registers) {
  std::vector<std::byte> bytes(passing.classes.size() * eightbyte);
  const auto put = [&](std::size_t at, std::string_view name, std::size_t from, std::size_t count) -> Result<void> {
    TL_TRY(const auto whole, arch::read_register(registers, name));
    if (from < whole.size() && at < bytes.size())
      std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(from),
                  std::min({count, whole.size() - from, bytes.size() - at}),
                  bytes.begin() + static_cast<std::ptrdiff_t>(at));
    return {};
  };
  std::size_t integers = 0, vectors = 0, up = 0;
  for (std::size_t i = 0; i < passing.classes.size(); ++i) {
    const std::size_t at = i * eightbyte;
    switch (passing.classes[i]) {
      case AbiClass::integer: TL_TRY_VOID(put(at, integers++ == 0 ? "rax" : "rdx", 0, eightbyte)); break;
      case AbiClass::sse:
        up = 1;
        TL_TRY_VOID(put(at, fmt::format("xmm{}", vectors++), 0, eightbyte));
        break;
      case AbiClass::sse_up: {
        const std::size_t from = up++ * eightbyte;
        const char* kind = from < 16 ? "xmm" : from < 32 ? "ymm" : "zmm";
        TL_TRY_VOID(put(at, fmt::format("{}{}", kind, vectors - 1), from, eightbyte));
        break;
      }
      case AbiClass::x87: TL_TRY_VOID(put(at, "st0", 0, 10)); break;
      case AbiClass::complex_x87:
        if (i % 2 == 0) TL_TRY_VOID(put(at, i == 0 ? "st0" : "st1", 0, 10));
        break;
      case AbiClass::x87_up:
      case AbiClass::none: break;
      case AbiClass::memory: return fail(Errc::internal, "a result in memory is in no register");
    }
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace trapline::eval
