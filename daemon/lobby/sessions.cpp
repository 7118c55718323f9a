#include "daemon/lobby/sessions.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <asio/post.hpp>
#include <charconv>
#include <chrono>
#include <cstring>

#include "daemon/guard/journal.hpp"
#include "daemon/util/log.hpp"

namespace trapline::lobby {
namespace {

constexpr std::chrono::seconds shut_down_limit{5};

// How a process of ours ended, for the log; "" for one that was not our child. Reaps it.
std::string how_it_ended(const SessionLink& link, bool& badly) {
  int status = 0;
  badly = false;
  if (!link.child() || ::waitpid(link.process().value, &status, WNOHANG) != link.process().value) return "";
  if (WIFSIGNALED(status)) {
    badly = true;
    return fmt::format(" was killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  }
  badly = WEXITSTATUS(status) != 0;
  return badly ? fmt::format(" exited with {}", WEXITSTATUS(status)) : "";
}

}  // namespace

Sessions::Sessions(asio::io_context& loop, Setup setup)
    : loop_(loop),
      setup_(std::move(setup)),
      limit_(loop),
      guardian_(loop, setup_.folder / "journals",
                [this](Pid process, std::vector<guard::Recovery> done) { ended(process, done); }) {}

Sessions::~Sessions() = default;

void Sessions::start() {
  for (const auto& recovery : guard::recover_all(setup_.folder / "journals"))
    log::warn("lobby", "left by a session that died while no daemon ran: {}", recovery.report);
  adopt_all();
  spawn_spare();
}

SessionLink::Handlers Sessions::handlers() {
  return {.packet = [this](SessionLink& link, std::string_view type,
                           const rpc::Json& content) { packet(link, type, content); },
          .hung_up = [this](SessionLink& link) { hung_up(link); }};
}

void Sessions::adopt_all() {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(setup_.folder / "sessions", error)) {
    if (file.path().extension() != ".sock") continue;
    const auto id = file.path().stem().string();
    std::uint32_t number = 0;
    std::from_chars(id.data(), id.data() + id.size(), number);
    last_id_ = std::max(last_id_, number);
    auto link = SessionLink::adopt(loop_, file.path(), handlers());
    if (!link || !guardian_.watch((*link)->process())) {
      log::info("lobby", "session {} is no more", id);
      std::filesystem::remove(file.path(), error);
      continue;
    }
    (*link)->info.session = id;
    ++counters_.adopted;
    log::info("lobby", "adopted session {} (process {})", id, (*link)->process().value);
    links_.emplace((*link)->process(), *std::move(link));
  }
}

void Sessions::spawn_spare() {
  if (spare_ != nullptr || shut_ != nullptr) return;
  auto link = SessionLink::spawn(loop_, setup_.arguments, handlers());
  if (!link) return log::error("lobby", "{}", link.error().message);
  if (const auto watched = guardian_.watch((*link)->process()); !watched)
    return log::error("lobby", "{}", watched.error().message);
  spare_ = *std::move(link);
}

std::string Sessions::next_id() { return std::to_string(++last_id_); }

Result<Sessions::Link> Sessions::take_spare() {
  if (shut_ != nullptr) return fail(Errc::wrong_state, "the daemon is shutting down");
  spawn_spare();
  if (spare_ == nullptr)
    return fail_hint(Errc::connection, "no session process can be started", "the daemon's log says why");
  auto link = std::exchange(spare_, nullptr);
  // The next one starts once this request is on its way: it must not pay for it.
  asio::post(loop_, [this] { spawn_spare(); });
  link->info.session = next_id();
  if (const auto sent = link->send(
          rpc::house_packet("open", rpc::OpenSession{.session = link->id(), .folder = setup_.folder.string()}));
      !sent) {
    ending_.emplace(link->process(), link);
    return std::unexpected(sent.error());
  }
  ++counters_.opened;
  links_.emplace(link->process(), link);
  return link;
}

Result<void> Sessions::move_in(SessionLink& link, const rpc::Visit& visit, int socket, std::string_view bytes) {
  TL_TRY(const auto read_so_far, util::memory_file("trapline-bytes", bytes));
  const int fds[] = {socket, read_so_far.get()};
  TL_TRY_VOID(link.send(rpc::house_packet("visit", visit), fds));
  ++link.info.clients;
  return {};
}

Result<void> Sessions::open_with(const rpc::Visit& visit, int socket, std::string_view bytes) {
  // A spare process may have died unseen (memory pressure kills the idle first): one more try with a fresh one.
  auto link = take_spare();
  if (!link && link.error().code == Errc::connection) link = take_spare();
  if (!link) return std::unexpected(link.error());
  TL_TRY_VOID(move_in(**link, visit, socket, bytes));
  if (setup_.opened) setup_.opened((*link)->info);
  return {};
}

Sessions::Link Sessions::find(const std::string& session) const {
  const auto found = std::ranges::find_if(links_, [&](const auto& entry) { return entry.second->id() == session; });
  return found == links_.end() ? nullptr : found->second;
}

Result<void> Sessions::join_with(const std::string& session, const rpc::Visit& visit, int socket,
                                 std::string_view bytes) {
  const auto link = find(session);
  if (link == nullptr || link->leaving)
    return fail_hint(Errc::not_found, fmt::format("there is no session {}", session),
                     "session.list shows which there are");
  return move_in(*link, visit, socket, bytes);
}

std::vector<rpc::SessionInfo> Sessions::list() const {
  std::vector<rpc::SessionInfo> all;
  for (const auto& [process, link] : links_)
    if (!link->leaving) all.push_back(link->info);
  std::ranges::sort(all, [](const auto& a, const auto& b) {
    return a.session.size() != b.session.size() ? a.session.size() < b.session.size() : a.session < b.session;
  });
  return all;
}

void Sessions::packet(SessionLink& link, std::string_view type, const rpc::Json& content) {
  if (type == "report") {
    auto info = rpc::read_as<rpc::SessionInfo>(content);
    if (!info) return log::warn("lobby", "session {}: {}", link.id(), info.error().message);
    info->session = link.id();
    info->host = link.process();
    link.info = *std::move(info);
    link.leaving = false;
  } else if (type == "ask") {
    const auto ask = rpc::read_as<rpc::Ask>(content);
    if (ask) (void)link.send(rpc::house_packet("answer", rpc::SessionsAnswer{.id = ask->id, .sessions = list()}));
  } else if (type == "leaving") {
    link.leaving = true;
    (void)link.send(rpc::house_packet("bye"));
  } else {
    log::warn("lobby", "session {} sends \"{}\", which means nothing", link.id(), type);
  }
}

// Said goodbye before: the session is over, whatever its process still does. Else the guardian tells what happened.
void Sessions::hung_up(SessionLink& link) {
  const auto found = links_.find(link.process());
  if (!link.leaving || found == links_.end()) return;
  const auto kept = found->second;
  links_.erase(found);
  over_.emplace(kept->process(), kept);
  log::info("lobby", "session {} (process {}) ended", kept->id(), kept->process().value);
  close(*kept);
}

void Sessions::close(SessionLink& link) {
  link.close();
  std::error_code error;
  std::filesystem::remove(setup_.folder / "sessions" / (link.id() + ".sock"), error);
  if (setup_.closed) setup_.closed(link.info);
}

void Sessions::ended(Pid process, const std::vector<guard::Recovery>& recoveries) {
  Link link;
  if (spare_ != nullptr && spare_->process() == process) link = std::exchange(spare_, nullptr);
  const bool was_over = over_.contains(process);
  for (auto* table : {&links_, &ending_, &over_})
    if (const auto found = table->find(process); found != table->end()) {
      link = found->second;
      table->erase(found);
    }
  if (link == nullptr) return;
  bool badly = false;
  const auto how = how_it_ended(*link, badly);
  const auto& id = link->id();
  const auto who = id.empty() ? fmt::format("the spare session process {}", process.value)
                              : fmt::format("session {} (process {})", id, process.value);
  if (badly || !recoveries.empty()) {
    ++counters_.crashed;
    log::error("lobby", "{}{}{}", who, how.empty() ? " died" : how,
               link->info.program.empty() ? "" : fmt::format("; it debugged {}", link->info.program));
  } else if (!was_over) {
    log::info("lobby", "{} ended", who);
  }
  for (const auto& recovery : recoveries) {
    counters_.restored += recovery.restored;
    log::warn("lobby", "{}", recovery.report);
  }
  if (!was_over && !id.empty())
    close(*link);
  else
    link->close();
  check_shut_down();
}

void Sessions::shut_down(std::function<void()> done) {
  if (shut_ != nullptr) return;
  shut_ = std::move(done);
  if (spare_ != nullptr) {
    spare_->close();
    ending_.emplace(spare_->process(), spare_);
    spare_ = nullptr;
  }
  for (const auto& [process, link] : links_)
    if (const auto sent = link->send(rpc::house_packet("shutdown")); !sent)
      log::warn("lobby", "session {}: {}", link->id(), sent.error().message);
  limit_.expires_after(shut_down_limit);
  limit_.async_wait([this](const asio::error_code& cancelled) {
    if (cancelled) return;
    for (const auto* table : {&links_, &ending_})
      for (const auto& [process, link] : *table) {
        log::error("lobby", "session process {} does not end; killed", process.value);
        ::kill(process.value, SIGKILL);
      }
  });
  asio::post(loop_, [this] { check_shut_down(); });
}

void Sessions::check_shut_down() {
  if (shut_ == nullptr || !links_.empty() || !ending_.empty()) return;
  limit_.cancel();
  const auto done = std::exchange(shut_, [] {});
  done();
}

}  // namespace trapline::lobby
