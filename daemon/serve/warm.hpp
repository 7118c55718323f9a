#pragma once
// A spare session process makes itself ready while nobody waits: what the first launch would fault in, page by page, is
// in its page tables already (a third of a launch's processor time was page faults: bench/round_trip's launch row).
// Thread: the loop's, before the loop runs.

namespace trapline::serve {

// Maps the code that this process is made of, and gives the heap its first pages. Costs no private memory but the
// heap's, which the first launch takes anyway. Errors: none; what cannot be done ahead is done when it is needed.
void warm_up();

}  // namespace trapline::serve
