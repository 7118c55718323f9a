// Values of library types as they are shown: what the tables in tests/live/views say, and what the programs themselves
// wrote down of their containers, over the builds that change how either is found in the debug information.
#include <cstdlib>
#include <map>

#include "daemon/natvis/engine.hpp"
#include "tests/live/values_look.hpp"
#include "tests/live/views_table.hpp"

using namespace trapline;
using test::Look;
using test::ViewCase;

namespace {

struct Build {
  std::string variant;
  std::vector<std::string> tags;
};

const std::vector<Build> core_builds{
    {"", {"libstdcxx"}},
    {"O2", {"libstdcxx"}},
    {"O2-dwarf4", {"libstdcxx"}},
    {"types5", {"libstdcxx"}},
    {"compressed", {"libstdcxx"}},
    {"dwz", {"libstdcxx"}},
    {"clang", {"libstdcxx"}},
    {"clang-O2", {"libstdcxx"}},
    {"oldabi", {"libstdcxx", "oldabi"}},
    {"debug", {"libstdcxx", "debug"}},
    {"clang-libcxx", {"libcxx"}},
    {"clang-libcxx-O2", {"libcxx"}},
};
const std::vector<Build> boost_builds{{"", {}}, {"clang-O2", {"O2"}}};

// A program in a part, with the visualisers in the box.
class Viewed {
 public:
  Viewed(const std::string& program, const std::string& part) : look_(fmt::format("{}/{}", FIXTURES, program), part) {
    CHECK(engine_.take_complaints().empty());
    view_ = look_.view();
    view_.visualizers = &engine_;
  }

  Result<eval::Value> value(std::string_view expression) { return eval::evaluate(view_, expression); }
  std::string summary(const eval::Value& value) { return eval::summary(view_, value); }
  eval::ChildCount count(const eval::Value& value) { return eval::child_count(view_, value); }
  std::vector<eval::Child> children(const eval::Value& value, std::string_view expression, std::uint64_t start,
                                    std::uint64_t count) {
    auto page = eval::children(view_, value, expression, start, count);
    if (page) {
      std::erase_if(*page,
                    [](const eval::Child& child) { return child.name == "[Raw View]"; });  // the session's matter
      return *std::move(page);
    }
    FAIL_CHECK(expression << ": " << page.error().message);
    return {};
  }

  void check(const ViewCase& expected) {
    const auto found = value(expected.name);
    const std::string text = found ? summary(*found) : found.error().message;
    compare(expected, text);
    if (found && !expected.children.empty()) check_children(expected, *found, expected.name);
  }

  // What the program says of itself: "NAME\tCOUNT", then that many lines "\t[KEY]\tVALUE".
  void check_report() {
    std::string text(look_.tracee().word(look_.tracee().symbol("views_report_size")), '\0');
    REQUIRE(look_.tracee().memory().read(LoadAddr{look_.tracee().symbol("views_report")},
                                         std::as_writable_bytes(std::span(text))));
    std::size_t at = 0;
    const auto until = [&](char end) {
      const std::size_t begin = at;
      at = text.find(end, begin);
      REQUIRE(at != std::string::npos);
      return text.substr(begin, at++ - begin);
    };
    while (at < text.size()) {
      const std::string name = until('\t');
      const std::size_t length = std::stoul(until('\n'));
      CAPTURE(name);
      const auto container = value(name);
      REQUIRE_MESSAGE(container, container.error().message);
      const eval::ChildCount shown = count(*container);
      CHECK(shown.indexed == length);
      const auto elements = children(*container, name, shown.named, 0);
      CHECK(elements.size() == length);
      for (std::size_t i = 0; i < length; ++i) {
        CHECK(until('\t').empty());
        const std::string key = until('\t');
        const std::string held = until('\n');
        if (i >= elements.size()) continue;
        if (key != "[*]") CHECK(elements[i].name == key);
        if (held != "*") CHECK(summary(elements[i].value) == held);
      }
    }
  }

 private:
  void compare(const ViewCase& expected, const std::string& text) {
    CHECK_MESSAGE(test::looks_like(text, expected.summary), "line " << expected.line << ": " << expected.name << " is\n"
                                                                    << text << "\nand should be\n"
                                                                    << expected.summary);
  }
  void check_children(const ViewCase& expected, const eval::Value& parent, const std::string& expression) {
    auto page = children(parent, expression, 0, expected.more ? expected.children.size() + 1 : 0);
    if (expected.more && page.size() > expected.children.size()) page.pop_back();
    std::string names;
    for (const auto& child : page) names += child.name + " ";
    CHECK_MESSAGE(page.size() == expected.children.size(),
                  "line " << expected.line << ": " << expected.name << " has " << names);
    for (std::size_t i = 0; i < page.size() && i < expected.children.size(); ++i) {
      const ViewCase& child = expected.children[i];
      CHECK_MESSAGE(page[i].name == child.name, "line " << child.line);
      compare(child, summary(page[i].value));
      if (!page[i].evaluate_name.empty()) {  // finds the same again
        const auto again = value(page[i].evaluate_name);
        CHECK_MESSAGE(again, "line " << child.line << ": " << page[i].evaluate_name << ": "
                                     << (again ? "" : again.error().message));
        if (again) CHECK_MESSAGE(summary(*again) == summary(page[i].value), page[i].evaluate_name);
      }
      if (!child.children.empty()) check_children(child, page[i].value, page[i].evaluate_name);
    }
  }

  Look look_;
  natvis::Engine engine_;
  eval::FrameView view_;
};

void check_table(const std::string& program, const std::vector<Build>& builds) {
  std::map<std::string, std::vector<ViewCase>> parts;
  for (auto& view : test::read_views(fmt::format("{}/{}.txt", TABLES, program))) parts[view.part].push_back(view);
  REQUIRE(!parts.empty());
  const char* only = std::getenv("VIEWS_BUILD");  // to look at one of them by hand
  for (const Build& build : builds) {
    if (only != nullptr && build.variant != only) continue;
    const std::string name = fmt::format("views_{}{}{}", program, build.variant.empty() ? "" : ".", build.variant);
    CAPTURE(name);
    for (const auto& [part, views] : parts) {
      CAPTURE(part);
      Viewed viewed(name, part);
      for (const ViewCase& view : views)
        if (test::meant_for(view, build.tags)) viewed.check(view);
      viewed.check_report();
    }
  }
}

}  // namespace

TEST_CASE("containers of libstdc++ and libc++") { check_table("containers", core_builds); }
TEST_CASE("strings, tuples, owners, times and the like of libstdc++ and libc++") { check_table("values", core_builds); }
TEST_CASE("Boost") { check_table("boost", boost_builds); }

TEST_CASE("a page of a large container costs the page, and holds what stands there") {
  for (const char* program : {"views_containers", "views_containers.clang-libcxx"}) {
    CAPTURE(program);
    Viewed viewed(program, "big");
    const auto page = [&](const std::string& name, std::uint64_t size, std::uint64_t start, auto expected) {
      CAPTURE(name);
      CAPTURE(start);
      const auto container = viewed.value(name);
      REQUIRE(container);
      const auto count = viewed.count(*container);
      CHECK(count.indexed == size);
      const auto found = viewed.children(*container, name, count.named + start, 100);
      CHECK(found.size() == std::min<std::uint64_t>(100, size - start));
      for (std::uint64_t i = 0; i < found.size(); ++i) {
        CHECK(found[i].name == fmt::format("[{}]", start + i));
        CHECK(viewed.summary(found[i].value) == std::to_string(expected(start + i)));
      }
    };
    for (const std::uint64_t start : {0, 500'000, 999'950}) {
      page("m", 1'000'000, start, [](std::uint64_t i) { return i * 2; });
      page("d", 1'000'000, start, [](std::uint64_t i) { return i * 3; });
    }
    for (const std::uint64_t start : {0, 50'000, 99'950})
      page("l", 100'000, start, [](std::uint64_t i) { return i * 5; });
    for (const std::uint64_t start : {0, 49'999'950, 99'999'950})
      page("v", 100'000'000, start, [](std::uint64_t i) {
        return i == 0 ? 1 : i == 50'000'000 ? 2 : i == 99'999'999 ? 3 : 0;
      });
  }
}

TEST_CASE("a function that the linker folded with others tells no type") {
  Viewed viewed("views_folded", "");
  const auto shown = [&](std::string_view name) {
    const auto value = viewed.value(name);
    REQUIRE_MESSAGE(value, value.error().message);
    for (const auto& child : viewed.children(*value, name, 0, 0)) CHECK(child.name != "[target]");
    return viewed.summary(*value);
  };
  for (const char* name : {"f_degrees", "f_metres"}) {
    const auto text = shown(name);
    CHECK_MESSAGE(text.starts_with("function 0x"), text);
  }
  CHECK(viewed.summary(*viewed.value("f_factor")) == "function box::Factor");
}
