// The guardian's hands alone, on real processes.
#include "daemon/guard/journal.hpp"
#include "daemon/guard/journal_file.hpp"
#include "daemon/guard/rewind.hpp"
#include "tests/faults/subject.hpp"

using namespace trapline;
using namespace trapline::test;

TEST_CASE("a thread that lost its SIGTRAP behind an int3 is put back to the instruction") {
  Outsider program({fixture("faults_behind")});
  const auto at = std::stoull(program.line(), nullptr, 16);
  const std::vector<guard::Entry> other{
      {.kind = guard::RecordKind::text_patch, .at = at + 64, .bytes = {std::byte{0xb8}}}};
  const std::vector<guard::Entry> patches{
      {.kind = guard::RecordKind::text_patch, .at = at, .bytes = {std::byte{0xb8}}}};
  CHECK(guard::rewind_threads(Pid{program.pid()}, other) == 0);
  eventually("the thread to be moved", [&] { return guard::rewind_threads(Pid{program.pid()}, patches) == 1; });
  CHECK(program.line() == "back");
  const int status = program.wait();
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

TEST_CASE("nobody is moved, held or stopped who stands anywhere else") {
  Subject subject;
  const std::vector<guard::Entry> patches{
      {.kind = guard::RecordKind::text_patch, .at = 0x1000, .bytes = {std::byte{0xb8}}}};
  for (int i = 0; i < 50; ++i) CHECK(guard::rewind_threads(Pid{subject.pid()}, patches) == 0);
  eventually("everybody to run", [&] { return subject.runs_free(); });
  subject.check_untouched();
}
