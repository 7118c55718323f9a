// Work that goes on behind, as editors hear of it: progress and its cancelling, and what was read and is not true any
// more.
#include "tests/support/dap_tester.hpp"

using namespace trapline;
using namespace trapline::tests;

namespace {

proto::ProgressEvent progress(proto::ProgressPhase phase, std::uint32_t percentage, std::string message = {}) {
  return {.phase = phase,
          .id = "index-1",
          .title = "Indexing app",
          .message = std::move(message),
          .percentage = percentage,
          .cancellable = true};
}

void tell_all(DapTester& c) {
  c.control().emit(progress(proto::ProgressPhase::begin, 10));
  c.control().emit(progress(proto::ProgressPhase::update, 50, "half"));
  c.control().emit(progress(proto::ProgressPhase::end, 100, "done"));
  c.control().deliver();
}

}  // namespace

TEST_CASE("progress is told to an editor that shows it, and its cancel reaches the work") {
  DapTester c;
  c.launch(json::object(), {{"supportsProgressReporting", true}});
  tell_all(c);
  CHECK(c.last_event("progressStart") ==
        json{{"progressId", "index-1"}, {"title", "Indexing app"}, {"cancellable", true}, {"percentage", 10}});
  CHECK(c.last_event("progressUpdate") == json{{"progressId", "index-1"}, {"message", "half"}, {"percentage", 50}});
  CHECK(c.last_event("progressEnd") == json{{"progressId", "index-1"}, {"message", "done"}});
  c.ok("cancel", {{"progressId", "index-1"}});
  CHECK(c.control().cancelled_progress == std::vector<std::string>{"index-1"});
}

TEST_CASE("an editor that shows no progress hears of none") {
  DapTester c;
  c.launch();
  tell_all(c);
  for (const auto* name : {"progressStart", "progressUpdate", "progressEnd"}) CHECK(c.events(name).empty());
}

TEST_CASE("what is not true any more is told by areas, to editors that know the event") {
  DapTester c;
  c.launch_and_stop(json::object(), {{"supportsInvalidatedEvent", true}});
  c.control().emit(proto::InvalidatedEvent{.threads = false});
  c.control().emit(proto::InvalidatedEvent{.threads = true});
  c.control().deliver();
  CHECK(c.events("invalidated") == std::vector<json>{{{"areas", {"variables"}}}, {{"areas", {"all"}}}});
  DapTester old;
  old.launch_and_stop();
  old.control().emit(proto::InvalidatedEvent{.threads = true});
  old.control().deliver();
  CHECK(old.events("invalidated").empty());
}
