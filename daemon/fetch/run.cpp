// The process that fetches.
#include <dlfcn.h>
#include <elfutils/debuginfod.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>

#include "daemon/fetch/fetch.hpp"

namespace trapline::fetch {
namespace {

constexpr auto between_lines = std::chrono::milliseconds(100);
constexpr unsigned end_after = 2;  // seconds: from SIGTERM on, should the library not look up

volatile std::sig_atomic_t ended = 0;

void on_term(int) {
  ended = 1;
  ::alarm(end_after);  // its default action ends us
}

// False: nobody reads.
bool say(const std::string& line) {
  const std::string text = line + "\n";
  ssize_t put = 0;
  do put = ::write(STDOUT_FILENO, text.data(), text.size());
  while (put < 0 && errno == EINTR && ended == 0);
  return put == static_cast<ssize_t>(text.size());
}

// Opened here and not by the linker: it is this process alone that needs libcurl, and Debian's libdw does the same.
struct Library {
  decltype(&::debuginfod_begin) begin = nullptr;
  decltype(&::debuginfod_end) end = nullptr;
  decltype(&::debuginfod_set_progressfn) set_progress = nullptr;
  decltype(&::debuginfod_get_url) url = nullptr;
  decltype(&::debuginfod_find_debuginfo) find_debuginfo = nullptr;
  decltype(&::debuginfod_find_source) find_source = nullptr;
};

std::optional<Library> load() {
  void* handle = ::dlopen(DEBUGINFOD_SONAME, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return std::nullopt;
  Library library;
  bool all = true;
  const auto bind = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
    all = all && function != nullptr;
  };
  bind(library.begin, "debuginfod_begin");
  bind(library.end, "debuginfod_end");
  bind(library.set_progress, "debuginfod_set_progressfn");
  bind(library.url, "debuginfod_get_url");
  bind(library.find_debuginfo, "debuginfod_find_debuginfo");
  bind(library.find_source, "debuginfod_find_source");
  return all ? std::optional(library) : std::nullopt;
}

Library library;
std::string told_url;

// Called at least once a second, and with every piece that came. Not 0: the library gives up and clears away.
int on_progress(debuginfod_client* client, long done, long all) {
  static std::chrono::steady_clock::time_point last{};
  if (ended != 0) return 1;
  const auto now = std::chrono::steady_clock::now();
  if (now - last < between_lines) return 0;
  last = now;
  if (const char* url = library.url(client); url != nullptr && told_url != url) {
    told_url = url;
    if (!say("from " + told_url)) return 1;
  }
  return say(fmt::format("at {} {}", done < 0 ? 0 : done, all < 0 ? 0 : all)) ? 0 : 1;
}

// A download that fails leaves an empty file behind, the library's note not to ask again for ten minutes. Who cancels
// may want the file later.
void take_note_back(const std::string& build_id) {
  for (const auto& folder : cache_folders({})) {
    const auto note = folder + "/" + build_id + "/debuginfo";
    struct stat about {};
    if (::stat(note.c_str(), &about) == 0 && about.st_size == 0) ::unlink(note.c_str());
  }
}

}  // namespace

int run(const std::vector<std::string>& words) {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGTERM, on_term);
  const bool source = words.size() == 3 && words[0] == "source";
  if (!source && (words.size() != 2 || words[0] != "debuginfo")) return 2;
  const auto loaded = load();
  if (!loaded) {
    say(fmt::format("failed {}", ELIBACC));
    return 1;
  }
  library = *loaded;
  debuginfod_client* client = library.begin();
  if (client == nullptr) {
    say(fmt::format("failed {}", ENOMEM));
    return 1;
  }
  library.set_progress(client, on_progress);
  const auto* id = reinterpret_cast<const unsigned char*>(words[1].c_str());  // length 0: it is hexadecimal
  char* path = nullptr;
  const int got = source ? library.find_source(client, id, 0, words[2].c_str(), &path)
                         : library.find_debuginfo(client, id, 0, &path);
  if (const char* url = library.url(client); url != nullptr && told_url != url) say(std::string("from ") + url);
  if (ended != 0 && !source) take_note_back(words[1]);
  if (got >= 0 && path != nullptr)
    say(std::string("found ") + path);
  else
    say(fmt::format("failed {}", ended != 0 ? ECANCELED : -got));
  ::free(path);
  library.end(client);
  return got >= 0 ? 0 : 1;
}

}  // namespace trapline::fetch
