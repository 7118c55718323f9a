// JSON-RPC's envelope, and the packets between lobby and sessions.
#include <doctest/doctest.h>

#include "proto/rpc/envelope.hpp"
#include "proto/rpc/house.hpp"

using namespace trapline;
using namespace trapline::rpc;

TEST_CASE("a call, a notification and a batch are read as what they are") {
  const auto one = read_message(Json::parse(R"({"jsonrpc":"2.0","id":7,"method":"a.b","params":{"x":1}})"));
  CHECK_FALSE(one.batch);
  REQUIRE(one.calls.size() == 1);
  REQUIRE(one.calls[0].call);
  CHECK(one.calls[0].call->id == Json(7));
  CHECK(one.calls[0].call->method == "a.b");
  CHECK(one.calls[0].call->params == Json{{"x", 1}});

  const auto silent = read_message(Json::parse(R"({"jsonrpc":"2.0","method":"a.b"})"));
  REQUIRE(silent.calls[0].call);
  CHECK_FALSE(silent.calls[0].call->id);
  CHECK(silent.calls[0].call->params == Json::object());

  const auto batch = read_message(
      Json::parse(R"([{"jsonrpc":"2.0","id":"x","method":"a"},5,{"jsonrpc":"2.0","id":null,"method":"b"},{"id":3}])"));
  CHECK(batch.batch);
  REQUIRE(batch.calls.size() == 4);
  CHECK(batch.calls[0].call->id == Json("x"));
  CHECK_FALSE(batch.calls[1].call);
  CHECK(batch.calls[1].id == Json());
  CHECK(batch.calls[2].call->id == Json());
  CHECK_FALSE(batch.calls[3].call);
  CHECK(batch.calls[3].id == Json(3));  // the error names the call that it is about

  const auto empty = read_message(Json::array());
  CHECK_FALSE(empty.batch);
  REQUIRE(empty.calls.size() == 1);
  CHECK_FALSE(empty.calls[0].call);
}

TEST_CASE("what is no call says why, and how one looks") {
  for (const char* text :
       {"5", "null", "\"x\"", "{}", R"({"jsonrpc":"1.0","id":1,"method":"a"})", R"({"jsonrpc":"2.0","id":1})",
        R"({"jsonrpc":"2.0","id":1,"method":5})", R"({"jsonrpc":"2.0","id":{},"method":"a"})",
        R"({"jsonrpc":"2.0","id":1.5,"method":"a"})", R"({"jsonrpc":"2.0","id":1,"method":"a","params":5})"}) {
    INFO(text);
    const auto message = read_message(Json::parse(text));
    REQUIRE(message.calls.size() == 1);
    CHECK_FALSE(message.calls[0].call);
    CHECK(message.calls[0].error.code == Errc::bad_request);
    CHECK(message.calls[0].error.hint.find("jsonrpc") != std::string::npos);
  }
}

TEST_CASE("a batch has a bound: one answer says so, and no call of it is made") {
  Json batch = Json::array();
  for (int i = 0; i < 256; ++i) batch.push_back(call(i, "session.list", Json::object()));
  CHECK(read_message(batch).calls.size() == 256);
  batch.push_back(call(256, "session.list", Json::object()));
  const auto read = read_message(batch);
  REQUIRE(read.calls.size() == 1);
  CHECK_FALSE(read.calls[0].call);
  CHECK(read.calls[0].error.message.find("257") != std::string::npos);
}

TEST_CASE("an error's code, blame and hint come back at the other end") {
  const Error refused{.code = Errc::no_permission, .message = "m", .os_errno = 0, .hint = "h"};
  const auto sent = error(Json(5), refused);
  CHECK(sent["jsonrpc"] == "2.0");
  CHECK(sent["id"] == 5);
  CHECK(sent["error"]["code"] == static_cast<int>(Errc::no_permission));
  CHECK(sent["error"]["data"]["blame"] == "environment");
  const auto read = read_error(sent["error"]);
  CHECK(read.code == Errc::no_permission);
  CHECK(read.message == "m");
  CHECK(read.hint == "h");
  CHECK(error(nullptr, {.code = Errc::bad_request, .message = "m", .os_errno = 0, .hint = {}})["error"]["code"] ==
        invalid_params);
  CHECK(read_error(Json{{"code", 12345}, {"message", "strange"}}).code == Errc::internal);
  CHECK(read_error(Json("nonsense")).code == Errc::internal);
}

TEST_CASE("packets of the house come back as they went, and a broken one is refused") {
  const auto open = Json::parse(house_packet("open", OpenSession{.session = "3", .folder = "/x"}));
  CHECK(open["type"] == "open");
  CHECK(read_as<OpenSession>(open).value().folder == "/x");
  const Visit visit{.connection = "c1",
                    .protocol = wire::Protocol::dap,
                    .framing = wire::Framing::headers,
                    .sent = 4,
                    .initialize = Json{{"clientID", "x"}}};
  const auto read = read_as<Visit>(Json::parse(house_packet("visit", visit))).value();
  CHECK(read.connection == "c1");
  CHECK(read.protocol == wire::Protocol::dap);
  CHECK(read.framing == wire::Framing::headers);
  CHECK(read.sent == 4);
  CHECK(read.initialize == visit.initialize);
  CHECK_FALSE(read_as<OpenSession>(Json{{"type", "open"}, {"session", 3}}));
  CHECK_FALSE(read_as<Visit>(Json{{"connection", "c"}, {"protocol", "morse"}, {"framing", "lines"}}));
  CHECK(Json::parse(house_packet("bye")) == Json{{"type", "bye"}});
}
