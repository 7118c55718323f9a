// memory.*, register.*, disassemble
#include "proto/rpc/method_rooms.hpp"

namespace trapline::rpc {
namespace {

constexpr std::uint64_t longest_read = 16ULL << 20;  // doubled as hex it still fits well into one message

struct ReadParams {
  LoadAddr address;
  std::uint64_t count = 0;
};
struct ReadAnswer {
  LoadAddr address;
  std::vector<std::byte> data;
  std::uint64_t unreadable = 0;
};
struct WriteParams {
  LoadAddr address;
  std::vector<std::byte> data;
};
struct WriteAnswer {
  std::uint64_t written = 0;
};
struct RegistersParams {
  std::optional<FrameId> frame;
  std::optional<Tid> thread;
  std::vector<std::string> names;
};
struct RegisterWriteParams {
  std::optional<FrameId> frame;
  std::optional<Tid> thread;
  std::string name;
  std::string value;
};
struct DisassembleParams {
  std::optional<LoadAddr> address;
  std::int64_t offset = 0;
  std::uint32_t count = 10;
};

}  // namespace

template <>
struct Shape<ReadParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{must("address", &ReadParams::address), must("count", &ReadParams::count, "bytes, 16 MiB at most")};
};
template <>
struct Shape<ReadAnswer> {
  static constexpr std::string_view name = "Memory";
  static constexpr auto fields =
      std::tuple{must("address", &ReadAnswer::address), must("data", &ReadAnswer::data),
                 field("unreadable", &ReadAnswer::unreadable, "bytes asked for behind the last readable one")};
};
template <>
struct Shape<WriteParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("address", &WriteParams::address), must("data", &WriteParams::data)};
};
template <>
struct Shape<WriteAnswer> {
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("written", &WriteAnswer::written, "bytes")};
};
template <>
struct Shape<RegistersParams> {
  using R = RegistersParams;
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{maybe("frame", &R::frame, "else the innermost"), maybe("thread", &R::thread),
                 maybe("names", &R::names, "only these; else all")};
};
template <>
struct Shape<RegisterWriteParams> {
  using R = RegisterWriteParams;
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{maybe("frame", &R::frame, "else the innermost"), maybe("thread", &R::thread), must("name", &R::name),
                 must("value", &R::value, "an expression")};
};
template <>
struct Shape<DisassembleParams> {
  using D = DisassembleParams;
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{maybe("address", &D::address, "else where the stopped thread is"),
                 field("offset", &D::offset, "instructions; negative: before the address"), field("count", &D::count)};
};

namespace {

Result<ReadAnswer> read_bytes(Desk& desk, const ReadParams& params) {
  if (params.count > longest_read)
    return fail_hint(Errc::too_large, fmt::format("{} bytes are too many for one answer", params.count),
                     fmt::format("read {} bytes at a time", longest_read));
  TL_TRY(auto data, desk.control().read_memory(params.address, ByteCount{params.count}));
  const std::uint64_t got = data.size();
  return ReadAnswer{
      .address = params.address, .data = std::move(data), .unreadable = params.count - std::min(got, params.count)};
}

Result<WriteAnswer> write_bytes(Desk& desk, const WriteParams& params) {
  TL_TRY(const auto written, desk.control().write_memory(params.address, params.data));
  return WriteAnswer{.written = written.value};
}

Result<std::vector<proto::RegisterInfo>> registers(Desk& desk, const RegistersParams& params) {
  TL_TRY(const auto frame, frame_or_current(desk.control(), params.frame, params.thread));
  TL_TRY(auto all, desk.control().registers(frame));
  if (params.names.empty()) return all;
  std::vector<proto::RegisterInfo> chosen;
  for (const auto& name : params.names) {
    const auto found = std::ranges::find(all, name, &proto::RegisterInfo::name);
    if (found == all.end()) return fail(Errc::not_found, fmt::format("no register is called \"{}\"", name));
    chosen.push_back(*found);
  }
  return chosen;
}

Result<Nothing> write_register(Desk& desk, const RegisterWriteParams& params) {
  TL_TRY(const auto frame, frame_or_current(desk.control(), params.frame, params.thread));
  TL_TRY_VOID(desk.control().write_register(frame, params.name, params.value));
  return Nothing{};
}

Result<std::vector<proto::Instruction>> disassemble(Desk& desk, const DisassembleParams& params) {
  if (params.address) return desk.control().disassemble(*params.address, params.offset, params.count);
  const auto stop = desk.control().current_stop();
  if (!stop) return fail_hint(Errc::not_stopped, "the debuggee is not stopped", "give an \"address\"");
  return desk.control().disassemble(stop->pc, params.offset, params.count);
}

}  // namespace

void add_memory_methods(Registry& registry) {
  registry.add("memory.read", "Bytes of the debuggee, up to the first unreadable one.", read_bytes);
  registry.add("memory.write", "Write bytes into the debuggee.", write_bytes);
  registry.add("register.read", "The registers of a frame.", registers);
  registry.add("register.write", "Set a register of a frame.", write_register);
  registry.add("disassemble", "Instructions around an address.", disassemble);
}

}  // namespace trapline::rpc
