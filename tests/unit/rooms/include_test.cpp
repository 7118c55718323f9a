// The walls between the rooms, held against the #include lines of .hpp and .cpp: clean headers prove nothing where the
// sources reach through.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "tests/unit/rooms/rooms.hpp"

using namespace trapline::rooms;

namespace {

const std::vector<Room> small_house = {
    {"a", {"b"}, {}}, {"b", {"c"}, {"glass"}}, {"c", {"a"}, {}}, {"a/inner", {}, {}}, {"face.hpp", {"c"}, {}},
};
const std::vector<PackageRule> small_packages = {{"glass", "glass/"}};

Findings check(const std::vector<SourceFile>& files) { return check_includes(small_house, small_packages, files); }

std::string report(const std::vector<Offence>& offences) {
  std::string text;
  for (const auto& o : offences) text += fmt::format("\n  {}:{}: {}\n    {}", o.file, o.line, o.text, o.why);
  return text;
}

}  // namespace

TEST_CASE("a room includes what its line of the table allows, and itself") {
  const auto found = check({{"a/x.cpp", "#include \"a/x.hpp\"\n#include \"b/y.hpp\"\n#include <vector>\n"}});
  CHECK(report(found.offences) == "");
  CHECK(found.uses.at("a").at("b") == "a/x.cpp:2");
}

TEST_CASE("an include through a wall is an offence with file, line and reason") {
  const auto found = check({{"a/x.cpp", "// one\n  #  include \"c/z.hpp\"  // over the wall\n"}});
  REQUIRE(found.offences.size() == 1);
  CHECK(found.offences[0].file == "a/x.cpp");
  CHECK(found.offences[0].line == 2);
  CHECK(found.offences[0].text == "  #  include \"c/z.hpp\"  // over the wall");
  CHECK(found.offences[0].why == "a may not use c; it may use b");
}

TEST_CASE("a room within a folder of another one is a room of its own") {
  CHECK(check({{"a/inner/x.cpp", "#include \"b/y.hpp\"\n"}}).offences.size() == 1);
  CHECK(check({{"a/innermost/x.cpp", "#include \"b/y.hpp\"\n"}}).offences.empty());
  CHECK(check({{"face.hpp", "#include \"c/y.hpp\"\n"}}).offences.empty());
}

TEST_CASE("an include that does not start at the repository root, and a file in no room, are offences") {
  CHECK(check({{"a/x.cpp", "#include \"x.hpp\"\n"}}).offences.size() == 1);
  CHECK(check({{"elsewhere/x.cpp", "int x;\n"}}).offences.size() == 1);
}

TEST_CASE("a guarded package is open to the rooms that name it") {
  CHECK(check({{"b/x.cpp", "#include <glass/pane.h>\n"}}).offences.empty());
  CHECK(check({{"a/x.cpp", "#include <glass/pane.h>\n"}}).offences.size() == 1);
}

TEST_CASE("a cycle is found through any number of rooms and told in order") {
  const auto round = check({{"a/x.cpp", "#include \"b/y.hpp\"\n"},
                            {"b/y.cpp", "#include \"c/z.hpp\"\n"},
                            {"c/z.cpp", "#include \"a/x.hpp\"\n"}});
  CHECK(find_cycle(round) == std::vector<std::string>{"a", "b", "c"});
  const auto tree =
      check({{"a/x.cpp", "#include \"b/y.hpp\"\n#include \"c/z.hpp\"\n"}, {"b/y.cpp", "#include \"c/z.hpp\"\n"}});
  CHECK(find_cycle(tree).empty());
}

TEST_CASE("every include line of the project stays within the table") {
  const auto files = read_sources(TRAPLINE_SOURCE_ROOT, {"proto", "dap", "daemon", "client"});
  REQUIRE(files.size() > 20);  // an empty walk would pass everything
  const auto found = check_includes(table(), package_rules(), files);
  INFO("offences:", report(found.offences));
  CHECK(found.offences.empty());
}

TEST_CASE("no rooms of the project use each other in a circle") {
  const auto found = check_includes(table(), package_rules(),
                                    read_sources(TRAPLINE_SOURCE_ROOT, {"proto", "dap", "daemon", "client"}));
  const auto cycle = find_cycle(found);
  std::string told;
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    const auto& next = cycle[(i + 1) % cycle.size()];
    told += fmt::format("\n  {} uses {} in {}", cycle[i], next, found.uses.at(cycle[i]).at(next));
  }
  INFO("cycle:", told);
  CHECK(cycle.empty());
}

TEST_CASE("the table itself allows no circle and names only rooms that it has") {
  Findings allowed;
  for (const auto& room : table())
    for (const auto used : room.may_use) {
      allowed.uses[std::string(room.path)][std::string(used)] = "table";
      CHECK_MESSAGE(room_of(table(), used) != nullptr, used);
    }
  CHECK(find_cycle(allowed).empty());
}
