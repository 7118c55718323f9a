#pragma once
// Operators and member functions of library types as expressions over their members: `v[3]`, `*p`, `s.size()` without
// any code in the target. Visualisers define them; the binder looks them up by record, name and number of arguments and
// puts an `inlined` node where a call would stand.
// Thread: the loop's. An answer stays valid until the modules change.
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/eval/expression.hpp"
#include "daemon/sym/type.hpp"
#include "proto/words/result.hpp"

namespace trapline::eval {

struct Intrinsic {
  std::string name;                          // "operator[]", "size"
  std::vector<const sym::Type*> parameters;  // arguments are converted to these
  std::shared_ptr<const Node> body;          // `subject` is the object, `slot` n its n-th argument
};

class Intrinsics {
 public:
  virtual ~Intrinsics() = default;
  // Of `record` (complete, without aliases and qualifiers) or of a base whose visualiser is inherited. nullptr: there
  // is none. Errors: there is one, and its expression does not bind on this type.
  virtual Result<const Intrinsic*> find(const sym::Type* record, std::string_view name, std::size_t arguments) = 0;
  // Names that `record` has, for completion and for "did you mean".
  virtual std::vector<std::string> names(const sym::Type* record) = 0;
};

}  // namespace trapline::eval
