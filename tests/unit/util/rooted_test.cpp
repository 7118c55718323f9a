#include "daemon/util/rooted.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/folder.hpp"

using trapline::test::Folder;
using trapline::util::path_in_root;
namespace fs = std::filesystem;

TEST_CASE("a path is looked up as the process with that root would") {
  const Folder folder;
  const std::string root = (folder / "root").string();
  fs::create_directories(root + "/usr/lib");
  fs::create_directories(root + "/opt/debug");
  std::ofstream(root + "/opt/debug/file") << "x";
  const auto look = [&](const std::string& path) {
    const auto found = path_in_root(root, path);
    REQUIRE(found.starts_with(root));
    return found.substr(root.size());
  };
  CHECK(look("/opt/debug/file") == "/opt/debug/file");
  fs::create_symlink("/opt/debug", root + "/usr/lib/debug");
  CHECK(look("/usr/lib/debug/file") == "/opt/debug/file");
  CHECK(fs::exists(path_in_root(root, "/usr/lib/debug/file")));
  CHECK_FALSE(fs::exists(root + "/usr/lib/debug/file"));  // what the plain path leads to
  fs::create_symlink("../opt/debug", root + "/usr/relative");
  CHECK(look("/usr/relative/file") == "/opt/debug/file");
  fs::create_symlink("/usr/lib/debug/file", root + "/chain");
  CHECK(look("/chain") == "/opt/debug/file");
  // ".." ends at the root, in a path and in a link.
  fs::create_symlink("../../../../etc", root + "/out");
  CHECK(look("/out/passwd") == "/etc/passwd");
  CHECK(look("/../../etc/./passwd") == "/etc/passwd");
  CHECK(look("/usr/../opt//debug/file") == "/opt/debug/file");
  // ".." behind a link is of the folder that the link leads to.
  CHECK(look("/usr/lib/debug/../sibling") == "/opt/sibling");
  CHECK(look("/not/there/at/all") == "/not/there/at/all");
  CHECK(look("/") == "");
}

TEST_CASE("links that lead to themselves end, and without a root nothing is looked at") {
  const Folder folder;
  const std::string root = (folder / "root").string();
  fs::create_directories(root);
  fs::create_symlink("/loop", root + "/loop");
  fs::create_symlink("b", root + "/a");
  fs::create_symlink("a", root + "/b");
  CHECK(path_in_root(root, "/loop/x") == root + "/loop/x");
  CHECK(path_in_root(root, "/a") == root + "/a");
  CHECK(path_in_root("", "/loop/../x") == "/loop/../x");
}
