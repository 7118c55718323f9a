// Who may be attached to, on machines that this one is not: other users, yama, containers.
#include <doctest/doctest.h>
#include <cerrno>

#include "daemon/os/attachable.hpp"

namespace trapline::os {
namespace {

AttachFacts plain() {
  AttachFacts facts;
  facts.pid = Pid{100};
  facts.status.comm = "server";
  facts.status.state = 'S';
  facts.status.tgid = Pid{100};
  facts.status.parent = Pid{1};
  facts.status.real_uid = facts.status.effective_uid = 1000;
  facts.user = "anna";
  facts.our_uid = 1000;
  return facts;
}

bool says(const Error& error, std::string_view text) {
  return error.message.find(text) != std::string::npos || error.hint.find(text) != std::string::npos;
}

Error refused(const AttachFacts& facts) {
  const auto why = refusal(facts);
  REQUIRE(why);
  return *why;
}

TEST_CASE("one's own process may be tried, with yama or without") {
  CHECK(!refusal(plain()));
  for (const int scope : {0, 1}) {
    auto facts = plain();
    facts.yama_scope = scope;
    CHECK(!refusal(facts));
  }
}

TEST_CASE("each reason has its own answer") {
  auto facts = plain();
  facts.exists = false;
  CHECK(refused(facts).code == Errc::no_process);

  facts = plain();
  facts.is_self = true;
  CHECK(says(refused(facts), "trapline itself"));

  facts = plain();
  facts.is_ancestor = true;
  CHECK(says(refused(facts), "ancestor"));

  facts = plain();
  facts.status.tgid = Pid{99};
  CHECK(refused(facts).code == Errc::no_process);
  CHECK(says(refused(facts), "Attach to 99"));

  facts = plain();
  facts.status.kernel_thread = true;
  CHECK(refused(facts).code == Errc::kernel_thread);

  facts = plain();
  facts.status.state = 'Z';
  facts.status.parent = Pid{77};
  CHECK(refused(facts).code == Errc::no_process);
  CHECK(says(refused(facts), "process 77"));

  facts = plain();
  facts.status.tracer = Pid{55};
  facts.tracer_comm = "gdb";
  CHECK(refused(facts).code == Errc::already_traced);
  CHECK(says(refused(facts), "process 55 (gdb)"));

  facts = plain();
  facts.elf32 = true;
  CHECK(refused(facts).code == Errc::unsupported);
}

TEST_CASE("another user's process is named with its user, unless we may trace all") {
  auto facts = plain();
  facts.our_uid = 1001;
  CHECK(refused(facts).code == Errc::no_permission);
  CHECK(says(refused(facts), "anna"));
  facts.can_trace_all = true;
  CHECK(!refusal(facts));

  facts = plain();
  facts.status.effective_uid = 0;
  CHECK(says(refused(facts), "set-user-id"));

  // Root of a container without CAP_SYS_PTRACE.
  facts = plain();
  facts.our_uid = 0;
  CHECK(refused(facts).code == Errc::no_permission);
}

TEST_CASE("yama 2 needs the capability, yama 3 forbids everybody") {
  auto facts = plain();
  facts.yama_scope = 2;
  CHECK(says(refused(facts), "ptrace_scope is 2"));
  CHECK(says(refused(facts), "sysctl"));
  facts.can_trace_all = true;
  CHECK(!refusal(facts));
  facts.yama_scope = 3;
  CHECK(says(refused(facts), "ptrace_scope is 3"));
}

TEST_CASE("after a refused try the reason is what could not be known before") {
  auto facts = plain();
  facts.yama_scope = 1;
  CHECK(says(explanation(facts, EPERM), "ptrace_scope is 1"));
  CHECK(explanation(facts, EPERM).os_errno == EPERM);
  facts = plain();
  facts.dumpable = false;
  CHECK(says(explanation(facts, EPERM), "non-dumpable"));
  CHECK(says(explanation(plain(), EPERM), "container"));
  CHECK(explanation(plain(), ESRCH).code == Errc::no_process);
  facts = plain();
  facts.status.tracer = Pid{55};
  CHECK(explanation(facts, EPERM).code == Errc::already_traced);
}

TEST_CASE("a refusal of what the user asked for is not blamed on us") {
  for (const auto mutate : {+[](AttachFacts& f) { f.exists = false; }, +[](AttachFacts& f) { f.is_self = true; },
                            +[](AttachFacts& f) { f.status.kernel_thread = true; },
                            +[](AttachFacts& f) { f.our_uid = 1; }, +[](AttachFacts& f) { f.yama_scope = 3; }}) {
    auto facts = plain();
    mutate(facts);
    CHECK(blame_for(refused(facts).code) != Blame::us);
  }
}

}  // namespace
}  // namespace trapline::os
