#include "daemon/session/source_map.hpp"

#include <doctest/doctest.h>

namespace trapline::session {
namespace {

SourceMap map_of(std::vector<std::pair<std::string, std::optional<std::string>>> rules) {
  proto::SourceOptions options;
  options.source_map = std::move(rules);
  return SourceMap(options);
}

TEST_CASE("the longest prefix of whole path components wins, and the way back finds it") {
  const auto map = map_of({{"/build", "/home/me"}, {"/build/lib", "/src/lib"}});
  CHECK(map.to_local("/build/a.cpp") == "/home/me/a.cpp");
  CHECK(map.to_local("/build/lib/b.cpp") == "/src/lib/b.cpp");
  CHECK(map.to_local("/builder/c.cpp") == "/builder/c.cpp");
  CHECK(map.to_debug("/src/lib/b.cpp") == std::vector<std::string>{"/build/lib/b.cpp", "/src/lib/b.cpp"});
  CHECK(map.to_debug("/else/b.cpp") == std::vector<std::string>{"/else/b.cpp"});
}

TEST_CASE("a null in sourceMap hides the files below") {
  CHECK(map_of({{"/secret", std::nullopt}}).to_local("/secret/x.cpp").empty());
}

TEST_CASE("a relative path of the debug information hangs below relativePathBase") {
  proto::SourceOptions options;
  options.relative_path_base = "/base";
  CHECK(SourceMap(options).to_local("src/a.cpp") == "/base/src/a.cpp");
  CHECK(SourceMap(options).to_local("/abs/a.cpp") == "/abs/a.cpp");
}

TEST_CASE("globs cross slashes") {
  CHECK(matches_glob("/usr/include/**", "/usr/include/c++/12/vector"));
  CHECK(matches_glob("*/vector", "/usr/include/c++/12/vector"));
  CHECK_FALSE(matches_glob("*.h", "/a/b.cpp"));
}

}  // namespace
}  // namespace trapline::session
