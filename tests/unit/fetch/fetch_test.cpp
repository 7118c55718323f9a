#include "daemon/fetch/fetch.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

using namespace trapline;
using namespace trapline::fetch;

namespace {

struct Variable {
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* now = std::getenv(name)) before_ = now;
    if (value)
      ::setenv(name, value, 1);
    else
      ::unsetenv(name);
  }
  ~Variable() {
    if (before_)
      ::setenv(name_, before_->c_str(), 1);
    else
      ::unsetenv(name_);
  }
  const char* name_;
  std::optional<std::string> before_;
};

std::vector<std::string> of(const std::vector<std::string>& environment, std::string_view name) {
  std::vector<std::string> found;
  for (const auto& entry : environment)
    if (entry.starts_with(name) && entry.size() > name.size() && entry[name.size()] == '=') found.push_back(entry);
  return found;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("servers are named by the settings, else by the environment") {
  const Variable urls("DEBUGINFOD_URLS", nullptr);
  CHECK_FALSE(names_servers({}));
  CHECK(names_servers({.urls = {"http://a"}}));
  const Variable blank("DEBUGINFOD_URLS", "  ");
  CHECK_FALSE(names_servers({}));
  const Variable set("DEBUGINFOD_URLS", "http://b");
  CHECK(names_servers({}));
}

TEST_CASE("the process that fetches gets the settings, each name once, and nothing that makes it talk") {
  const Variable urls("DEBUGINFOD_URLS", "http://old"), timeout("DEBUGINFOD_TIMEOUT", "7"),
      cache("DEBUGINFOD_CACHE_PATH", "/old"), talk("DEBUGINFOD_VERBOSE", "1"), bar("DEBUGINFOD_PROGRESS", "1");
  auto environment = environment_with({.urls = {"http://a", "http://b"}, .timeout = {}, .cache = "/new"});
  CHECK(of(environment, "DEBUGINFOD_URLS") == Texts{"DEBUGINFOD_URLS=http://a http://b"});
  CHECK(of(environment, "DEBUGINFOD_CACHE_PATH") == Texts{"DEBUGINFOD_CACHE_PATH=/new"});
  CHECK(of(environment, "DEBUGINFOD_TIMEOUT") == Texts{"DEBUGINFOD_TIMEOUT=7"});
  CHECK(of(environment, "DEBUGINFOD_VERBOSE").empty());
  CHECK(of(environment, "DEBUGINFOD_PROGRESS").empty());
  environment = environment_with({.urls = {}, .timeout = std::chrono::seconds(3), .cache = {}});
  CHECK(of(environment, "DEBUGINFOD_URLS") == Texts{"DEBUGINFOD_URLS=http://old"});
  CHECK(of(environment, "DEBUGINFOD_TIMEOUT") == Texts{"DEBUGINFOD_TIMEOUT=3"});
}

TEST_CASE("cache folders: as set, else the ones of every debuginfod client") {
  const Variable path("DEBUGINFOD_CACHE_PATH", nullptr), xdg("XDG_CACHE_HOME", "/x"), home("HOME", "/h");
  CHECK(cache_folders({.urls = {}, .timeout = {}, .cache = "/mine"}) == Texts{"/mine"});
  CHECK(cache_folders({}) ==
        Texts{"/x/debuginfod_client", "/h/.cache/debuginfod_client", "/h/.debuginfod_client_cache"});
  const Variable set("DEBUGINFOD_CACHE_PATH", "/p");
  CHECK(cache_folders({}) == Texts{"/p"});
}

TEST_CASE("lines of the process that fetches are read, and others are nothing") {
  auto said = read_line("at 12 345");
  CHECK(said.what == Said::What::at);
  CHECK(said.done == 12);
  CHECK(said.all == 345);
  said = read_line("found /a path/with blanks");
  CHECK(said.what == Said::What::found);
  CHECK(said.text == "/a path/with blanks");
  said = read_line("failed 2");
  CHECK(said.what == Said::What::failed);
  CHECK(said.os_errno == ENOENT);
  CHECK(read_line("from http://a").text == "http://a");
  for (const auto* line : {"", "at", "at x", "at 1", "failed", "failed x", "found", "hello you"})
    CHECK(read_line(line).what == Said::What::nothing);
}

TEST_CASE("why nothing came is told with what to do") {
  CHECK(error_of(ENOENT, "http://a").code == Errc::not_found);
  CHECK(error_of(ECONNREFUSED, "http://a").message == "http://a: Connection refused");
  CHECK(error_of(ENOSYS, "").hint.find("DEBUGINFOD_URLS") != std::string::npos);
  CHECK(error_of(ETIME, "").code == Errc::timeout);
  CHECK(error_of(ELIBACC, "").hint.find("libdebuginfod1") != std::string::npos);
}
