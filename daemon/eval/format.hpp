#pragma once
// Inside the room only: a value as one line of text.
#include <optional>
#include <string>

#include "daemon/eval/evaluator.hpp"
#include "daemon/eval/number.hpp"

namespace trapline::eval {

class Printer {
 public:
  Printer(const FrameView& view, const Options& options) : view_(view), options_(options) {}
  std::string text(const Value& value, std::size_t depth = 0) const;

 private:
  static constexpr std::size_t max_members = 32;

  std::string scalar(const Value& value, std::span<const std::byte> bytes) const;
  std::string integer(const sym::Type* type, std::span<const std::byte> bytes) const;
  std::string complex(const sym::Type* type, std::span<const std::byte> bytes) const;
  std::string enumeration(const sym::Type* type, std::span<const std::byte> bytes) const;
  std::string pointer(const Value& value, std::span<const std::byte> bytes) const;
  std::string member_pointer(const sym::Type* type, std::span<const std::byte> bytes) const;
  std::string array(const Value& value, std::size_t depth) const;
  std::optional<std::string> characters(const Value& array, const sym::Type* element, std::uint64_t bytes) const;
  std::string elements(const Value& array, std::uint64_t count, std::uint64_t stride, std::size_t depth) const;
  std::string record(const Value& value, std::size_t depth) const;
  void fields(const Value& value, std::size_t depth, std::size_t& shown, std::string& out) const;
  std::string reference(const Value& value, std::size_t depth) const;
  std::optional<std::string> visualized_target(const Value& pointer, std::uint64_t address) const;
  std::string symbol(std::uint64_t address) const;  // " <main+4>" or ""
  std::string address(std::uint64_t bits) const;    // in the radix asked for, else hexadecimal
  // ,s ,s8 ,su ...: nullopt where the value is no text.
  std::optional<std::string> as_text(const Value& value) const;
  std::optional<std::string> rust(const Value& value, std::size_t depth) const;  // nullopt: like any other value
  Printer below() const;                                                         // for members

  const FrameView& view_;
  Options options_;
  std::size_t hops_ = 0;  // values within values, also those that do not count as a level
};

std::string problem_text(const Error& error);
// `value` of a type of `bytes` bytes.
std::string integer_text(Int128 value, std::size_t bytes, bool with_sign, const Format& format);
std::string scientific_text(const sym::Type* type, Quad value);

}  // namespace trapline::eval
