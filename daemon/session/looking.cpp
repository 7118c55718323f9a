// Looking at a stopped debuggee: threads, stacks, memory, registers, code; and telling it to run.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <utility>

#include "daemon/eval/exceptions.hpp"
#include "daemon/os/proc.hpp"
#include "daemon/session/session_impl.hpp"
#include "daemon/trap/displaced.hpp"

namespace trapline::session {
namespace {

constexpr std::size_t longest_instruction = 15;
constexpr std::uint64_t largest_read = 256u << 20;

proto::FrameKind kind_of(stack::FrameKind kind) {
  switch (kind) {
    case stack::FrameKind::normal: return proto::FrameKind::normal;
    case stack::FrameKind::inlined: return proto::FrameKind::inlined;
    case stack::FrameKind::signal_handler: return proto::FrameKind::signal_handler;
    case stack::FrameKind::no_symbols: return proto::FrameKind::no_symbols;
    case stack::FrameKind::broken: return proto::FrameKind::broken;
  }
  return proto::FrameKind::normal;
}

}  // namespace

Result<void> Session::resume(proto::ResumeScope scope) {
  TL_TRY_VOID(require_debuggee());
  if (state_ == proto::RunState::running)
    return fail_hint(Errc::wrong_state, "the program is running already", "pause it first");
  const auto only = scope.only;
  if (only && !inferior_->is_stopped(*only))
    return fail(Errc::not_found, fmt::format("there is no stopped thread {}", only->value));
  went_on(only);
  return only ? inferior_->resume_only(*only) : inferior_->resume_all();
}

Result<void> Session::pause() {
  TL_TRY_VOID(require_debuggee());
  if (state_ == proto::RunState::held) {
    stop_on_start_ = true;
    return {};
  }
  if (state_ == proto::RunState::stopped) return {};
  return inferior_->interrupt();
}

Result<void> Session::step(const proto::StepSpec& step) {
  TL_TRY_VOID(require_stopped());
  if (!inferior_->is_stopped(step.thread))
    return fail(Errc::not_found, fmt::format("there is no stopped thread {}", step.thread.value));
  run::StepOrder order{
      .thread = step.thread,
      .goal = step.kind == proto::StepKind::over   ? run::StepGoal::over
              : step.kind == proto::StepKind::into ? run::StepGoal::into
                                                   : run::StepGoal::out,
      .unit = step.unit == proto::StepUnit::instruction ? run::StepUnit::instruction : run::StepUnit::line,
      .single_thread = step.single_thread,
      .inline_depth = static_cast<std::uint32_t>(views_->hidden(step.thread)),
      .skip = [this](LoadAddr pc) { return step_skips(pc); }};
  if (step.unit == proto::StepUnit::line || step.kind == proto::StepKind::out) remember_return(step);
  went_on(step.single_thread ? std::optional(step.thread) : std::nullopt);
  return inferior_->step(order);
}

Result<void> Session::run_to(Tid thread, const proto::BreakpointPlace& place) {
  TL_TRY_VOID(require_stopped());
  std::vector<LoadAddr> targets;
  std::string why;
  if (const auto* address = std::get_if<proto::AddressPlace>(&place)) {
    targets.push_back(address->address);
  } else {
    image::Resolution resolution;
    if (const auto* line = std::get_if<proto::LinePlace>(&place)) {
      for (const auto& name : sources_.to_debug(line->file)) {
        resolution = modules_->resolve_line(name, line->line, line->column);
        if (!resolution.locations.empty()) break;
      }
    } else {
      resolution = modules_->resolve_function(std::get<proto::FunctionPlace>(place).name);
    }
    for (const auto& location : resolution.locations) targets.push_back(location.address);
    why = resolution.message;
  }
  if (targets.empty()) return fail(Errc::not_found, why.empty() ? "no code there to run to" : why);
  went_on(std::nullopt);
  return inferior_->run_to(thread, targets);
}

bool Session::user_code(const std::string& file, const std::string& function, std::optional<ModuleId> module) const {
  if (file.empty()) return false;
  if (std::ranges::any_of(options_.skip_files, [&](const auto& glob) { return matches_glob(glob, file); }))
    return false;
  if (std::ranges::any_of(options_.skip_functions, [&](const auto& glob) { return matches_glob(glob, function); }))
    return false;
  if (!options_.just_my_code) return true;
  if (file.starts_with("/usr/include/") || file.starts_with("/usr/lib/") || function.starts_with("std::")) return false;
  // A system library with debug information, whose sources are not here: nobody wants to step through libc blind.
  const auto* mapped = module ? modules_->find(*module) : nullptr;
  const bool of_the_system =
      mapped != nullptr && (mapped->path.starts_with("/usr/lib") || mapped->path.starts_with("/lib"));
  std::error_code ignored;
  return !of_the_system || std::filesystem::exists(file, ignored);
}

bool Session::step_skips(LoadAddr pc) const {
  const auto place = modules_->place(pc);
  return place && place->has_line_info && !user_code(sources_.to_local(place->file), place->function, place->module);
}

Result<std::vector<proto::ThreadInfo>> Session::threads() {
  TL_TRY_VOID(require_debuggee());
  std::vector<proto::ThreadInfo> list;
  for (const auto tid : inferior_->threads())
    list.push_back({.id = tid,
                    .name = os::thread_name(inferior_->pid(), tid).value_or(fmt::format("thread {}", tid.value)),
                    .stopped = inferior_->is_stopped(tid)});
  return list;
}

proto::FrameInfo Session::describe(const stack::Frame& frame, FramePlace place) {
  proto::FrameInfo info{.id = views_->frame_id(place),
                        .level = static_cast<std::uint32_t>(place.level),
                        .function = frame.kind == stack::FrameKind::broken ? frame.reason : frame.function,
                        .file = sources_.to_local(frame.file),
                        .line = frame.line,
                        .column = frame.column,
                        .pc = frame.pc,
                        .cfa = frame.cfa,
                        .module = frame.module ? std::optional(module_shown(*frame.module)) : std::nullopt,
                        .module_name = frame.module_name,
                        .kind = kind_of(frame.kind),
                        .user_code = true};
  if (info.function.empty()) info.function = "??";
  info.user_code = user_code(info.file, info.function, frame.module);
  return info;
}

Result<proto::StackPage> Session::stack(Tid thread, std::uint32_t start, std::uint32_t count) {
  TL_TRY_VOID(require_stopped());
  if (const auto known = inferior_->threads(); std::ranges::find(known, thread) == known.end())
    return fail_hint(Errc::not_found, fmt::format("there is no thread {}", thread.value), "thread.list names them");
  TL_TRY(auto* frames, views_->stack(thread));
  const auto hidden = views_->hidden(thread);
  proto::StackPage page;
  for (std::size_t level = start; count == 0 || level < std::size_t{start} + count; ++level) {
    const auto* frame = frames->frame(level + hidden);
    if (frame == nullptr) break;
    page.frames.push_back(describe(*frame, {.thread = thread, .level = level}));
  }
  if (const auto depth = frames->depth_if_known()) page.total = static_cast<std::uint32_t>(*depth - hidden);
  return page;
}

Result<proto::ExceptionInfo> Session::exception_info(Tid thread) {
  TL_TRY_VOID(require_stopped());
  if (!stop_ || stop_->reason != proto::StopReason::signal || stop_->thread != thread)
    return fail(Errc::not_available,
                fmt::format("thread {} was not stopped by a signal or an exception", thread.value));
  proto::ExceptionInfo info{.id = signal_name(stop_->signal), .description = stop_->text, .type_name = {}};
  if (stop_->signal != SIGABRT) return info;
  TL_TRY(auto* frames, views_->stack(thread));
  if (const auto thrown = eval::uncaught(*frames, inferior_->memory(), *modules_)) {
    info.type_name = thrown->type;
    info.what = thrown->what.value_or("");
    info.description = fmt::format("{}; nobody caught {}", info.description, thrown->text());
  }
  return info;
}

Result<std::vector<std::byte>> Session::read_memory(LoadAddr at, ByteCount size) {
  TL_TRY_VOID(require_debuggee());
  if (size.value > largest_read) return fail(Errc::too_large, fmt::format("{} bytes at once are too many", size.value));
  std::vector<std::byte> bytes(size.value);
  bytes.resize(inferior_->memory().read_some(at, bytes));
  return bytes;
}

Result<ByteCount> Session::write_memory(LoadAddr at, std::span<const std::byte> bytes) {
  TL_TRY_VOID(require_debuggee());
  TL_TRY_VOID(inferior_->memory().write(at, bytes));
  visualizers_.forget_memory();
  return ByteCount{bytes.size()};
}

// Finds an address `instructions` before `at` from which decoding arrives exactly at `at`: x86 cannot be read
// backwards, so decoding starts at the function's begin where there is one, else at each byte further back until the
// streams meet.
LoadAddr Session::walk_back(LoadAddr at, std::uint64_t instructions) {
  auto decode_from = [&](LoadAddr begin) -> std::vector<LoadAddr> {
    std::vector<std::byte> bytes(at.value - begin.value + longest_instruction);
    bytes.resize(inferior_->memory().read_some(begin, bytes));
    std::vector<LoadAddr> starts;
    for (auto pc = begin; pc < at;) {
      const auto offset = pc.value - begin.value;
      if (offset >= bytes.size()) return {};
      starts.push_back(pc);
      std::size_t size = 1;
      trap::disassemble_one(std::span(bytes).subspan(offset), pc, &size);
      pc = pc + ByteCount{std::max<std::size_t>(size, 1)};
      if (pc > at) return {};
    }
    return starts;
  };
  std::vector<LoadAddr> before;
  if (const auto range = modules_ ? modules_->function_range(at) : std::nullopt; range && range->begin < at)
    before = decode_from(range->begin);
  for (std::uint64_t back = instructions * longest_instruction; before.size() < instructions && back > 0; --back) {
    if (back > at.value) continue;
    if (auto starts = decode_from(LoadAddr{at.value - back}); starts.size() >= instructions) before = std::move(starts);
  }
  if (before.size() < instructions) return before.empty() ? at : before.front();
  return before[before.size() - instructions];
}

Result<std::vector<proto::Instruction>> Session::disassemble(LoadAddr at, std::int64_t instruction_offset,
                                                             std::uint32_t count) {
  TL_TRY_VOID(require_debuggee());
  constexpr std::int64_t furthest = 10000;
  if (instruction_offset < -furthest || instruction_offset > furthest || count > furthest)
    return fail(Errc::too_large, "more than 10000 instructions at once");
  const auto begin = instruction_offset < 0 ? walk_back(at, static_cast<std::uint64_t>(-instruction_offset)) : at;
  const auto skip = static_cast<std::uint64_t>(std::max<std::int64_t>(instruction_offset, 0));
  std::vector<std::byte> bytes((skip + count) * longest_instruction);
  bytes.resize(inferior_->memory().read_some(begin, bytes));
  std::vector<proto::Instruction> list;
  std::size_t offset = 0;
  for (std::uint64_t index = 0; index < skip + count && offset < bytes.size(); ++index) {
    const auto pc = begin + ByteCount{offset};
    std::size_t size = 1;
    proto::Instruction instruction{.address = pc,
                                   .bytes = {},
                                   .text = trap::disassemble_one(std::span(bytes).subspan(offset), pc, &size),
                                   .symbol = {},
                                   .file = {},
                                   .line = {}};
    instruction.bytes.assign(bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                             bytes.begin() + static_cast<std::ptrdiff_t>(std::min(offset + size, bytes.size())));
    offset += std::max<std::size_t>(size, 1);
    if (index < skip) continue;
    if (const auto place = modules_->place(pc)) {
      instruction.file = sources_.to_local(place->file);
      instruction.line = place->line;
      instruction.symbol = place->function.empty()
                               ? std::string()
                               : fmt::format("{}+{}", place->function, (pc - place->function_begin).value);
    }
    list.push_back(std::move(instruction));
  }
  return list;
}

Result<std::vector<proto::RegisterInfo>> Session::registers(FrameId frame) {
  TL_TRY_VOID(require_stopped());
  TL_TRY(const auto place, views_->place_of(frame));
  return registers_of(place);
}

// The innermost frame has the thread's registers; an outer one only what the unwinder could restore.
Result<std::vector<proto::RegisterInfo>> Session::registers_of(FramePlace place) {
  TL_TRY(const auto* machine, views_->machine(place.thread));
  TL_TRY(const auto* frame, views_->frame(place));
  std::vector<proto::RegisterInfo> list;
  if (frame->innermost) {
    for (const auto& description : arch::register_list(machine->xstate)) {
      const auto bytes = arch::read_register(*machine, description.name);
      if (!bytes) continue;
      list.push_back({.name = description.name,
                      .group = description.group,
                      .bytes = *bytes,
                      .value = arch::format_register(description.name, *bytes)});
    }
    return list;
  }
  for (arch::DwarfReg number = 0; number < arch::unwound_registers; ++number) {
    const auto value = frame->registers[number];
    const std::string name(number == arch::dwarf_rip ? "rip" : arch::dwarf_name(number));
    proto::RegisterInfo info{.name = name, .group = "general", .bytes = {}, .value = "<not saved>"};
    if (value) {
      const auto raw = std::as_bytes(std::span(&*value, 1));
      info.bytes.assign(raw.begin(), raw.end());
      info.value = arch::format_register(name, info.bytes);
    }
    list.push_back(std::move(info));
  }
  return list;
}

Result<void> Session::write_register(FrameId frame, const std::string& name, const std::string& text) {
  TL_TRY_VOID(require_stopped());
  const auto spec = proto::EvaluateSpec{.expression = fmt::format("${} = {}", name, text),
                                        .frame = frame,
                                        .context = proto::EvaluateContext::repl,
                                        .format = {}};
  TL_TRY_VOID(evaluate(spec));
  return {};
}

}  // namespace trapline::session
