#include "daemon/os/dispositions.hpp"

#include <string>

#include "daemon/os/proc_files.hpp"

namespace trapline::os {

Result<Dispositions> dispositions(Tid tid) {
  TL_TRY(const std::string text, proc_file(tid.value, "status"));
  return Dispositions{.ignored = to_number(proc_field(text, "SigIgn:"), 16),
                      .caught = to_number(proc_field(text, "SigCgt:"), 16)};
}

}  // namespace trapline::os
