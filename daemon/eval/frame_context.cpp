#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/scope.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace trapline::eval {

using sym::Type;
using sym::TypeKind;

FramePlace place_of(const FrameView& view, std::size_t level) {
  FramePlace place;
  if (view.stack == nullptr) return place;
  place.frame = view.stack->frame(level);
  if (place.frame == nullptr) return place;
  place.module = view.modules->find(place.frame->lookup_pc);
  place.scope = place.frame->scope;
  if (place.module != nullptr) place.file_pc = place.frame->lookup_pc.value - place.module->bias;
  return place;
}

FramePlace place_of(const FrameView& view) { return place_of(view, view.level); }

const image::MappedModule* mapped(const FrameView& view, const sym::Module* module) {
  if (module == nullptr) return nullptr;
  const image::MappedModule* found = view.modules->find(module->id());
  return found != nullptr && found->symbols.get() == module ? found : nullptr;
}

FrameContext::FrameContext(const FrameView& view, std::size_t level, const image::MappedModule* module, int depth,
                           const sym::LocationList* bases)
    : view_(view),
      level_(level),
      place_(place_of(view, level)),
      module_(module != nullptr ? module : place_.module),
      depth_(depth),
      bases_(bases) {}

namespace {

std::unexpected<Error> no_frame() { return fail(Errc::not_available, "this needs a frame, and none is selected"); }

std::vector<std::byte> bytes_of(std::uint64_t word) {
  const auto bytes = std::as_bytes(std::span(&word, 1));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Result<std::vector<std::byte>> FrameContext::register_bytes(std::uint32_t number) const {
  if (place_.frame == nullptr) return no_frame();
  const stack::Frame& frame = *place_.frame;
  const std::string name(arch::dwarf_name(number));
  if (frame.innermost && view_.machine != nullptr && !name.empty()) {
    if (const auto value = arch::general_value(view_.machine->general, number)) return bytes_of(*value);
    return arch::read_register(*view_.machine, name);
  }
  if (number == arch::dwarf_rip) return bytes_of(frame.pc.value);
  if (const auto value = frame.registers[number]) return bytes_of(*value);
  return fail(Errc::not_available,
              fmt::format("not available: {} was not saved by the functions that this frame called",
                          name.empty() ? fmt::format("register {}", number) : name));
}

Result<void> FrameContext::read(LoadAddr at, std::span<std::byte> out) const {
  if (auto read = view_.memory->read(at, out); !read) {
    if (read.error().code != Errc::bad_address) return read;
    return fail(Errc::bad_address, fmt::format("cannot read {} bytes at {:#x}", out.size(), at.value));
  }
  return {};
}

Result<LoadAddr> FrameContext::cfa() const {
  if (place_.frame == nullptr) return no_frame();
  if (place_.frame->cfa.value == 0) return fail(Errc::not_available, "the frame's begin (CFA) is not known");
  return place_.frame->cfa;
}

Result<std::uint64_t> FrameContext::frame_base() const {
  if (place_.frame == nullptr) return no_frame();
  if (in_frame_base_) return fail(Errc::bad_debug_info, "the frame base is defined by itself");
  const auto run = [&](const sym::Expression& expression) {
    in_frame_base_ = true;
    auto base = sym::run_to_number(expression, *this);
    in_frame_base_ = false;
    return base;
  };
  if (bases_ != nullptr)
    if (const auto* entry = bases_->at(place_.file_pc); entry != nullptr && entry->expression)
      return run(*entry->expression);
  TL_TRY(const sym::Expression expression, sym::frame_base_of(place_.scope, place_.file_pc));
  return run(expression);
}

Result<LoadAddr> FrameContext::load_address(std::uint64_t file_address) const {
  if (module_ == nullptr) return fail(Errc::not_available, "the module is not mapped");
  return LoadAddr{file_address + module_->bias};
}

Result<LoadAddr> FrameContext::tls_address(std::uint64_t offset) const {
  if (module_ == nullptr) return fail(Errc::not_available, "the module is not mapped");
  return eval::tls_address(view_, *module_, offset);
}

Result<LoadAddr> FrameContext::object_address() const { return fail(Errc::not_available, "no object at hand"); }

// The caller's call site says what it passed, as an expression over the caller's own registers (those that survive a
// call). Inlined frames share their registers, so the caller is what follows the concrete frame.
Result<std::vector<std::byte>> FrameContext::entry_value(const sym::Expression& what) const {
  if (place_.frame == nullptr || depth_ >= max_depth)
    return fail(Errc::not_available, "optimized out: only its value at entry is known, and the callers do not tell");
  std::size_t level = level_;
  while (const stack::Frame* frame = view_.stack->frame(level)) {
    if (frame->inline_depth == 0) break;
    ++level;
  }
  const stack::Frame* own = view_.stack->frame(level);
  const stack::Frame* caller = own == nullptr ? nullptr : view_.stack->frame(level + 1);
  if (caller == nullptr || caller->kind == stack::FrameKind::broken || caller->kind == stack::FrameKind::signal_handler)
    return fail(Errc::not_available, "optimized out: only its value at entry is known, and there is no caller to ask");
  // As main's caller, whose debug information is not opened for a stack (stack.cpp).
  if (!caller->scope)
    return fail(Errc::not_available,
                "optimized out: only its value at entry is known, and nothing is known of its caller's call");
  const image::MappedModule* module = view_.modules->find(caller->lookup_pc);
  const image::MappedModule* callee_module = place_.module;
  if (module == nullptr || callee_module == nullptr)
    return fail(Errc::not_available, "optimized out: the caller's module is not known");
  sym::CallSiteQuery query;
  query.caller_module = module->symbols.get();
  query.return_pc = caller->pc.value - module->bias;
  query.callee = sym::concrete_function(place_.scope);
  query.callee_entry = LoadAddr{sym::code_address(query.callee).value_or(0) + callee_module->bias};
  auto answer = sym::call_site_value(query, what);
  if (!answer) return fail(Errc::not_available, "optimized out (" + answer.error().message + ")");
  const FrameContext above(view_, level + 1, nullptr, depth_ + 1);
  if (answer->computed_target) {
    TL_TRY(const std::uint64_t target, sym::run_to_number(*answer->computed_target, above));
    if (target != query.callee_entry.value)
      return fail(Errc::not_available,
                  "optimized out (the caller called another function, which ended in a tail call)");
  }
  return sym::run_to_bytes(answer->value, above);
}

// ---- variables

namespace {

Part part_of_piece(const sym::Piece& piece, const FrameContext& context) {
  Part part;
  part.bit_size = piece.bit_size;
  part.bit_offset = piece.bit_offset;
  part.reason = "optimized out";
  switch (piece.kind) {
    case sym::Piece::Kind::memory:
      part.kind = Part::Kind::memory;
      part.address = piece.address;
      break;
    case sym::Piece::Kind::register_: {
      auto bytes = context.register_bytes(piece.reg);
      if (bytes) {
        part.kind = Part::Kind::bytes;
        part.bytes = std::move(*bytes);
        part.register_name = arch::dwarf_name(piece.reg);
      } else {
        part.reason = bytes.error().message;
      }
      break;
    }
    case sym::Piece::Kind::value:
      part.kind = Part::Kind::bytes;
      part.bytes = piece.bytes;
      break;
    case sym::Piece::Kind::implicit_pointer:
      part.kind = Part::Kind::implicit_pointer;
      part.pointee = piece.pointee;
      part.pointee_offset = piece.pointee_offset;
      break;
    case sym::Piece::Kind::gone: break;
  }
  return part;
}

Value from_register(const sym::Piece& piece, const FrameContext& context, const Type* type, std::uint64_t size) {
  auto bytes = context.register_bytes(piece.reg);
  if (!bytes) return no_value(type, bytes.error());
  if (size > bytes->size() && size <= 16 && type->strip()->encoding() == sym::Encoding::floating)
    bytes->resize(static_cast<std::size_t>(size));
  if (size > bytes->size())
    return no_value(type, Error{.code = Errc::bad_debug_info,
                                .message = fmt::format("{} bytes are said to lie in register {}", size,
                                                       arch::dwarf_name(piece.reg)),
                                .os_errno = 0,
                                .hint = {}});
  bytes->resize(static_cast<std::size_t>(size));
  Value value = computed(type, std::move(*bytes));
  value.place = Value::Place::register_;
  value.register_name = arch::dwarf_name(piece.reg);
  value.register_writable = context.place().frame != nullptr && context.place().frame->innermost;
  return value;
}

Value from_location(const sym::Location& location, const FrameContext& context, const Type* type) {
  if (location.gone()) return optimized_out(type);
  const std::uint64_t size = type->size().value_or(0);
  if (location.whole()) {
    const sym::Piece& piece = location.pieces[0];
    if (piece.kind == sym::Piece::Kind::memory) return in_memory(type, piece.address);
    if (piece.kind == sym::Piece::Kind::register_) return from_register(piece, context, type, size);
    if (piece.kind == sym::Piece::Kind::value) {
      std::vector<std::byte> bytes = piece.bytes;
      if (size != 0) bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(size, 1U << 20)));
      return computed(type, std::move(bytes));
    }
  }
  std::vector<Part> parts;
  for (const sym::Piece& piece : location.pieces) parts.push_back(part_of_piece(piece, context));
  Value value;
  value.type = type;
  value.place = Value::Place::parts;
  value.register_writable = context.place().frame != nullptr && context.place().frame->innermost;
  value.parts = std::make_shared<const std::vector<Part>>(std::move(parts));
  return value;
}

// int[n] at this moment is int[5].
const Type* measured(const FrameView& view, const Type* array, int depth) {
  const Type* plain = array->strip();
  if (plain->kind() != TypeKind::array || depth > 8) return array;
  const Type* element = measured(view, plain->target(), depth + 1);
  const auto count = count_of(view, plain);
  return element == plain->target() && plain->count() ? array
                                                      : element->array_of(count ? std::optional(*count) : std::nullopt);
}

}  // namespace

Value variable_value(const FrameView& view, sym::DieRef die, const Type* type, bool gone, const VariablePlace* place) {
  if (gone) return optimized_out(type);
  const image::MappedModule* module = mapped(view, die.module);
  if (module == nullptr)
    return no_value(
        type, Error{.code = Errc::not_available, .message = "its module is not loaded", .os_errno = 0, .hint = {}});
  const FrameContext context(view, view.level, module, 0, place == nullptr ? nullptr : place->frame_base.get());
  // A pc of another module means nothing in this one; what lives there has one place for all of its code.
  const std::uint64_t pc = context.place().module == module ? context.place().file_pc : 0;
  Result<sym::Expression> read;  // where nobody did before
  const Result<sym::Expression>* expression = &read;
  if (place == nullptr)
    read = sym::location_of(die, pc);
  else if (const auto* entry = place->locations.at(pc))
    expression = &entry->expression;
  if (!*expression) return no_value(type, expression->error());
  if ((*expression)->empty()) return optimized_out(type);
  auto location = sym::run(**expression, context);
  if (!location) return no_value(type, location.error());
  const Type* whole = type->strip();
  if (whole->kind() == TypeKind::record) whole = whole->complete();
  Value value = from_location(*location, context, type->size() ? type : whole);
  value.type = whole->dynamic_count() ? measured(view, whole, 0) : type;
  return value;
}

Result<std::uint64_t> count_of(const FrameView& view, const Type* array) {
  const Type* plain = array->strip();
  if (plain->count()) return *plain->count();
  if (!plain->dynamic_count()) return fail(Errc::not_available, "the length of this array is not known");
  const FrameContext context(view, view.level, mapped(view, plain->die().module));
  return sym::array_count(*plain, context.place().file_pc, context);
}

Result<std::uint64_t> size_of(const FrameView& view, const Type* type) {
  std::uint64_t factor = 1;
  for (int depth = 0; depth < 16; ++depth) {
    const Type* plain = type->strip()->complete(search_order(*view.modules, nullptr));
    if (const auto size = type->size() ? type->size() : plain->size()) {
      std::uint64_t bytes = 0;
      if (__builtin_mul_overflow(factor, *size, &bytes))
        return fail(Errc::too_large, fmt::format("`{}` has an impossible size", type->name()));
      return bytes;
    }
    if (plain->kind() != TypeKind::array) break;
    TL_TRY(const std::uint64_t count, count_of(view, plain));
    if (__builtin_mul_overflow(factor, count, &factor))
      return fail(Errc::too_large, fmt::format("`{}` has an impossible size", type->name()));
    type = plain->target();
  }
  return fail(
      Errc::not_available,
      fmt::format("the size of `{}` is not known: its definition is in no module that is loaded", type->name()));
}

Result<Value> member_of(const FrameView& view, const Value& object, const sym::Member& member) {
  if (object.is_problem()) return no_value(member.type, object.problem);
  if (!member.offset_is_expression) {
    TL_TRY(Value part,
           part_of(object, member.offset, member.bit_size == 0 ? member.type : sym::builtin(sym::Builtin::char_)));
    part.type = member.type;
    part.bit_size = member.bit_size;
    part.bit_offset = member.bit_offset;
    part.as_declared = member.kind == sym::Member::Kind::base;
    if (member.bit_size != 0 && (object.place == Value::Place::none || object.place == Value::Place::register_)) {
      // Bits of a computed object: all the bytes that they touch.
      TL_TRY(part.bytes,
             read_bytes(*view.memory, object, member.offset, (member.bit_offset + member.bit_size + 7) / 8));
    }
    return part;
  }
  if (object.place != Value::Place::memory)
    return fail(Errc::not_available, fmt::format("virtual base {} is found through memory, and this object is {}",
                                                 member.name, where(object)));
  const FrameContext context(view, view.level, mapped(view, member.die.module));
  TL_TRY(const LoadAddr at, sym::member_address(member, object.address, context));
  Value part = in_memory(member.type, at);
  part.as_declared = true;
  return part;
}

}  // namespace trapline::eval
