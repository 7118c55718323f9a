#pragma once
// Regular expressions of users, on PCRE2: a pattern may be hostile or just unlucky, so a match's steps and memory are
// bounded (std::regex recurses without a bound and takes the stack with it). Thread: one at a time per Regex.
#include <memory>
#include <string>
#include <string_view>

#include "proto/words/result.hpp"

namespace trapline::sym {

class Regex {
 public:
  // Errors: bad_request with what is wrong and where. Letters match as they are written: C++ tells case apart.
  static Result<std::shared_ptr<const Regex>> compile(std::string_view pattern);
  // What stands between the slashes of "/text/"; empty: it is no such text.
  static std::string_view pattern_in(std::string_view text) {
    const bool slashes = text.size() > 2 && text.starts_with('/') && text.ends_with('/');
    return slashes ? text.substr(1, text.size() - 2) : std::string_view{};
  }
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;
  // Anywhere in the text. False, and too_costly() from then on, where the bound was met.
  bool found_in(std::string_view text) const;
  bool too_costly() const;

 private:
  struct Impl;
  explicit Regex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trapline::sym
