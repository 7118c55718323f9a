// The lobby without a socket: addresses, tokens, folders, locks.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "daemon/lobby/address.hpp"
#include "daemon/lobby/listeners.hpp"
#include "daemon/lobby/token.hpp"
#include "tests/support/folder.hpp"

using namespace trapline;
using namespace trapline::lobby;

namespace {

using test::Folder;

mode_t mode_of(const std::filesystem::path& path) {
  struct stat about {};
  REQUIRE(::stat(path.c_str(), &about) == 0);
  return about.st_mode & 07777;
}

}  // namespace

TEST_CASE("addresses are read and written alike") {
  for (const char* text : {"unix:/run/x.sock", "tcp:127.0.0.1:0", "tcp:localhost:65535", "tcp:[::1]:80"}) {
    const auto address = parse_address(text);
    REQUIRE(address);
    CHECK(to_string(*address) == text);
  }
  CHECK(to_string(parse_address("tcp::5000").value()) == "tcp:127.0.0.1:5000");
  CHECK(parse_address("unix:a/../b").value().path == (std::filesystem::current_path() / "b").string());
  for (const char* wrong :
       {"", "unix:", "udp:1", "tcp:", "tcp:h", "tcp:h:", "tcp:h:x", "tcp:h:70000", "tcp:h:-1", "tcp:h:1x"}) {
    INFO(wrong);
    const auto address = parse_address(wrong);
    REQUIRE_FALSE(address);
    CHECK(address.error().code == Errc::bad_request);
    CHECK_FALSE(address.error().hint.empty());
  }
  // The names below PATH.d must fit sun_path, too.
  CHECK(parse_address("unix:/" + std::string(80, 'x')));
  CHECK_FALSE(parse_address("unix:/" + std::string(95, 'x')));
}

TEST_CASE("a house goes by its address") {
  CHECK(house_folder(parse_address("unix:/run/t/x.sock").value()) == "/run/t/x.sock.d");
  const auto tcp = house_folder(parse_address("tcp:[::1]:80").value());
  CHECK(tcp.filename() == "tcp---1-80.d");
}

TEST_CASE("a token is made once, kept private, and read again") {
  Folder folder;
  const auto file = folder / "token";
  const auto made = load_token(file).value();
  CHECK(made.size() == 64);
  CHECK(mode_of(file) == 0600);
  CHECK(load_token(file).value() == made);
  REQUIRE(::chmod(file.c_str(), 0640) == 0);
  const auto open_to_others = load_token(file);
  REQUIRE_FALSE(open_to_others);
  CHECK(open_to_others.error().code == Errc::no_permission);
  CHECK(open_to_others.error().hint.find("chmod 600") != std::string::npos);
}

TEST_CASE("a token file may end in a newline or not, and must hold enough to guess at") {
  Folder folder;
  const auto with = [&](std::string_view text) {
    const auto file = folder / "token";
    std::ofstream(file, std::ios::trunc) << text;
    REQUIRE(::chmod(file.c_str(), 0600) == 0);
    return load_token(file);
  };
  CHECK(with("0123456789abcdef").value() == "0123456789abcdef");
  CHECK(with("0123456789abcdef\n").value() == "0123456789abcdef");
  CHECK(with("0123456789abcdef\r\nmore").value() == "0123456789abcdef");
  CHECK(with("short").error().code == Errc::bad_request);
  CHECK(with("").error().code == Errc::bad_request);
  CHECK_FALSE(load_token(folder / "no" / "such" / "folder"));
  CHECK_FALSE(load_token(folder.path()));
}

TEST_CASE("only the same token is the same") {
  const std::string token(64, 'a');
  CHECK(same_token(token, token));
  CHECK_FALSE(same_token("", token));
  CHECK_FALSE(same_token(token + "a", token));
  CHECK_FALSE(same_token(std::string(63, 'a'), token));
  CHECK_FALSE(same_token(std::string(128, 'a'), token));
  auto other = token;
  other[63] = 'b';
  CHECK_FALSE(same_token(other, token));
}

TEST_CASE("a private folder is made so, made so again, and never somebody's link") {
  Folder folder;
  const auto made = folder / "a" / "b";
  REQUIRE(private_folder(made));
  CHECK(mode_of(made) == 0700);
  REQUIRE(::chmod(made.c_str(), 0777) == 0);
  REQUIRE(private_folder(made));
  CHECK(mode_of(made) == 0700);
  std::filesystem::create_symlink(made, folder / "link");
  CHECK(private_folder(folder / "link").error().code == Errc::no_permission);
  std::ofstream(folder / "file") << "x";
  CHECK(private_folder(folder / "file").error().code == Errc::no_permission);
  CHECK_FALSE(private_folder(folder / "file" / "below"));
}

TEST_CASE("a house has one master at a time, who is named") {
  Folder folder;
  {
    const auto first = lock_house(folder.path());
    REQUIRE(first);
    const auto second = lock_house(folder.path());
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Errc::wrong_state);
    CHECK(second.error().message.find(std::to_string(::getpid())) != std::string::npos);
  }
  CHECK(lock_house(folder.path()));
}

TEST_CASE("a socket takes the place of a stale one, never of a file or a live one") {
  Folder folder;
  const auto path = (folder / "d.sock").string();
  const auto address = parse_address("unix:" + path).value();
  {
    auto listener = listen_on(address);
    REQUIRE(listener);
    CHECK(mode_of(path) == 0600);
    CHECK(free_for_a_socket(address).error().code == Errc::wrong_state);
    CHECK(listen_on(address).error().code == Errc::wrong_state);
    // Somebody else's file under the name by now: it is not removed with us.
    std::filesystem::remove(path);
    std::ofstream(path) << "x";
  }
  CHECK(std::filesystem::is_regular_file(path));
  CHECK(listen_on(address).error().message.find("is no socket") != std::string::npos);
  std::filesystem::remove(path);
  {
    const auto listener = listen_on(address);
    std::filesystem::create_hard_link(path, folder / "stale");
  }
  CHECK_FALSE(std::filesystem::exists(path));
  std::filesystem::rename(folder / "stale", path);
  CHECK(free_for_a_socket(address));
  CHECK(listen_on(address));
}
