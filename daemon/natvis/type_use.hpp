#pragma once
// Inside the room only: a visualiser on one concrete type. Its expressions are bound once, when first needed.
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/eval/evaluator.hpp"
#include "daemon/eval/intrinsics.hpp"
#include "daemon/eval/scope.hpp"
#include "daemon/natvis/chain.hpp"
#include "daemon/natvis/model.hpp"

namespace trapline::natvis {

struct File {
  std::string name;  // a path, or the name of a file in the box
  bool from_box = false;
  Document document;
};

// What an expression may name besides the subject's members: $i, a custom list's variables, an intrinsic's parameters.
struct Local {
  std::string name;
  const sym::Type* type = nullptr;
};

struct Bound {
  Result<std::shared_ptr<const eval::Node>> tree = fail(Errc::internal, "");
  std::optional<Chain> pointer;
};

// What names mean to the expressions about a type: asked once.
using NamesFound = std::map<std::pair<const sym::Type*, std::string>, std::vector<sym::Symbol>>;

class TypeUse {
 public:
  TypeUse(const File& from, const TypeVisual& what, const sym::Type* of, std::vector<Capture> found)
      : file(from), visual(what), record(of), captures(std::move(found)) {}

  const File& file;
  const TypeVisual& visual;
  const sym::Type* record;  // that the expressions are about
  std::vector<Capture> captures;
  std::vector<Capture> symbols;          // $S1 ...: of the element that is read through this
  TypeUse* origin = nullptr;             // nullptr: itself
  std::vector<const sym::Member*> path;  // from the value's own type to that base
  std::optional<bool> usable;            // every expression that is not optional binds

  // The same visualiser where a symbol's name says more. Kept.
  TypeUse& with_symbols(std::vector<Capture> found);
  TypeUse& without_symbols() { return origin != nullptr ? *origin : *this; }
  // What `$S2` alone stands for, as text.
  const Capture* symbol_of(const Expression& expression) const;
  // The type that is called so, from where the type that this is about stands.
  const sym::Type* type_named(const eval::FrameView& frame, eval::Intrinsics* intrinsics, const std::string& name);

  const Bound& bind(const eval::FrameView& frame, eval::Intrinsics* intrinsics, const Expression& expression,
                    const sym::Type* subject, const std::vector<Local>& locals);
  Result<const eval::Intrinsic*> intrinsic(const eval::FrameView& frame, eval::Intrinsics* all,
                                           const IntrinsicText& text);
  // `what` of the base, as one of `derived`, which this use was found for.
  const eval::Intrinsic* through_bases(const eval::Intrinsic& what, const sym::Type* derived);

 private:
  Result<std::shared_ptr<const eval::Node>> bind_text(const eval::FrameView& frame, eval::Intrinsics* intrinsics,
                                                      const std::string& text, const sym::Type* subject,
                                                      const std::vector<Local>& locals);
  std::map<std::pair<const Expression*, const sym::Type*>, Bound> bound_;
  std::map<const IntrinsicText*, Result<std::unique_ptr<eval::Intrinsic>>> intrinsics_;
  std::set<const IntrinsicText*> in_progress_;
  NamesFound found_;
  std::map<const eval::Intrinsic*, std::unique_ptr<eval::Intrinsic>> inherited_;
  std::map<std::string, std::unique_ptr<TypeUse>> with_symbols_;
};

// $T1 and $S1 as a type's name that the scope knows or as the text it stands for; $B1, the type of the first base, as
// such a name; $i as a variable.
std::string prepared(std::string_view text, const std::vector<Capture>& captures,
                     const std::vector<Capture>& symbols = {});

}  // namespace trapline::natvis
