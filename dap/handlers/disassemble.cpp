// DAP `disassemble`: always as many instructions as asked; where there is no code the answer is filled up with
// invalid ones, as the specification demands.
#include <fmt/format.h>

#include <algorithm>

#include "dap/handlers/handlers.hpp"
#include "dap/shapes/values.hpp"

namespace trapline::dap {
namespace {

constexpr std::uint32_t most = 100000;

std::string hex_bytes(const std::vector<std::byte>& bytes) {
  std::string text;
  for (const auto byte : bytes) text += fmt::format("{}{:02x}", text.empty() ? "" : " ", std::to_integer<int>(byte));
  return text;
}

spec::DisassembledInstruction invalid(LoadAddr at) {
  return {.address = shape_address(at),
          .instruction_bytes = {},
          .instruction = "??",
          .symbol = {},
          .location = {},
          .line = {},
          .presentation_hint = "invalid"};
}

spec::DisassembledInstruction shape(const proto::Instruction& one, Session& session, bool symbols) {
  spec::DisassembledInstruction shape{.address = shape_address(one.address),
                                      .instruction_bytes = hex_bytes(one.bytes),
                                      .instruction = one.text,
                                      .symbol = symbols ? one.symbol : "",
                                      .location = {},
                                      .line = {},
                                      .presentation_hint = {}};
  if (!one.file.empty()) {
    shape.location = session.sources().shape(one.file, session.coordinates());
    shape.line = session.coordinates().line(one.line);
  }
  return shape;
}

}  // namespace

Result<spec::DisassembleResponse> handle(spec::Disassemble, Session& session, const spec::DisassembleArguments& args) {
  TL_TRY(const auto at, parse_address(args.memory_reference, args.offset));
  if (args.instruction_count > most)
    return fail(Errc::bad_request,
                fmt::format("arguments.instructionCount: {} is above {} at once", args.instruction_count, most));
  auto code = session.control().disassemble(at, args.instruction_offset, args.instruction_count);
  if (!code && code.error().code != Errc::bad_address) return std::unexpected(std::move(code).error());
  const std::vector<proto::Instruction> none;
  const auto& have = code ? *code : none;

  // Those missing before `at` are missing at the front, all others at the end.
  const auto wanted_before = static_cast<std::size_t>(
      std::min<std::int64_t>(args.instruction_offset < 0 ? -args.instruction_offset : 0, args.instruction_count));
  const auto have_before =
      static_cast<std::size_t>(std::ranges::count_if(have, [&](const auto& one) { return one.address < at; }));
  const auto front =
      wanted_before > have_before
          ? std::min<std::size_t>(wanted_before - have_before,
                                  args.instruction_count - std::min<std::size_t>(have.size(), args.instruction_count))
          : 0;
  spec::DisassembleResponse response;
  response.instructions.reserve(args.instruction_count);
  const LoadAddr first = have.empty() ? at : have.front().address;
  for (std::size_t i = front; i > 0; --i) response.instructions.push_back(invalid({first.value - i}));
  for (const auto& one : have) {
    if (response.instructions.size() == args.instruction_count) break;
    response.instructions.push_back(shape(one, session, args.resolve_symbols));
  }
  LoadAddr next = have.empty() ? at : have.back().address + ByteCount{have.back().bytes.size()};
  while (response.instructions.size() < args.instruction_count) {
    response.instructions.push_back(invalid(next));
    next = next + ByteCount{1};
  }
  return response;
}

}  // namespace trapline::dap
