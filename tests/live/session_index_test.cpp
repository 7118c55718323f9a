// What an index changes for a session: places that only it knows come when it is done, are there at once when it is in
// the cache, and a damaged one is as good as none.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/support/folder.hpp"
#include "tests/support/live.hpp"

namespace trapline::test {
namespace {

namespace fs = std::filesystem;

// The debug information of the fixture is small: it is indexed all the same here.
std::unique_ptr<Live> start_indexing(const Folder& folder) {
  proto::LaunchSpec spec;
  spec.program = fixture("code_shapes.O2");
  return Live::start(std::move(spec), {.index_folder = folder.path().string(), .index_worth = 1});
}

std::vector<fs::path> index_files(const Folder& folder) {
  std::vector<fs::path> found;
  for (const auto& file : fs::directory_iterator(folder.path()))
    if (file.path().extension() == ".tlindex") found.push_back(file.path());
  return found;
}

proto::BreakpointInfo info_of(Live& live, BreakpointId id) {
  const auto all = live.control().breakpoints();
  const auto found = std::ranges::find(all, id, &proto::BreakpointInfo::id);
  REQUIRE(found != all.end());
  return *found;
}

// Inlined everywhere: no symbol names it.
std::size_t places_of_twice(const proto::BreakpointInfo& info) {
  return static_cast<std::size_t>(std::ranges::count_if(
      info.locations, [](const auto& at) { return at.function.find("twice") != std::string::npos; }));
}

bool wait_for_places(Live& live, BreakpointId id) {
  return live.run_until([&] { return places_of_twice(info_of(live, id)) > 0; });
}

}  // namespace

TEST_CASE("a breakpoint on an inlined function binds when the index is done, and clients are told") {
  const Folder folder;
  const auto live = start_indexing(folder);
  const auto id = live->break_on("shapes::twice");
  CHECK(info_of(*live, id).pending);
  REQUIRE(wait_for_places(*live, id));
  CHECK(live->run_until([&] {
    return std::ranges::any_of(live->events(), [&](const proto::Event& event) {
      const auto* one = std::get_if<proto::BreakpointEvent>(&event);
      return one && one->breakpoint.id == id && one->change == proto::Change::changed && one->breakpoint.verified;
    });
  }));
  CHECK_FALSE(index_files(folder).empty());
  CHECK(live->go_to_stop().breakpoints == std::vector{id});
}

TEST_CASE("a second session has the places at once, from the cache") {
  const Folder folder;
  {
    const auto first = start_indexing(folder);
    REQUIRE(wait_for_places(*first, first->break_on("shapes::twice")));
  }
  const auto second = start_indexing(folder);
  const auto id = second->break_on("shapes::twice");
  CHECK(places_of_twice(info_of(*second, id)) > 0);
  CHECK(second->go_to_stop().breakpoints == std::vector{id});
}

TEST_CASE("symbols are found with what and where they are; a name that is nearly one is named") {
  const auto live = Live::start("code_shapes");
  live->break_on("main");
  live->go_to_stop();
  const auto found = live->control().find_symbols("shapes::Base", 10);
  REQUIRE(found);
  const auto type = std::ranges::find(*found, "shapes::Base", &proto::SymbolInfo::name);
  REQUIRE(type != found->end());
  CHECK(type->kind == "type");
  CHECK(type->file.ends_with("code_shapes.cpp"));
  CHECK(type->line.value > 0);
  CHECK(std::ranges::all_of(*found, [](const auto& one) { return one.name.find("shapes::Base") == 0; }));
  const auto overload = live->control().find_symbols("shapes::run(int)", 10);
  REQUIRE(overload);
  REQUIRE(overload->size() == 1);
  CHECK(overload->front().kind == "function");
  CHECK_FALSE(live->control().find_symbols("/(/", 10));
  const auto near = live->break_on("plain_k");
  CHECK(info_of(*live, near).message.find("did you mean plain_c?") != std::string::npos);
}

TEST_CASE("a damaged index answers nothing wrong, and is built again") {
  const Folder folder;
  {
    const auto first = start_indexing(folder);
    REQUIRE(wait_for_places(*first, first->break_on("shapes::twice")));
  }
  for (const auto& path : index_files(folder)) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(path) - 200));
    file << "this is not what was written";
  }
  const auto live = start_indexing(folder);
  const auto id = live->break_on("shapes::twice");
  const auto other = live->break_on("shapes::run");
  CHECK(info_of(*live, other).locations.size() == 2);
  for (const auto& at : info_of(*live, id).locations) CHECK(at.function == "shapes::twice");
  CHECK(live->go_to_stop().breakpoints.size() == 1);
}

TEST_CASE(
    "who loads eagerly has all debug information opened behind the start; else nobody opens what no question needs") {
  // libc's lies in a file of its own: libc6-dbg.
  const auto libc_was_opened = [](const Live& live) {
    return std::ranges::any_of(live.events(), [](const proto::Event& event) {
      const auto* one = std::get_if<proto::ModuleEvent>(&event);
      return one && one->change == proto::Change::changed && one->module.name == "libc.so.6" && one->module.optimized;
    });
  };
  for (const bool eager : {true, false}) {
    CAPTURE(eager);
    proto::LaunchSpec spec;
    spec.program = fixture("code_shapes.O2");
    spec.sources.load_eagerly = eager;
    // No module of the cases before is taken for these: they may be open already.
    spec.sources.symbols_exclude = {eager ? "eager-and-no-file" : "lazy-and-no-file"};
    const auto live = Live::start(std::move(spec));
    live->break_on("main");
    live->go_to_stop();
    REQUIRE(std::ranges::any_of(live->control().modules(), [](const auto& module) {
      return module.name == "libc.so.6" && module.has_debug_info && !module.debug_file.empty();
    }));
    if (eager) {
      CHECK(live->run_until([&] { return libc_was_opened(*live); }));
    } else {
      for (const auto& module : live->control().modules())
        if (module.name == "libc.so.6") CHECK_FALSE(module.optimized);
    }
  }
}

TEST_CASE("an index that is built is told of from its begin to its end, and can be cancelled") {
  for (const bool cancel : {false, true}) {
    CAPTURE(cancel);
    const Folder folder;
    proto::LaunchSpec spec;
    spec.program = fixture("code_shapes.O2");
    const auto live = Live::start(
        std::move(spec),
        {.index_folder = folder.path().string(), .index_worth = 1, .tell_after = std::chrono::milliseconds(0)});
    live->break_on("shapes::twice");
    std::string id, title, last_words;
    std::size_t begins = 0, ends = 0, seen = 0;
    bool refused = false;
    REQUIRE(live->run_until([&] {
      for (; seen < live->events().size(); ++seen) {
        const auto* one = std::get_if<proto::ProgressEvent>(&live->events()[seen]);
        if (!one || !(begins == 0 || one->id == id)) continue;
        if (one->phase == proto::ProgressPhase::begin) {
          ++begins;
          id = one->id;
          title = one->title;
          CHECK(one->cancellable);
          // It may be through by now: then there is nothing to cancel, and the end says `done`.
          if (cancel) refused = !live->control().cancel_progress(id).has_value();
        }
        CHECK(one->percentage <= 100);
        if (one->phase != proto::ProgressPhase::end) continue;
        ++ends;
        last_words = one->message;
      }
      return ends > 0;
    }));
    CHECK(begins == 1);
    CHECK(ends == 1);
    // Whichever comes first: a library is called by its name too, not by that of its debug file.
    CHECK(title.starts_with("Indexing "));
    CHECK_FALSE(title.ends_with(".debug"));
    CHECK((last_words == "done" || (cancel && !refused)));
    CHECK_FALSE(live->control().cancel_progress(id).has_value());
    // With an index or without one, the question has its answer.
    CHECK(live->run_until([&] { return places_of_twice(live->control().breakpoints().front()) > 0; }));
  }
}

}  // namespace trapline::test
