// DAP `readMemory` and `writeMemory`.
#include <fmt/format.h>

#include "dap/handlers/handlers.hpp"
#include "dap/shapes/values.hpp"
#include "proto/wire/base64.hpp"

namespace trapline::dap {
namespace {

constexpr std::uint64_t most = 16ULL << 20;  // bytes at once: base64 of it stays well below the limit of a message

}  // namespace

Result<spec::ReadMemoryResponse> handle(spec::ReadMemory, Session& session, const spec::ReadMemoryArguments& args) {
  TL_TRY(const auto at, parse_address(args.memory_reference, args.offset));
  if (args.count > most)
    return fail(Errc::bad_request, fmt::format("arguments.count: {} is above {} bytes at once", args.count, most));
  spec::ReadMemoryResponse response{.address = shape_address(at)};
  if (args.count == 0) return response;
  auto bytes = session.control().read_memory(at, ByteCount{args.count});
  if (!bytes && bytes.error().code != Errc::bad_address) return std::unexpected(std::move(bytes).error());
  const std::uint64_t have = bytes ? bytes->size() : 0;
  response.unreadable_bytes = args.count - std::min(have, args.count);
  if (have > 0) response.data = wire::to_base64(*bytes);
  return response;
}

Result<spec::WriteMemoryResponse> handle(spec::WriteMemory, Session& session, const spec::WriteMemoryArguments& args) {
  TL_TRY(const auto at, parse_address(args.memory_reference, args.offset));
  auto bytes = wire::from_base64(args.data);
  if (!bytes) return fail(Errc::bad_request, "arguments.data: " + bytes.error().message);
  TL_TRY(const auto written, session.control().write_memory(at, *bytes));
  if (written.value < bytes->size() && !args.allow_partial)
    return fail(Errc::bad_address, fmt::format("only {} of {} bytes at {} could be written", written.value,
                                               bytes->size(), shape_address(at)));
  return spec::WriteMemoryResponse{written.value};
}

}  // namespace trapline::dap
