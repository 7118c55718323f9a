#pragma once
// Visualisers over made types and memory from a map of pages: no process, no DWARF. Reads are counted.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "daemon/eval/binder.hpp"
#include "daemon/eval/interpreter.hpp"
#include "daemon/eval/parser.hpp"
#include "daemon/eval/scope.hpp"
#include "daemon/natvis/engine.hpp"

namespace trapline::natvis {

class PagedMemory final : public util::WritableMemory {
 public:
  template <class T>
  void set(std::uint64_t at, const T& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    for (std::size_t i = 0; i < bytes.size(); ++i) pages_[(at + i) / page_size][(at + i) % page_size] = bytes[i];
  }
  void text(std::uint64_t at, std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) set(at + i, text[i]);
  }
  Result<void> read(LoadAddr at, std::span<std::byte> out) const override {
    if (read_some(at, out) != out.size()) return fail(Errc::bad_address, fmt::format("{:#x} is unmapped", at.value));
    return {};
  }
  std::size_t read_some(LoadAddr at, std::span<std::byte> out) const override {
    ++reads;
    std::size_t done = 0;
    while (done < out.size()) {
      const auto page = pages_.find((at.value + done) / page_size);
      if (page == pages_.end()) break;
      const std::size_t offset = (at.value + done) % page_size;
      const std::size_t count = std::min<std::size_t>(page_size - offset, out.size() - done);
      std::memcpy(out.data() + done, page->second.data() + offset, count);
      done += count;
    }
    return done;
  }
  Result<void> write(LoadAddr at, std::span<const std::byte> bytes) override {
    for (std::size_t i = 0; i < bytes.size(); ++i) set(at.value + i, bytes[i]);
    return {};
  }
  mutable int reads = 0;

 private:
  static constexpr std::uint64_t page_size = 4096;
  std::map<std::uint64_t, std::array<std::byte, page_size>> pages_;
};

inline sym::Member field(std::string name, const sym::Type* type, std::uint64_t offset) {
  sym::Member member;
  member.name = std::move(name);
  member.type = type;
  member.offset = offset;
  return member;
}

inline sym::Member base(const sym::Type* type, std::uint64_t offset) {
  sym::Member member = field(type->name(), type, offset);
  member.kind = sym::Member::Kind::base;
  return member;
}

// A name is a value of that record at a place in memory: what a user's expression would say.
class ObjectScope final : public eval::Scope {
 public:
  ObjectScope(std::string name, const sym::Type* type, eval::Intrinsics* intrinsics)
      : name_(std::move(name)), type_(type), intrinsics_(intrinsics) {}
  std::vector<sym::Symbol> find(const sym::QualifiedName&) const override { return {}; }
  const sym::Type* complete(const sym::Type* type) const override { return type->complete(); }
  std::optional<sym::Variable> this_variable() const override { return std::nullopt; }
  std::vector<std::string> similar(std::string_view) const override { return {}; }
  std::optional<eval::ElfObject> elf_object(std::string_view) const override { return std::nullopt; }
  std::optional<sym::Symbol> static_member(const sym::Type*, const sym::Member&) const override { return std::nullopt; }
  std::string place() const override { return "here"; }
  std::optional<Slot> slot(std::string_view name) const override {
    return name == name_ ? std::optional(Slot{0, type_}) : std::nullopt;
  }
  eval::Intrinsics* intrinsics() const override { return intrinsics_; }

 private:
  std::string name_;
  const sym::Type* type_;
  eval::Intrinsics* intrinsics_;
};

struct Desk {
  PagedMemory memory;
  image::Modules modules{sym::SearchOptions{}};
  Engine engine{Engine::Box::without};

  explicit Desk(std::string_view types) {
    engine.add_text("test.natvis", fmt::format("<AutoVisualizer>\n{}\n</AutoVisualizer>", types));
  }
  eval::FrameView view() {
    return {.stack = nullptr,
            .level = 0,
            .machine = nullptr,
            .memory = &memory,
            .modules = &modules,
            .write_registers = {},
            .thread_pointer = 0,
            .visualizers = &engine};
  }
  std::string show(const eval::Value& value) { return eval::summary(view(), value); }
  std::string show(const sym::Type* type, std::uint64_t at) { return show(eval::in_memory(type, LoadAddr{at})); }
  eval::ChildCount count(const sym::Type* type, std::uint64_t at) {
    return eval::child_count(view(), eval::in_memory(type, LoadAddr{at}));
  }
  std::vector<eval::Child> children(const eval::Value& value, std::uint64_t start = 0, std::uint64_t count = 0,
                                    std::string_view expression = "v") {
    auto page = eval::children(view(), value, expression, start, count);
    REQUIRE_MESSAGE(page, page.error().message);
    return *std::move(page);
  }
  // "[0]=1 [1]=2 [Raw View]={...}"
  std::string listed(const eval::Value& value, std::uint64_t start = 0, std::uint64_t count = 0) {
    std::string out;
    for (const eval::Child& child : children(value, start, count)) {
      eval::Options options;
      if (child.format) options.format = *child.format;
      out += fmt::format("{}{}={}", out.empty() ? "" : " ", child.name, eval::summary(view(), child.value, options));
    }
    return out;
  }
  std::string listed(const sym::Type* type, std::uint64_t at, std::uint64_t start = 0, std::uint64_t count = 0) {
    return listed(eval::in_memory(type, LoadAddr{at}), start, count);
  }
  std::string complaints() {
    std::string out;
    for (const std::string& each : engine.take_complaints()) out += each + "\n";
    return out;
  }
  // `expression` over a variable `v` of that type at `at`.
  std::string evaluate(const sym::Type* type, std::uint64_t at, std::string_view expression) {
    const eval::FrameView frame = view();
    const ObjectScope scope("v", type, engine.intrinsics(frame));
    const auto syntax = eval::parse(expression, scope);
    if (!syntax) return syntax.error().message;
    const auto node = eval::bind(**syntax, expression, scope, {});
    if (!node) return node.error().message;
    std::vector<eval::Value> slots{eval::in_memory(type, LoadAddr{at})};
    const auto value = eval::Interpreter(frame, {.subject = nullptr, .slots = &slots}).run(**node);
    if (!value) return value.error().message;
    return eval::type_name(*value) + " " + eval::summary(frame, *value);
  }
};

inline const sym::Type* int_type() { return sym::builtin(sym::Builtin::int_); }
inline const sym::Type* long_type() { return sym::builtin(sym::Builtin::long_); }
inline const sym::Type* char_type() { return sym::builtin(sym::Builtin::char_); }

}  // namespace trapline::natvis
