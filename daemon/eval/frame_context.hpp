#pragma once
// A frame as DWARF expressions see it: its registers, its CFA, its callers for entry values, thread-local storage.
#include "daemon/eval/evaluator.hpp"
#include "daemon/eval/expression.hpp"
#include "daemon/sym/location.hpp"
#include "daemon/sym/variable.hpp"

namespace trapline::eval {

// Where a frame stands. Without a stack: nowhere, globals only.
struct FramePlace {
  const stack::Frame* frame = nullptr;
  const image::MappedModule* module = nullptr;
  sym::DieRef scope;
  std::uint64_t file_pc = 0;  // for lookups: within the call instruction for callers
};
FramePlace place_of(const FrameView& view);
FramePlace place_of(const FrameView& view, std::size_t level);
const image::MappedModule* mapped(const FrameView& view, const sym::Module* module);

class FrameContext final : public sym::LocationContext {
 public:
  // `module`: whose addresses the expression speaks; the frame's own for locals.
  // `bases`: the function's frame bases where they were read before.
  FrameContext(const FrameView& view, std::size_t level, const image::MappedModule* module, int depth = 0,
               const sym::LocationList* bases = nullptr);
  Result<std::vector<std::byte>> register_bytes(std::uint32_t dwarf_number) const override;
  Result<void> read(LoadAddr at, std::span<std::byte> out) const override;
  Result<LoadAddr> cfa() const override;
  Result<std::uint64_t> frame_base() const override;
  Result<LoadAddr> load_address(std::uint64_t file_address) const override;
  Result<LoadAddr> tls_address(std::uint64_t offset) const override;
  Result<std::vector<std::byte>> entry_value(const sym::Expression& what) const override;
  Result<LoadAddr> object_address() const override;
  const FramePlace& place() const { return place_; }

 private:
  static constexpr int max_depth = 8;  // of entry values that need the caller's entry values
  const FrameView& view_;
  std::size_t level_;
  FramePlace place_;
  const image::MappedModule* module_;
  int depth_;
  const sym::LocationList* bases_;
  mutable bool in_frame_base_ = false;
};

// The value of a DWARF variable in that frame; never an error: a value without bytes says why.
// `place`: read before, by the binder.
Value variable_value(const FrameView& view, sym::DieRef die, const sym::Type* type, bool gone,
                     const VariablePlace* place = nullptr);
// Elements of an array, also where only the frame knows. Bytes of an object, likewise.
Result<std::uint64_t> count_of(const FrameView& view, const sym::Type* array);
Result<std::uint64_t> size_of(const FrameView& view, const sym::Type* type);
// The address of a member or base in an object; virtual bases read the object's vtable.
Result<Value> member_of(const FrameView& view, const Value& object, const sym::Member& member);

// Thread-local storage; tls.cpp. `offset` within the module's PT_TLS segment.
Result<LoadAddr> tls_address(const FrameView& view, const image::MappedModule& module, std::uint64_t offset);

}  // namespace trapline::eval
