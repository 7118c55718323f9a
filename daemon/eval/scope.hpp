#pragma once
// What the binder may ask about the place where an expression is meant. FrameScope answers for a frame; tests answer
// from a table.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/eval/expression.hpp"
#include "daemon/eval/parser.hpp"
#include "daemon/image/modules.hpp"
#include "daemon/sym/methods.hpp"
#include "daemon/sym/type.hpp"
#include "daemon/sym/variable.hpp"

namespace trapline::eval {

struct FrameView;
struct FramePlace;

struct ElfObject {
  FileAddr address;
  std::uint64_t size = 0;
  std::string name;
  bool function = false;
};

class Intrinsics;

class Scope : public NameOracle {
 public:
  // Inside a visualiser's expression: what it is about, and its arguments and local variables.
  struct Slot {
    std::size_t index = 0;
    const sym::Type* type = nullptr;
  };
  virtual const sym::Type* subject() const { return nullptr; }
  virtual std::optional<Slot> slot(std::string_view) const { return std::nullopt; }
  virtual Intrinsics* intrinsics() const { return nullptr; }

  virtual bool c_rules() const { return false; }  // the code there is C: int for truth values and characters

  virtual std::vector<sym::Symbol> find(const sym::QualifiedName& name) const = 0;
  virtual const sym::Type* complete(const sym::Type* type) const = 0;
  virtual std::optional<sym::Variable> this_variable() const = 0;
  virtual std::vector<std::string> similar(std::string_view name) const = 0;
  virtual std::optional<ElfObject> elf_object(std::string_view name) const = 0;
  virtual std::optional<sym::Symbol> static_member(const sym::Type* record, const sym::Member& member) const = 0;
  // Where the code of a member function of that qualified name and type begins.
  virtual std::optional<FileAddr> member_code(const std::string&, const sym::Type*) const { return std::nullopt; }
  // Where a variable is over the code that this scope is of; nullptr: not known.
  virtual std::shared_ptr<const VariablePlace> variable_place(const sym::Symbol&) const { return nullptr; }
  // The type of the exception that ended the thread; the error says why there is none.
  struct Exception {
    const sym::Type* type = nullptr;
    std::string name;
  };
  virtual Result<Exception> exception() const { return fail(Errc::not_available, "no exception is known here"); }
  virtual bool by_reference(const sym::Type* record) const { return sym::passed_by_reference(record, {}); }
  virtual std::string place() const = 0;  // "in main", for errors

  bool is_type(const sym::QualifiedName& name) const override;
  bool is_known(const sym::QualifiedName& name) const override;
};

class FrameScope : public Scope {
 public:
  FrameScope(const image::Modules& modules, sym::DieRef scope, const image::MappedModule* module, std::uint64_t file_pc,
             Intrinsics* intrinsics = nullptr);
  std::vector<sym::Symbol> find(const sym::QualifiedName& name) const override;
  const sym::Type* complete(const sym::Type* type) const override;
  std::optional<sym::Variable> this_variable() const override;
  std::vector<std::string> similar(std::string_view name) const override;
  std::optional<ElfObject> elf_object(std::string_view name) const override;
  std::optional<sym::Symbol> static_member(const sym::Type* record, const sym::Member& member) const override;
  std::optional<FileAddr> member_code(const std::string& name, const sym::Type* function) const override;
  std::shared_ptr<const VariablePlace> variable_place(const sym::Symbol& variable) const override;
  Result<Exception> exception() const override;
  std::string place() const override;
  bool c_rules() const override;
  void at_frame(const FrameView& frame) { frame_ = &frame; }  // which lives longer; for exception()
  std::vector<std::string> visible(std::string_view prefix, std::size_t limit) const;
  std::vector<std::string> within(const sym::QualifiedName& scope, std::size_t limit) const;
  Intrinsics* intrinsics() const override { return intrinsics_; }
  // Names are meant as in the member functions of `record`, whose DIE is the scope.
  void look_from(const sym::Type* record) { record_ = record; }

 private:
  sym::LookupScope from() const { return {scope_, pc_, modules_, record_}; }
  const image::Modules& mapped_;
  std::vector<const sym::Module*> modules_;
  sym::DieRef scope_;
  std::uint64_t pc_;
  Intrinsics* intrinsics_;
  const sym::Type* record_ = nullptr;
  const FrameView* frame_ = nullptr;
  mutable std::optional<std::shared_ptr<const sym::LocationList>> frame_base_;
  mutable std::vector<std::pair<std::string, std::vector<sym::Symbol>>>
      found_;  // one expression asks a name twice or more
};

// The scope of a frame, and whether expressions are read as Rust there: registers and C's own notations (`a@n`,
// `{type} address`) are read as everywhere.
FrameScope scope_of(const FrameView& frame, const FramePlace& place);
bool reads_as_rust(const FramePlace& place, std::string_view expression);

// Modules in the order in which names are looked for: `first`'s, then in link order.
std::vector<const sym::Module*> search_order(const image::Modules& modules, const image::MappedModule* first);

}  // namespace trapline::eval
