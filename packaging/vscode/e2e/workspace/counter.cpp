// What the attach part looks at: counts until it is told to stop by a signal.
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>

struct Counter {
  int ticks = 0;
  int step = 2;
};

void count(Counter& counter) {
  counter.ticks += counter.step;  // MARK: count
}

int main() {
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  alarm(600);
  Counter counter;
  std::puts("counting");
  std::fflush(stdout);
  for (;;) {
    count(counter);
    usleep(20000);
  }
}
