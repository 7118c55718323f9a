// Expressions out of DWARF: location attributes and lists, constants, bounds, and what call sites say.
#include <algorithm>
#include <cstring>
#include <functional>

#include "daemon/sym/debug_info.hpp"
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/elf_file.hpp"
#include "daemon/sym/location.hpp"
#include "daemon/sym/split_units.hpp"
#include "daemon/sym/variable.hpp"
#include "daemon/sym/variable_blocks.hpp"

namespace trapline::sym {
namespace {

constexpr int max_nesting = 8;  // of expressions within expressions

Result<Expression> decode(const Module& module, Dwarf_Attribute& attr, const Dwarf_Op* ops, std::size_t count,
                          int depth);

Result<Expression> decode_attribute(const Module& module, Dwarf_Attribute& attr, int depth) {
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_getlocation(&attr, &ops, &count) != 0)
    return fail(Errc::bad_debug_info, std::string("a location cannot be read: ") + dwarf_errmsg(-1));
  return decode(module, attr, ops, count, depth);
}

void copy_block(Dwarf_Attribute& attr, const Dwarf_Op& op, Op& out) {
  Dwarf_Attribute data;
  Dwarf_Block block;
  if (dwarf_getlocation_attr(&attr, &op, &data) != 0 || dwarf_formblock(&data, &block) != 0) return;
  const auto* begin = reinterpret_cast<const std::byte*>(block.data);
  out.block.assign(begin, begin + block.length);
}

const Type* operand_type(const Module& module, Dwarf_Attribute& attr, const Dwarf_Op& op, std::uint64_t offset) {
  if (offset == 0) return nullptr;  // back to the generic type
  Dwarf_Die die;
  if (dwarf_getlocation_die(&attr, &op, &die) != 0) return builtin(Builtin::unknown);
  return type_at(make_ref(module, die));
}

// The DIE that an operation names.
DieRef operand_die(const Module& module, Dwarf_Attribute& attr, const Dwarf_Op& op) {
  Dwarf_Die die;
  return dwarf_getlocation_die(&attr, &op, &die) == 0 ? make_ref(module, die) : DieRef{};
}

Result<std::uint64_t> table_entry(Dwarf_Attribute& attr, const Dwarf_Op& op) {
  Dwarf_Attribute entry;
  Dwarf_Addr value = 0;
  if (dwarf_getlocation_attr(&attr, &op, &entry) != 0 ||
      (dwarf_formaddr(&entry, &value) != 0 && dwarf_formudata(&entry, &value) != 0))
    return fail(Errc::bad_debug_info, "a location names an entry of .debug_addr that is not there");
  return value;
}

Result<Op> decode_one(const Module& module, Dwarf_Attribute& attr, const Dwarf_Op& op, int depth) {
  Op out{.code = op.atom,
         .a = op.number,
         .b = op.number2,
         .offset = op.offset,
         .block = {},
         .inner = {},
         .type = nullptr,
         .die = {}};
  Dwarf_Attribute other;
  switch (op.atom) {
    case DW_OP_implicit_value: copy_block(attr, op, out); break;
    case DW_OP_const_type:
    case DW_OP_GNU_const_type:
      copy_block(attr, op, out);
      out.type = operand_type(module, attr, op, op.number);
      break;
    case DW_OP_regval_type:
    case DW_OP_GNU_regval_type:
    case DW_OP_deref_type:
    case DW_OP_GNU_deref_type: out.type = operand_type(module, attr, op, op.number2); break;
    case DW_OP_convert:
    case DW_OP_GNU_convert:
    case DW_OP_reinterpret:
    case DW_OP_GNU_reinterpret: out.type = operand_type(module, attr, op, op.number); break;
    case DW_OP_addrx:
    case DW_OP_constx:
    case DW_OP_GNU_addr_index:
    case DW_OP_GNU_const_index: {
      TL_TRY(out.a, table_entry(attr, op));
      break;
    }
    case DW_OP_implicit_pointer:
    case DW_OP_GNU_implicit_pointer: out.die = operand_die(module, attr, op); break;
    case DW_OP_GNU_parameter_ref:
      out.die = operand_die(module, attr, op);
      if (!out.die) return fail(Errc::bad_debug_info, "a location names a parameter that is not there");
      break;
    case DW_OP_GNU_variable_value:
      if (const DieRef variable = operand_die(module, attr, op)) out.type = type_of(variable);
      [[fallthrough]];
    case DW_OP_entry_value:
    case DW_OP_GNU_entry_value:
    case DW_OP_call2:
    case DW_OP_call4:
    case DW_OP_call_ref:
      if (depth < max_nesting && dwarf_getlocation_attr(&attr, &op, &other) == 0) {
        TL_TRY(out.inner, decode_attribute(module, other, depth + 1));
      }
      break;
    default: break;
  }
  return out;
}

// gcc (12) puts a thread-local variable's place in the file into .debug_addr, where its offset in the thread's block is
// meant. The two are told apart where the block is smaller than the place that it has in the file.
void mend_tls_offset(const Module& module, Expression& expression) {
  const FileRange block = elf_module(module).file().thread_local_block();
  for (std::size_t i = 0; i + 1 < expression.size(); ++i) {
    Op& op = expression[i];
    const auto next = expression[i + 1].code;
    const bool of_table = op.code == DW_OP_constx || op.code == DW_OP_GNU_const_index;
    const bool pushes = next == DW_OP_form_tls_address || next == DW_OP_GNU_push_tls_address;
    if (of_table && pushes && block.contains(op.a) && op.a >= block.end - block.begin) op.a -= block.begin;
  }
}

Result<Expression> decode(const Module& module, Dwarf_Attribute& attr, const Dwarf_Op* ops, std::size_t count,
                          int depth) {
  Expression expression;
  expression.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    TL_TRY(Op op, decode_one(module, attr, ops[i], depth));
    expression.push_back(std::move(op));
  }
  mend_tls_offset(module, expression);
  return expression;
}

std::unexpected<Error> damaged_split_list() {
  return fail(Errc::bad_debug_info, "a location list of a split unit cannot be read");
}

Result<Expression> at_pc(const Module& module, Dwarf_Attribute& attr, std::uint64_t pc) {
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  const DebugInfo* info = elf_module(module).debug_info();
  if (const SplitTree* split = info ? info->split_of(attr.cu) : nullptr; split && SplitTree::is_list(attr)) {
    auto list = split->locations(attr);
    auto found = std::ranges::find_if(
        list.all, [pc](const auto& each) { return !each.piece.fallback && each.piece.range.contains(pc); });
    if (found == list.all.end() && list.damaged) return damaged_split_list();
    if (found == list.all.end())
      found = std::ranges::find_if(list.all, [](const auto& each) { return each.piece.fallback; });
    return found != list.all.end() ? decode_attribute(module, found->expression, 0) : Expression{};
  }
  const int found = dwarf_getlocation_addr(&attr, pc, &ops, &count, 1);
  if (found < 0) return fail(Errc::bad_debug_info, std::string("a location list cannot be read: ") + dwarf_errmsg(-1));
  if (found == 0) return Expression{};
  return decode(module, attr, ops, count, 0);
}

Op constant_op(std::span<const std::byte> bytes) {
  Op op;
  op.code = DW_OP_implicit_value;
  op.block.assign(bytes.begin(), bytes.end());
  return op;
}

Result<Expression> constant_of(Dwarf_Attribute& attr, const Type* type) {
  Dwarf_Block block;
  if (dwarf_formblock(&attr, &block) == 0)
    return Expression{constant_op({reinterpret_cast<const std::byte*>(block.data), block.length})};
  if (const char* text = dwarf_formstring(&attr))
    return Expression{constant_op(std::as_bytes(std::span(text, std::strlen(text) + 1)))};
  Dwarf_Sword number = 0;
  if (dwarf_formsdata(&attr, &number) != 0)
    return fail(Errc::bad_debug_info, std::string("a constant cannot be read: ") + dwarf_errmsg(-1));
  std::array<std::byte, 16> bytes{};
  std::memset(bytes.data(), number < 0 ? 0xff : 0, bytes.size());
  std::memcpy(bytes.data(), &number, sizeof number);
  const std::uint64_t size = type->size().value_or(8);
  return Expression{constant_op(std::span(bytes).first(static_cast<std::size_t>(std::min<std::uint64_t>(size, 16))))};
}

}  // namespace

Result<Expression> location_of(DieRef variable, std::uint64_t pc) {
  const auto die = variable ? open_die(variable) : std::nullopt;
  if (!die) return fail(Errc::bad_debug_info, "the debug information of this variable cannot be read");
  Dwarf_Attribute attr;
  if (attribute(*die, DW_AT_location, attr)) return at_pc(*variable.module, attr, pc);
  if (attribute(*die, DW_AT_const_value, attr)) return constant_of(attr, type_of(variable));
  return Expression{};
}

namespace {

constexpr FileRange everywhere{0, ~std::uint64_t{0}};

Result<LocationList> whole_list(const Module& module, Dwarf_Attribute& attr) {
  LocationList list;
  const DebugInfo* info = elf_module(module).debug_info();
  if (const SplitTree* split = info ? info->split_of(attr.cu) : nullptr; split && SplitTree::is_list(attr)) {
    auto read = split->locations(attr);
    for (const bool fallback : {false, true}) {
      if (fallback && read.damaged) list.entries.push_back({everywhere, damaged_split_list()});
      for (auto& each : read.all)
        if (each.piece.fallback == fallback)
          list.entries.push_back(
              {fallback ? everywhere : each.piece.range, decode_attribute(module, each.expression, 0)});
    }
    return list;
  }
  constexpr std::size_t most_entries = 1U << 20;
  Dwarf_Addr base = 0, begin = 0, end = 0;
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  for (std::ptrdiff_t at = 0; list.entries.size() < most_entries;) {
    at = dwarf_getlocations(&attr, at, &base, &begin, &end, &ops, &count);
    if (at == 0) break;
    if (at < 0) {
      list.entries.push_back(
          {everywhere, fail(Errc::bad_debug_info, std::string("a location list cannot be read: ") + dwarf_errmsg(-1))});
      break;
    }
    list.entries.push_back({{begin, end}, decode(module, attr, ops, count, 0)});
  }
  return list;
}

}  // namespace

const LocationList::Entry* LocationList::at(std::uint64_t pc) const {
  const auto found = std::ranges::find_if(entries, [pc](const Entry& entry) { return entry.range.contains(pc); });
  return found == entries.end() ? nullptr : &*found;
}

Result<LocationList> locations_of(DieRef variable) {
  const auto die = variable ? open_die(variable) : std::nullopt;
  if (!die) return fail(Errc::bad_debug_info, "the debug information of this variable cannot be read");
  Dwarf_Attribute attr;
  if (attribute(*die, DW_AT_location, attr)) return whole_list(*variable.module, attr);
  LocationList list;
  if (attribute(*die, DW_AT_const_value, attr))
    list.entries.push_back({everywhere, constant_of(attr, type_of(variable))});
  return list;
}

Result<LocationList> frame_bases_of(DieRef scope) {
  const DieRef function = concrete_function(scope);
  const auto die = function ? open_die(function) : std::nullopt;
  Dwarf_Attribute attr;
  if (!die || !attribute(*die, DW_AT_frame_base, attr))
    return fail(Errc::not_available, "this function has no frame base in its debug information");
  return whole_list(*function.module, attr);
}

Result<Expression> frame_base_of(DieRef scope, std::uint64_t pc) {
  const DieRef function = concrete_function(scope);
  const auto die = function ? open_die(function) : std::nullopt;
  Dwarf_Attribute attr;
  if (!die || !attribute(*die, DW_AT_frame_base, attr))
    return fail(Errc::not_available, "this function has no frame base in its debug information");
  TL_TRY(Expression expression, at_pc(*function.module, attr, pc));
  if (expression.empty()) return fail(Errc::not_available, "the frame base is not known at this instruction");
  return expression;
}

Result<LoadAddr> member_address(const Member& member, LoadAddr object, const LocationContext& context) {
  if (!member.offset_is_expression) return object + ByteCount{member.offset};
  const auto die = member.die ? open_die(member.die) : std::nullopt;
  Dwarf_Attribute attr;
  if (!die || !own_attribute(*die, DW_AT_data_member_location, attr))
    return fail(Errc::bad_debug_info, "the place of member `" + member.name + "` cannot be read");
  TL_TRY(const Expression expression, decode_attribute(*member.die.module, attr, 0));
  TL_TRY(const std::uint64_t at, run_to_number(expression, context, object.value));
  return LoadAddr{at};
}

Result<std::uint64_t> array_count(const Type& array, std::uint64_t pc, const LocationContext& context) {
  if (array.count()) return *array.count();
  const auto die = array.dynamic_count() && array.die() ? open_die(array.die()) : std::nullopt;
  if (!die) return fail(Errc::not_available, "the length of this array is not known");
  // Only the first dimension of a variable length array is read here; deeper ones have a node (and a DIE) of their own.
  std::vector<Dwarf_Die> dimensions;
  Dwarf_Die child;
  if (first_child(*die, child)) do {
      if (dwarf_tag(&child) == DW_TAG_subrange_type) dimensions.push_back(child);
    } while (next_sibling(child));
  for (const Dwarf_Die& dimension : dimensions) {
    for (const unsigned name : {DW_AT_count, DW_AT_upper_bound}) {
      Dwarf_Attribute bound;
      if (!own_attribute(dimension, name, bound)) continue;
      std::uint64_t value = 0;
      if (const auto variable = target_of(bound)) {
        const DieRef ref = make_ref(*array.die().module, *variable);
        TL_TRY(Expression location, location_of(ref, pc));
        if (location.empty()) return fail(Errc::not_available, "the length of this array is optimised out");
        Op op;
        op.code = DW_OP_GNU_variable_value;
        op.inner = std::move(location);
        op.type = type_of(ref);
        TL_TRY(value, run_to_number(Expression{std::move(op)}, context));
      } else {
        TL_TRY(const Expression expression, at_pc(*array.die().module, bound, pc));
        if (expression.empty()) return fail(Errc::not_available, "the length of this array is optimised out");
        TL_TRY(value, run_to_number(expression, context));
      }
      if (name == DW_AT_upper_bound) value = value + 1 - static_cast<std::uint64_t>(array.lower_bound());
      if (static_cast<std::int64_t>(value) < 0) return std::uint64_t{0};
      return value;
    }
  }
  return fail(Errc::not_available, "the length of this array is not known");
}

// ---- call sites

namespace {

bool is_call_site(int tag) { return tag == DW_TAG_call_site || tag == DW_TAG_GNU_call_site; }

template <class Visit>
void for_each_call_site(const Dwarf_Die& function, Visit&& visit) {
  std::vector<Dwarf_Die> queue{function};
  for (std::size_t next = 0; next < queue.size() && queue.size() < 100000; ++next) {
    Dwarf_Die child;
    const Dwarf_Die parent = queue[next];
    if (!first_child(parent, child)) continue;
    do {
      const int tag = dwarf_tag(&child);
      if (is_call_site(tag) && !visit(child)) return;
      if (is_block_tag(tag) || tag == DW_TAG_inlined_subroutine) queue.push_back(child);
    } while (next_sibling(child));
  }
}

DieRef root_of(const Module& module, Dwarf_Die die) {
  for (int hops = 0; hops < max_reference_chain; ++hops) {
    auto next = referenced(die, DW_AT_abstract_origin);
    if (!next) next = referenced(die, DW_AT_specification);
    if (!next) break;
    die = *next;
  }
  return make_ref(module, die);
}

bool same_function(const Module& module, const Dwarf_Die& target, const DieRef& callee) {
  const auto die = open_die(callee);
  if (!die) return false;
  if (&module == callee.module && root_of(module, target) == root_of(*callee.module, *die)) return true;
  const char* a = linkage_name(target);
  const char* b = linkage_name(*die);
  if (a != nullptr && b != nullptr) return std::strcmp(a, b) == 0;
  if (a != nullptr || b != nullptr) return false;
  const char* x = die_name(target);
  const char* y = die_name(*die);  // C: external functions have one name
  return x != nullptr && y != nullptr && std::strcmp(x, y) == 0 && flag(target, DW_AT_external) &&
         flag(*die, DW_AT_external);
}

std::optional<Dwarf_Die> call_origin(const Dwarf_Die& site) {
  if (auto origin = referenced(site, DW_AT_call_origin)) return origin;
  return referenced(site, DW_AT_abstract_origin);
}

bool is_tail_call(const Dwarf_Die& site) {
  Dwarf_Attribute attr;
  return own_attribute(site, DW_AT_call_tail_call, attr) || own_attribute(site, DW_AT_GNU_tail_call, attr);
}

// Whether `callee` can be entered again by a tail call that leaves no frame: then the caller's call site told about an
// earlier entry. A tail call through a pointer could go anywhere, so it counts.
bool may_reenter_by_tail_call(const DieRef& callee) {
  std::vector<DieRef> seen{callee};
  bool reenters = false;
  for (std::size_t next = 0; next < seen.size() && !reenters; ++next) {
    const auto die = open_die(seen[next]);
    if (!die) continue;
    const Module& module = *seen[next].module;
    for_each_call_site(*die, [&](const Dwarf_Die& site) {
      if (!is_tail_call(site)) return true;
      const auto target = call_origin(site);
      if (!target || same_function(module, *target, callee) || seen.size() > 64) {
        reenters = true;
        return false;
      }
      if (const DieRef ref = make_ref(module, *target); std::ranges::find(seen, ref) == seen.end()) seen.push_back(ref);
      return true;
    });
  }
  return reenters;
}

std::optional<std::uint64_t> register_of(const Expression& expression) {
  if (expression.size() != 1) return std::nullopt;
  const Op& op = expression[0];
  if (op.code >= DW_OP_reg0 && op.code <= DW_OP_reg31) return op.code - DW_OP_reg0;
  if (op.code == DW_OP_regx || op.code == DW_OP_regval_type || op.code == DW_OP_GNU_regval_type) return op.a;
  return std::nullopt;
}

// A parameter that has no place: the optimiser dropped it, and call sites still tell what it would have held.
DieRef parameter_of(const Expression& expression) {
  return expression.size() == 1 && expression[0].code == DW_OP_GNU_parameter_ref ? expression[0].die : DieRef{};
}

// Whether the entry of a call site tells about `parameter`.
bool is_about(const Module& module, const Dwarf_Die& entry, const DieRef& parameter) {
  auto told = referenced(entry, DW_AT_call_parameter);
  if (!told) told = referenced(entry, DW_AT_abstract_origin);
  const auto die = open_die(parameter);
  return told && die && root_of(module, *told) == root_of(*parameter.module, *die);
}

std::optional<Expression> expression_at(const Module& module, const Dwarf_Die& die,
                                        std::initializer_list<unsigned> names) {
  for (const unsigned name : names)
    if (Dwarf_Attribute attr; own_attribute(die, name, attr))
      if (auto decoded = decode_attribute(module, attr, 0)) return *decoded;
  return std::nullopt;
}

}  // namespace

Result<CallSiteAnswer> call_site_value(const CallSiteQuery& query, const Expression& what) {
  const auto unknown = [](std::string why) { return fail(Errc::not_available, std::move(why)); };
  const auto wanted = register_of(what);
  const auto parameter = parameter_of(what);
  if (!wanted && !parameter) return unknown("the value at entry is not that of a register");
  if (query.caller_module == nullptr || query.return_pc == 0) return unknown("the caller is not known");
  const auto function = query.caller_module->function_at(query.return_pc - 1);
  const auto die = function && function->die ? open_die(function->die) : std::nullopt;
  if (!die) return unknown("the caller has no debug information");
  if (may_reenter_by_tail_call(query.callee)) return unknown("the function may have been entered again by a tail call");
  const Module& module = *function->die.module;
  std::optional<Dwarf_Die> site;
  for_each_call_site(*die, [&](const Dwarf_Die& candidate) {
    Dwarf_Attribute attr;
    Dwarf_Addr after = 0;
    const bool has =
        own_attribute(candidate, DW_AT_call_return_pc, attr) || own_attribute(candidate, DW_AT_low_pc, attr);
    if (!has || dwarf_formaddr(&attr, &after) != 0 || after != query.return_pc) return true;
    site = candidate;
    return false;
  });
  if (!site) return unknown("the caller's debug information does not describe this call");
  CallSiteAnswer answer;
  if (const auto origin = call_origin(*site)) {
    if (!same_function(module, *origin, query.callee))
      return unknown("the caller called another function, which ended in a tail call");
  } else {
    answer.computed_target = expression_at(module, *site, {DW_AT_call_target, DW_AT_GNU_call_site_target});
    if (!answer.computed_target) return unknown("the caller called through a pointer that is no longer known");
  }
  Dwarf_Die child;
  if (first_child(*site, child)) do {
      const int tag = dwarf_tag(&child);
      if (tag != DW_TAG_call_site_parameter && tag != DW_TAG_GNU_call_site_parameter) continue;
      if (parameter && !is_about(module, child, parameter)) continue;
      const auto place = expression_at(module, child, {DW_AT_location});
      if (wanted && (!place || register_of(*place) != wanted)) continue;
      auto value = expression_at(module, child, {DW_AT_call_value, DW_AT_GNU_call_site_value});
      if (!value) break;
      answer.value = std::move(*value);
      return answer;
    } while (next_sibling(child));
  return unknown("the caller's debug information does not say what it passed");
}

}  // namespace trapline::sym
