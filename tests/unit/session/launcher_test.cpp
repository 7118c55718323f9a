#include "daemon/session/launcher.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace trapline::session {
namespace {

using Env = std::vector<std::string>;

std::string temporary_file(const std::string& text) {
  char path[] = "/tmp/trapline-env-XXXXXX";
  const int fd = ::mkstemp(path);
  REQUIRE(fd >= 0);
  std::ofstream(path) << text;
  ::close(fd);
  return path;
}

TEST_CASE("env adds to what is inherited, and null takes a variable away") {
  proto::LaunchSpec spec;
  spec.env = {{"A", "new"}, {"B", std::nullopt}, {"C", ""}};
  const auto env = environment_of(spec, {"A=old", "B=1", "AB=2"});
  REQUIRE(env.has_value());
  CHECK(*env == Env{"AB=2", "A=new", "C="});
}

TEST_CASE("inheritEnv false starts empty") {
  proto::LaunchSpec spec;
  spec.inherit_env = false;
  spec.env = {{"A", "1"}};
  CHECK(environment_of(spec, {"B=1"}).value() == Env{"A=1"});
}

TEST_CASE("envFile is read before env, and a line without = is refused with its number") {
  const auto good = temporary_file("# comment\nexport A=\"x y\"\n\nB='z'\nC=1=2\n");
  proto::LaunchSpec spec;
  spec.inherit_env = false;
  spec.env_file = good;
  spec.env = {{"B", "own"}};
  CHECK(environment_of(spec, {}).value() == Env{"A=x y", "C=1=2", "B=own"});
  std::filesystem::remove(good);

  const auto bad = temporary_file("A=1\nnonsense\n");
  spec.env_file = bad;
  const auto refused = environment_of(spec, {});
  REQUIRE(!refused.has_value());
  CHECK(refused.error().message.find(":2:") != std::string::npos);
  std::filesystem::remove(bad);
  CHECK(environment_of(spec, {}).error().code == Errc::not_found);
}

TEST_CASE("a launch that cannot be says what is wrong before anything starts") {
  proto::LaunchSpec spec;
  CHECK(resolve_launch(spec).error().code == Errc::bad_request);
  spec.program = "/no/such/program";
  CHECK(resolve_launch(spec).error().code == Errc::not_executable);
  spec.program = "/bin/true";
  spec.cwd = "/no/such/folder";
  CHECK(resolve_launch(spec).error().code == Errc::not_found);
}

TEST_CASE("the wrapper stands before the program") {
  proto::LaunchSpec spec;
  spec.program = "/bin/true";
  spec.args = {"x"};
  spec.wrapper = {"/usr/bin/env", "A=1"};
  const auto launch = resolve_launch(spec);
  REQUIRE_MESSAGE(launch.has_value(), launch.error().message);
  CHECK(launch->argv == std::vector<std::string>{"/usr/bin/env", "A=1", "/bin/true", "x"});
  CHECK(launch->program == "/bin/true");
}

}  // namespace
}  // namespace trapline::session
