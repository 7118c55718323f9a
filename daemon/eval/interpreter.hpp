#pragma once
// Runs a typed tree on a frame. Bytes are read when an operation needs them; the answer may still lie in memory.
// Errors: bad_expression (division by zero ...), bad_address (with the address), not_available (optimised out ...).
#include "daemon/eval/evaluator.hpp"
#include "daemon/eval/expression.hpp"
#include "daemon/eval/number.hpp"
#include "daemon/eval/psabi.hpp"

namespace trapline::eval {

// What the nodes `subject` and `slot` stand for.
struct Surroundings {
  const Value* subject = nullptr;
  std::vector<Value>* slots = nullptr;  // assignments change these and nothing of the program
};

class Interpreter {
 public:
  explicit Interpreter(const FrameView& view, Surroundings around = {}) : view_(view), around_(around) {}
  Result<Value> run(const Node& node);
  Result<bool> run_truth(const Node& node);
  // Writes `bytes` (of the target's size; a bit-field's whole type) where `target` lies; the value that is there now.
  Result<Value> store(const Value& target, std::span<const std::byte> bytes);
  // What an assignment of `source` to something of `type` writes.
  Result<std::vector<std::byte>> bytes_for(const Value& target, const Value& source);

 private:
  Result<Value> dispatch(const Node& node);
  Result<Value> variable(const Node& node);
  Result<Value> function(const Node& node);
  Result<Value> register_value(const Node& node);
  Result<Value> address_of(const Node& node);
  Result<Value> element(const Node& node);
  Result<Value> convert(const Node& node);
  Result<Value> view(const Node& node);
  Result<Value> pointer_step(const Node& node);
  Result<Value> dynamic_cast_to(const Node& node);
  Result<Value> pointer_offset(const Node& node);
  Result<Value> pointer_difference(const Node& node);
  Result<Value> data_symbol(const Node& node) const;
  Result<Value> derived(const Node& node);
  Result<Value> follow(const Node& node);
  Result<Value> logical(const Node& node);
  Result<Value> subject() const;
  Result<Value> unary(const Node& node);
  Result<Value> binary(const Node& node);
  Result<Value> compare_text(const Node& node);
  Result<Value> assign(const Node& node);
  Result<Value> assign_compound(const Node& node);
  Result<Value> increment(const Node& node);
  Result<Value> repeat(const Node& node);
  Result<Value> member_pointer(const Node& node);
  Result<Value> complex_part(const Node& node);
  Result<Value> compare_counted(const Node& node);
  Result<Value> inlined(const Node& node);
  Result<Value> library(const Node& node);
  Result<Value> slot(const Node& node);
  struct Callee {
    LoadAddr function;
    std::optional<std::uint64_t> self;
  };
  Result<Value> call(const Node& node);
  Result<Callee> callee_of(const Node& node);
  Result<Callee> member_function(const Node& node);
  // What was made to be passed by value: it ends behind the call, or with the attempt, in reverse order.
  class Copies {
   public:
    explicit Copies(Interpreter& of) : of_(of) {}
    Copies(const Copies&) = delete;
    ~Copies() { static_cast<void>(end()); }
    void add(const Node& destructor, LoadAddr object) { made_.push_back({&destructor, object}); }
    Result<void> end();  // the first error of a destructor

   private:
    struct Made {
      const Node* destructor;
      LoadAddr object;
    };
    Interpreter& of_;
    std::vector<Made> made_;
  };
  struct Called {
    CallPlan plan;
    arch::CallReturn answer;
  };
  Result<void> may_call() const;
  Result<CallArgument> call_argument(const Node& node, Copies& copies);
  Result<std::vector<CallArgument>> call_arguments(const Node& node, Copies& copies);
  static CallArgument address_argument(std::uint64_t address);
  Result<Called> perform(LoadAddr function, const sym::Type* result, std::span<const CallArgument> arguments);
  Result<void> destroy(const Node& destructor, LoadAddr object);
  Result<Value> keyed(const Node& node);
  Result<Value> type_info(const Node& node);
  Result<std::uint64_t> type_info_name_at(const Node& node);
  Result<Value> type_info_name(const Node& node);
  Result<Value> same_type_info(const Node& node);
  Result<Value> three_way(const Node& node);
  Result<Value> exception(const Node& node);
  Result<Value> object(const Node& node);
  Result<Value> aggregate(const Node& node);
  Result<Value> store_to(const Node& place, const Value& target, std::span<const std::byte> bytes);
  Result<Value> implicit_target(const Part& pointer, const sym::Type* type);

  Result<Number> number(const Value& value);
  Result<Value> from_number(const sym::Type* type, const Number& number) const;
  Result<bool> truth_of(const Value& value);
  Result<std::uint64_t> pointer(const Value& value);
  Result<void> store_bits(const Value& target, std::span<const std::byte> bytes);
  Result<Value> store_parts(const Value& target, std::span<const std::byte> bytes);
  Result<Value> store_register(const Value& target, std::span<const std::byte> bytes);

  const FrameView& view_;
  Surroundings around_;
  int depth_ = 0;
  bool thread_lost_ = false;  // by a call: the thread is not where it was, and calls nothing more
};

}  // namespace trapline::eval
