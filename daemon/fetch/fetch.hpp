#pragma once
// What debuginfod servers have: a debug file, or a source file, of a build-id. Through libdebuginfod, which has a cache
// folder and takes its settings from the environment: debuginfod_find_debuginfo(3).
//
// It runs in a process of its own, `traplined --fetch`, for three reasons. To load libcurl and what that brings takes
// 4 ms, as long as the rest of a session's start. The settings would be in the environment that a debuggee gets. And a
// name look-up of the C library cannot be interrupted: a process can be ended, whatever it waits for.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/words/result.hpp"

namespace trapline::fetch {

struct Settings {
  std::vector<std::string> urls{};                // none: as DEBUGINFOD_URLS has them
  std::optional<std::chrono::seconds> timeout{};  // without 100 KB more; none: as DEBUGINFOD_TIMEOUT, 90 s
  std::string cache{};                            // folder; empty: as the environment says
};

// Whether anybody would be asked.
bool names_servers(const Settings& settings);
// Where the library keeps what it fetched, for these settings: BUILD-ID/debuginfo in each of them.
std::vector<std::string> cache_folders(const Settings& settings);
// Our environment with the settings in it, for the process that fetches.
std::vector<std::string> environment_with(const Settings& settings);

// ---- the process that fetches

// `traplined --fetch debuginfo BUILD-ID` or `--fetch source BUILD-ID PATH`. Says on stdout, a line each:
//   at DONE ALL    (bytes; ALL is 0 while nobody knows)
//   from URL
//   found PATH     (in the cache folder)
//   failed ERRNO   (ENOENT: no server has it)
// SIGTERM, and a reader who is gone, end it; what was written so far of the file is taken away. The exit code: 0 found.
int run(const std::vector<std::string>& words);

struct Said {
  enum class What : std::uint8_t { nothing, at, from, found, failed } what = What::nothing;
  std::uint64_t done = 0, all = 0;
  std::string text;
  int os_errno = 0;
};
Said read_line(const std::string& line);

// Why nothing came, as people read it. not_found: no server has it.
Error error_of(int os_errno, const std::string& url);

}  // namespace trapline::fetch
