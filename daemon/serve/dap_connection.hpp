#pragma once
// A DAP client: carries messages between its socket and a dap::Session on the host's Control.
#include <memory>

#include "daemon/serve/connection.hpp"
#include "dap/session.hpp"

namespace trapline::serve {

class DapConnection final : public Connection {
 public:
  DapConnection(Host& host, std::shared_ptr<util::Stream> stream, const rpc::Visit& visit, dap::SessionOptions options);
  void notify(std::string_view) override {}

 private:
  void message(rpc::Json message) override;
  void garbage(const Error& error, bool last) override;
  void ended() override;
  void closed() override;
  void out(const rpc::Json& message);

  dap::Session session_;
  bool looking_ = false;  // a look at session_.ended() is posted
};

// The lobby answered `initialize` already: what a dap::Session needs to know of it.
Result<dap::Initialized> initialized_by(const rpc::Visit& visit);

}  // namespace trapline::serve
