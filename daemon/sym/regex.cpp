#include "daemon/sym/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>

namespace trapline::sym {
namespace {

constexpr std::size_t longest_pattern = 4096;
constexpr std::uint32_t most_steps = 100'000;  // for one name: nested quantifiers need more for 30 letters
constexpr std::uint32_t most_kibibytes = 1024;

template <auto function>
struct Free {
  template <class T>
  void operator()(T* object) const {
    function(object);
  }
};

std::string reason(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

}  // namespace

struct Regex::Impl {
  std::unique_ptr<pcre2_code, Free<pcre2_code_free>> code;
  std::unique_ptr<pcre2_match_data, Free<pcre2_match_data_free>> data;
  std::unique_ptr<pcre2_match_context, Free<pcre2_match_context_free>> bounds;
  bool too_costly = false;
};

Regex::Regex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Regex::~Regex() = default;

Result<std::shared_ptr<const Regex>> Regex::compile(std::string_view pattern) {
  if (pattern.size() > longest_pattern)
    return fail(Errc::bad_request,
                fmt::format("a regular expression of {} bytes; {} are the most", pattern.size(), longest_pattern));
  auto impl = std::make_unique<Impl>();
  int code = 0;
  PCRE2_SIZE at = 0;
  impl->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                 PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF, &code, &at, nullptr));
  if (!impl->code)
    return fail(Errc::bad_request,
                fmt::format("the regular expression /{}/ is wrong at character {}: {}", pattern, at + 1, reason(code)));
  impl->data.reset(pcre2_match_data_create(1, nullptr));
  impl->bounds.reset(pcre2_match_context_create(nullptr));
  if (!impl->data || !impl->bounds) return fail(Errc::internal, "no memory for a regular expression");
  pcre2_set_match_limit(impl->bounds.get(), most_steps);
  pcre2_set_heap_limit(impl->bounds.get(), most_kibibytes);
  return std::shared_ptr<const Regex>(new Regex(std::move(impl)));
}

bool Regex::found_in(std::string_view text) const {
  if (impl_->too_costly) return false;
  const int matched = pcre2_match(impl_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0,
                                  impl_->data.get(), impl_->bounds.get());
  impl_->too_costly = matched == PCRE2_ERROR_MATCHLIMIT || matched == PCRE2_ERROR_HEAPLIMIT;
  return matched >= 0;
}

bool Regex::too_costly() const { return impl_->too_costly; }

}  // namespace trapline::sym
