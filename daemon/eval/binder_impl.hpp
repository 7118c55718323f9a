#pragma once
// Inside the room only: the binder's parts, one file each: binder.cpp has the dispatch.
#include "daemon/eval/binder.hpp"
#include "daemon/eval/overload.hpp"
#include "daemon/sym/methods.hpp"

namespace trapline::eval {

class Binder {
 public:
  Binder(std::string_view text, const Scope& scope, const BindOptions& options)
      : text_(text), scope_(scope), options_(options) {}

  Result<NodePtr> bind(const Syntax& syntax);
  Result<NodePtr> bind_value(const Syntax& syntax);  // arrays and functions decay
  Result<const sym::Type*> type_of(const TypeSyntax& type);
  // An implicit conversion, as in an assignment.
  Result<NodePtr> convert(NodePtr node, const sym::Type* type, const Syntax& syntax);

 private:
  Result<NodePtr> literal(const Syntax& syntax);
  Result<NodePtr> name(const Syntax& syntax);
  Result<NodePtr> symbol(const sym::Symbol& symbol, const Syntax& syntax);
  Result<NodePtr> function(const std::vector<sym::Symbol>& found, const Syntax& syntax);
  Result<NodePtr> elf_object(const ElfObject& object, const sym::Type* type, const Syntax& syntax);
  Result<NodePtr> unknown_name(const Syntax& syntax);
  std::optional<Result<NodePtr>> member_of_class(const Syntax& syntax, bool for_address);
  Result<NodePtr> this_pointer(const Syntax& syntax);
  Result<NodePtr> this_object(const Syntax& syntax);
  Result<NodePtr> member(const Syntax& syntax);
  Result<NodePtr> member_in(NodePtr object, const std::string& member, const Syntax& syntax);
  Result<NodePtr> missing_member(const sym::Type* record, const std::string& member, const Syntax& syntax);
  bool has_member(const sym::Type* record, const std::string& member) const;

  NodePtr subject(const Syntax& syntax) const;
  std::optional<Result<NodePtr>> name_in_visualizer(const Syntax& syntax);
  // `object` is taken only where there is an answer.
  std::optional<Result<NodePtr>> intrinsic(NodePtr& object, std::string_view name,
                                           const std::vector<const Syntax*>& arguments, const Syntax& syntax);
  std::optional<Result<NodePtr>> intrinsic_call(const Syntax& syntax);
  std::optional<Result<NodePtr>> library_call(const Syntax& syntax);
  Result<NodePtr> arrow(NodePtr object, const Syntax& syntax);
  std::optional<Result<NodePtr>> compare_texts(const Syntax& syntax, NodePtr& a, NodePtr& b, bool unequal);
  std::optional<std::pair<NodePtr, NodePtr>> counted_text(const Syntax& syntax);
  Result<NodePtr> truth_value(NodePtr node, const Syntax& syntax);

  NodePtr through(NodePtr object, const sym::Member& member, const Syntax& syntax);
  NodePtr follow(NodePtr node, const Syntax& syntax);

  Result<NodePtr> unary(const Syntax& syntax);
  Result<NodePtr> dereference(const Syntax& syntax);
  Result<NodePtr> dereference_of(NodePtr pointer, const Syntax& syntax);
  Result<NodePtr> address_of(const Syntax& syntax);
  Result<NodePtr> binary(const Syntax& syntax);
  Result<NodePtr> pointer_binary(Op op, NodePtr a, NodePtr b, const Syntax& syntax);
  Result<NodePtr> pointer_comparison(Op op, NodePtr a, NodePtr b, const Syntax& syntax);
  Result<NodePtr> index(const Syntax& syntax);
  Result<NodePtr> conditional(const Syntax& syntax);
  Result<NodePtr> assign(const Syntax& syntax);
  Result<NodePtr> increment(const Syntax& syntax);
  Result<NodePtr> repeat(const Syntax& syntax);
  Result<NodePtr> size_of(const Syntax& syntax);
  Result<NodePtr> no_except(const Syntax& syntax);
  const sym::Type* truth_type() const;  // of comparisons: bool, and int in C
  Result<NodePtr> member_pointer(const Syntax& syntax);
  Result<NodePtr> complex_part(const Syntax& syntax);
  Result<void> allow_change(const Node& target, const Syntax& syntax) const;

  Result<NodePtr> cast(const Syntax& syntax);
  Result<NodePtr> cast_to(NodePtr node, const sym::Type* type, CastStyle style, const Syntax& syntax);
  Result<NodePtr> cast_lvalue(NodePtr node, const sym::Type* referee, CastStyle style, const Syntax& syntax);
  Result<NodePtr> cast_pointer(NodePtr node, const sym::Type* type, CastStyle style, const Syntax& syntax);
  Result<NodePtr> cast_dynamic(NodePtr node, const sym::Type* type, const Syntax& syntax);
  Result<NodePtr> construct(const Syntax& syntax);
  // Steps from `derived` to its base `base`; empty where it is none (or the same).
  std::vector<const sym::Member*> path_to_base(const sym::Type* derived, const sym::Type* base, int depth = 0) const;

  // ---- binder_calls.cpp, binder_candidates.cpp, binder_arguments.cpp
  // One function that a call may mean.
  struct Candidate {
    std::string name;
    const sym::Type* type = nullptr;
    sym::DieRef die;
    std::string linkage;
    bool object = false;                   // takes `this`
    const sym::Type* record = nullptr;     // whose method it is
    std::vector<const sym::Member*> path;  // from the object's class to `record`
    bool constant = false;                 // its `this` points to const
    std::optional<std::uint64_t> slot;     // virtual
    bool instance = false;                 // of a function template, whose arguments were not written
  };
  Result<NodePtr> call(const Syntax& syntax);
  Result<NodePtr> call_value(NodePtr callee, std::vector<NodePtr> arguments, const Syntax& syntax);
  Result<NodePtr> call_member(const Syntax& callee, std::vector<NodePtr> arguments, const Syntax& syntax);
  std::optional<Result<NodePtr>> call_own_member(const Syntax& callee, std::vector<NodePtr>& arguments,
                                                 const Syntax& syntax);
  std::optional<Result<NodePtr>> call_static_member(const Syntax& callee, std::vector<NodePtr>& arguments,
                                                    const Syntax& syntax);
  std::optional<Result<NodePtr>> call_operator(std::string_view op, std::vector<NodePtr>& operands,
                                               const Syntax& syntax);
  Result<std::vector<NodePtr>> bound_arguments(const Syntax& syntax);
  Candidate candidate_of(const sym::Symbol& symbol) const;
  void methods_named(const sym::Type* record, const std::string& name, std::vector<const sym::Member*>& path,
                     std::vector<Candidate>& out, int depth) const;
  void functions_named(const sym::QualifiedName& name, const std::vector<NodePtr>& arguments,
                       std::vector<Candidate>& out) const;
  std::optional<std::vector<Conversion>> conversions(const Candidate& candidate, const Node* object,
                                                     const std::vector<NodePtr>& arguments) const;
  std::unexpected<Error> none_fits(const std::string& name, const std::vector<Candidate>& all,
                                   const std::vector<NodePtr>& arguments, const Syntax& syntax) const;
  Result<NodePtr> resolved_call(const std::string& name, const std::vector<Candidate>& all, NodePtr object,
                                std::vector<NodePtr> arguments, bool direct, const Syntax& syntax);
  static std::optional<std::size_t> best_without_templates(const std::vector<std::vector<Conversion>>& rows,
                                                           const std::vector<const Candidate*>& viable);
  Result<NodePtr> code_of(const Candidate& chosen, const Syntax& syntax) const;
  Result<NodePtr> call_of(const Candidate& chosen, NodePtr object, std::vector<NodePtr> arguments, bool direct,
                          const Syntax& syntax);
  // `changes`: who is called may change it, so a copy of a program's object will not do.
  NodePtr address_for_call(NodePtr value, bool changes, const Syntax& syntax) const;
  Result<NodePtr> argument_for(NodePtr argument, const sym::Type* parameter, const Syntax& syntax);
  NodePtr text_object(NodePtr literal, const sym::Type* record, const Syntax& syntax) const;
  Result<NodePtr> promoted_argument(NodePtr argument, const Syntax& syntax);
  Result<NodePtr> finish_call(NodePtr node, const sym::Type* function, std::vector<NodePtr> arguments,
                              const Syntax& syntax);

  // ---- binder_keyed.cpp; `object` is taken only where there is an answer
  const sym::Type* element_of_map(const sym::Type* record) const;
  std::optional<Result<NodePtr>> keyed(NodePtr& object, const Syntax& key, std::string_view what, const Syntax& syntax);
  Result<NodePtr> equal_keys(const Syntax& equality);
  std::optional<Result<NodePtr>> keyed_call(const Syntax& syntax);
  // ---- binder_types.cpp
  Result<NodePtr> type_id(const Syntax& syntax);
  NodePtr compare_type_infos(NodePtr a, NodePtr b, bool unequal, const Syntax& syntax) const;
  std::optional<Result<NodePtr>> type_info_call(const Syntax& syntax);
  Result<NodePtr> three_way(const Syntax& syntax);
  std::optional<Result<NodePtr>> compare_ordering(Op op, NodePtr& a, const Node& b, const Syntax& syntax);
  Result<NodePtr> exception(const Syntax& syntax);
  // ---- binder_objects.cpp
  Result<NodePtr> made_object(const sym::Type* type, std::vector<NodePtr> arguments, const Syntax& syntax);
  Result<NodePtr> aggregate(const sym::Type* record, std::vector<NodePtr> arguments, const Syntax& syntax);
  Result<NodePtr> constructed(const sym::Type* record, std::vector<NodePtr> arguments, const Syntax& syntax);
  Result<NodePtr> passed_copy(NodePtr argument, const sym::Type* record, const Syntax& syntax);
  Result<NodePtr> code_of_special(const Candidate& chosen, const Syntax& syntax) const;
  Result<NodePtr> destructor_of(const sym::Type* record, const Syntax& syntax) const;

  NodePtr make(NodeKind kind, const sym::Type* type, const Syntax& syntax) const;
  NodePtr make(NodeKind kind, const sym::Type* type, const Syntax& syntax, NodePtr kid) const;
  NodePtr make(NodeKind kind, const sym::Type* type, const Syntax& syntax, NodePtr a, NodePtr b) const;
  NodePtr constant(const sym::Type* type, const Number& number, const Syntax& syntax) const;
  NodePtr decayed(NodePtr node, const Syntax& syntax) const;
  NodePtr bits_promoted(NodePtr node, const Syntax& syntax) const;
  NodePtr converted(NodePtr node, const sym::Type* type, const Syntax& syntax) const;
  const sym::Type* complete(const sym::Type* type) const { return scope_.complete(type->strip()); }
  std::string written(const Syntax& syntax) const;
  std::unexpected<Error> bad(const Syntax& syntax, std::string why) const;
  std::unexpected<Error> no_operator(Op op, const Node& a, const Node* b, const Syntax& syntax) const;
  std::unexpected<Error> needs_cast(const Node& node) const;

  std::string_view text_;
  const Scope& scope_;
  BindOptions options_;
  int depth_ = 0;
};

bool is_pointer(const sym::Type* type);
bool is_record(const sym::Type* type);
bool is_array(const sym::Type* type);
bool is_scalar(const sym::Type* type);  // usable where a truth value is wanted
bool is_unknown(const sym::Type* type);
bool is_type_info(const sym::Type* type);
bool is_number(const sym::Type* type);  // or an enumeration
bool is_complex(const sym::Type* type);
bool has_stride(const sym::Type* pointee);  // a pointer to it can be stepped
bool is_null_constant(const Node& node);
// Parameters as the user writes them: without `this`.
std::vector<const sym::Type*> written_parameters(const sym::Type* function);
std::string signature(const std::string& name, const sym::Type* function);
// A library string (or view of one) that a literal of these characters can be made one of.
bool holds_text(const sym::Type* record, const sym::Type* character);
// Classes, and enumerations that have no operators of their own.
bool may_have_operators(const sym::Type* type);

}  // namespace trapline::eval
