#include "daemon/os/tracer_thread.hpp"

#include "proto/words/result.hpp"

namespace trapline::os {

const OnTracer& TracerThread::token() const {
  TL_ASSERT(std::this_thread::get_id() == id_);
  return token_;
}

}  // namespace trapline::os
