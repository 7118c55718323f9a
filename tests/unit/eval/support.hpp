#pragma once
// A scope from a table and memory from a map of bytes: expressions without a process and without DWARF.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "daemon/eval/binder.hpp"
#include "daemon/eval/evaluator.hpp"
#include "daemon/eval/interpreter.hpp"
#include "daemon/eval/parser.hpp"
#include "daemon/eval/scope.hpp"

namespace trapline::eval {

class FakeMemory final : public util::WritableMemory {
 public:
  void put(std::uint64_t at, std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes_[at + i] = bytes[i];
  }
  template <class T>
  void set(std::uint64_t at, const T& value) {
    put(at, std::as_bytes(std::span(&value, 1)));
  }
  Result<void> read(LoadAddr at, std::span<std::byte> out) const override {
    if (read_some(at, out) != out.size()) return fail(Errc::bad_address, "unmapped");
    return {};
  }
  std::size_t read_some(LoadAddr at, std::span<std::byte> out) const override {
    ++reads;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto found = bytes_.find(at.value + i);
      if (found == bytes_.end()) return i;
      out[i] = found->second;
    }
    return out.size();
  }
  Result<void> write(LoadAddr at, std::span<const std::byte> bytes) override {
    for (std::size_t i = 0; i < bytes.size(); ++i)
      if (!bytes_.contains(at.value + i)) return fail(Errc::bad_address, "unmapped");
    put(at.value, bytes);
    return {};
  }
  mutable int reads = 0;

 private:
  std::map<std::uint64_t, std::byte> bytes_;
};

class FakeScope final : public Scope {
 public:
  std::map<std::string, const sym::Type*> types;
  std::map<std::string, ElfObject> objects;
  bool c = false;
  bool c_rules() const override { return c; }
  std::map<std::string, std::pair<const sym::Type*, std::uint64_t>> enumerators;

  std::vector<sym::Symbol> find(const sym::QualifiedName& name) const override {
    sym::Symbol symbol;
    symbol.name = name.text();
    if (const auto type = types.find(symbol.name); type != types.end()) {
      symbol.kind = sym::Symbol::Kind::type;
      symbol.type = type->second;
      return {symbol};
    }
    if (const auto e = enumerators.find(symbol.name); e != enumerators.end()) {
      symbol.kind = sym::Symbol::Kind::enumerator;
      symbol.type = e->second.first;
      symbol.value = e->second.second;
      return {symbol};
    }
    return {};
  }
  const sym::Type* complete(const sym::Type* type) const override { return type->complete(); }
  std::optional<sym::Variable> this_variable() const override { return std::nullopt; }
  std::vector<std::string> similar(std::string_view) const override { return {"count"}; }
  std::optional<ElfObject> elf_object(std::string_view name) const override {
    const auto found = objects.find(std::string(name));
    return found == objects.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<sym::Symbol> static_member(const sym::Type*, const sym::Member&) const override { return std::nullopt; }
  std::string place() const override { return "here"; }
};

struct World {
  FakeScope scope;
  FakeMemory memory;
  image::Modules modules{sym::SearchOptions{}};
  bool side_effects = false;

  FrameView view() {
    return {.stack = nullptr,
            .level = 0,
            .machine = nullptr,
            .memory = &memory,
            .modules = &modules,
            .write_registers = {},
            .thread_pointer = 0};
  }
  Result<NodePtr> tree(std::string_view text) {
    TL_TRY(const SyntaxPtr syntax, parse(text, scope));
    return bind(*syntax, text, scope, {.side_effects = side_effects});
  }
  Result<Value> run(std::string_view text) {
    TL_TRY(const NodePtr node, tree(text));
    const FrameView frame = view();
    return Interpreter(frame).run(*node);
  }
  // "int 42"
  std::string show(std::string_view text, const Options& options = {}) {
    const auto value = run(text);
    if (!value) return value.error().message;
    return summary(view(), *value, options);
  }
  std::string type(std::string_view text) {
    const auto value = run(text);
    return value ? type_name(*value) : value.error().message;
  }
  std::string problem(std::string_view text) {
    const auto value = run(text);
    return value ? "no error: " + summary(view(), *value) : value.error().message;
  }
  std::string hint(std::string_view text) {
    const auto value = run(text);
    return value ? "no error" : value.error().hint;
  }
};

}  // namespace trapline::eval
