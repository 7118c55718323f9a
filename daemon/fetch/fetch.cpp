#include "daemon/fetch/fetch.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace trapline::fetch {
namespace {

std::string variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::string{} : text;
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(' ')) text.remove_prefix(1);
  return true;
}

}  // namespace

bool names_servers(const Settings& settings) {
  if (!settings.urls.empty()) return true;
  return variable("DEBUGINFOD_URLS").find_first_not_of(" \t\n") != std::string::npos;
}

// debuginfod_find_debuginfo(3), "CACHE".
std::vector<std::string> cache_folders(const Settings& settings) {
  if (!settings.cache.empty()) return {settings.cache};
  if (auto set = variable("DEBUGINFOD_CACHE_PATH"); !set.empty()) return {std::move(set)};
  std::vector<std::string> folders;
  if (const auto cache = variable("XDG_CACHE_HOME"); !cache.empty()) folders.push_back(cache + "/debuginfod_client");
  if (const auto home = variable("HOME"); !home.empty()) {
    folders.push_back(home + "/.cache/debuginfod_client");
    folders.push_back(home + "/.debuginfod_client_cache");
  }
  return folders;
}

std::vector<std::string> environment_with(const Settings& settings) {
  std::vector<std::string> words;
  std::vector<std::string> ours;
  if (!settings.urls.empty()) {
    std::string all;
    for (const auto& url : settings.urls) all += (all.empty() ? "" : " ") + url;
    ours.push_back("DEBUGINFOD_URLS=" + all);
  }
  if (!settings.cache.empty()) ours.push_back("DEBUGINFOD_CACHE_PATH=" + settings.cache);
  if (settings.timeout) ours.push_back(fmt::format("DEBUGINFOD_TIMEOUT={}", settings.timeout->count()));
  // What the library would write to a terminal is nobody's here.
  constexpr std::string_view left_out[] = {"DEBUGINFOD_PROGRESS=", "DEBUGINFOD_VERBOSE="};
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    bool keep = true;
    for (const auto& name : left_out) keep = keep && !text.starts_with(name);
    for (const auto& set : ours) keep = keep && !text.starts_with(std::string_view(set).substr(0, set.find('=') + 1));
    if (keep) words.emplace_back(text);
  }
  words.insert(words.end(), ours.begin(), ours.end());
  return words;
}

Said read_line(const std::string& line) {
  const auto blank = line.find(' ');
  if (blank == std::string::npos) return {};
  const std::string_view word = std::string_view(line).substr(0, blank);
  std::string_view rest = std::string_view(line).substr(blank + 1);
  Said said;
  if (word == "at" && take_number(rest, said.done) && take_number(rest, said.all)) {
    said.what = Said::What::at;
  } else if (word == "from" || word == "found") {
    said.what = word == "from" ? Said::What::from : Said::What::found;
    said.text = rest;
  } else if (word == "failed" && take_number(rest, said.os_errno)) {
    said.what = Said::What::failed;
  }
  return said;
}

Error error_of(int os_errno, const std::string& url) {
  const std::string who = url.empty() ? "debuginfod" : url;
  const auto make = [&](Errc code, std::string text, std::string hint = {}) {
    return Error{.code = code, .message = std::move(text), .os_errno = os_errno, .hint = std::move(hint)};
  };
  switch (os_errno) {
    case ENOENT: return make(Errc::not_found, "no debuginfod server has it");
    case ECANCELED: return make(Errc::cancelled, "cancelled");
    case ENOSYS:
      return make(Errc::not_available, "no debuginfod server is named",
                  "set `debuginfod.urls`, or DEBUGINFOD_URLS where the daemon is started");
    case ELIBACC:
      return make(Errc::not_available, "libdebuginfod.so.1 is not there", "install it (Debian: libdebuginfod1)");
    case ETIME:
    case ETIMEDOUT: return make(Errc::timeout, fmt::format("{} did not answer in time", who));
    default: return make(Errc::connection, fmt::format("{}: {}", who, std::strerror(os_errno)));
  }
}

}  // namespace trapline::fetch
