#pragma once
// What the lobby and its session processes say to each other: packets of JSON text with a "type" (daemon/util/channel).
//
//   lobby -> session   open       the process becomes session `session`; comes once, first
//                      visit      a connection moves in; descriptors: its socket, a memfd with the bytes read so far
//                      answer     to an ask
//                      bye        the answer to leaving
//                      shutdown   put the debuggee right (detach it, kill a launched one) and exit
//   session -> lobby   report     a SessionInfo, whenever it changes; after a new lobby connected, too
//                      ask        session.list, asked by a client of this session
//                      leaving    no client is left. The session exits on `bye`; a visit that was under way by then
//                                 comes before it and is served.
#include <cstdint>
#include <string>

#include "proto/rpc/methods.hpp"
#include "proto/wire/framing.hpp"

namespace trapline::rpc {

template <>
struct Names<wire::Protocol> {
  static constexpr std::array<std::pair<wire::Protocol, std::string_view>, 2> table{
      {{wire::Protocol::dap, "dap"}, {wire::Protocol::rpc, "rpc"}}};
};
template <>
struct Names<wire::Framing> {
  static constexpr std::array<std::pair<wire::Framing, std::string_view>, 2> table{
      {{wire::Framing::headers, "headers"}, {wire::Framing::lines, "lines"}}};
};

struct OpenSession {
  std::string session;
  std::string folder;  // journals/ and sessions/ lie in it
};
template <>
struct Shape<OpenSession> {
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{must("session", &OpenSession::session), must("folder", &OpenSession::folder)};
};

struct Visit {
  std::string connection;  // its name in logs
  wire::Protocol protocol = wire::Protocol::rpc;
  wire::Framing framing = wire::Framing::lines;
  std::int64_t sent = 0;  // DAP messages that the lobby has sent: the next has seq sent + 1
  Json initialize;        // DAP: the arguments of `initialize`, which the lobby has answered
};
template <>
struct Shape<Visit> {
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("connection", &Visit::connection), must("protocol", &Visit::protocol),
                                            must("framing", &Visit::framing), field("sent", &Visit::sent),
                                            field("initialize", &Visit::initialize)};
};

struct Ask {
  std::uint32_t id = 0;
};
template <>
struct Shape<Ask> {
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("id", &Ask::id)};
};

struct SessionsAnswer {
  std::uint32_t id = 0;
  std::vector<SessionInfo> sessions;
};
template <>
struct Shape<SessionsAnswer> {
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{must("id", &SessionsAnswer::id), must("sessions", &SessionsAnswer::sessions)};
};

template <class T>
std::string house_packet(std::string_view type, const T& content) {
  Json packet = write(content);
  packet["type"] = type;
  return wire::encode(packet);
}
inline std::string house_packet(std::string_view type) { return wire::encode(Json{{"type", type}}); }

}  // namespace trapline::rpc
