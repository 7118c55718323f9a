#pragma once
// What users asked to stop at, and where it is bound. Pure state: the session places sites by what bind() and drop()
// return.
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "daemon/eval/evaluator.hpp"
#include "daemon/image/modules.hpp"
#include "daemon/run/inferior.hpp"
#include "daemon/session/hit_condition.hpp"
#include "daemon/session/source_digest.hpp"
#include "daemon/session/source_map.hpp"
#include "proto/control.hpp"

namespace trapline::session {

struct Breakpoint {
  proto::BreakpointInfo info;
  HitCondition hit_condition;
  bool broken = false;  // a bad hit condition: never placed, info.message says why
  std::shared_ptr<eval::ConditionCache> cache;
  std::uint64_t evaluation_nanoseconds = 0;
  std::uint64_t errors = 0;  // of its condition; the first one is told to the user
};

class BreakpointTable {
 public:
  Breakpoint& add(const proto::BreakpointSpec& spec);
  Breakpoint* find(BreakpointId id);
  // Forgets it; the edits take its sites out.
  std::vector<run::Inferior::SiteEdit> drop(BreakpointId id);
  // Resolves it anew. True: something that a client shows has changed. `edits` gets the sites to place and to take out.
  bool bind(Breakpoint& breakpoint, const image::Modules& modules, const SourceMap& sources,
            std::vector<run::Inferior::SiteEdit>& edits);
  // The debuggee is gone: nothing is bound any more.
  // What a name means may be another thing by now.
  void forget_bound_conditions();
  void unbind_all();
  // A site could not be placed: the location goes, and the message says why.
  void refuse(BreakpointId id, LoadAddr at, const Error& error);
  std::vector<proto::BreakpointInfo> all() const;
  std::map<BreakpointId, Breakpoint>& entries() { return entries_; }

 private:
  SourceDigests digests_;
  std::map<BreakpointId, Breakpoint> entries_;  // by id, so that lists are in the order of asking
  std::int32_t next_id_ = 1;
};

}  // namespace trapline::session
