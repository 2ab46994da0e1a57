/* The sample that the symbol tests compile: inlining, loops, a switch, static functions and data, code from a header. */
#include "sub/shared.h"

static int table[16] = {1, 2, 3};
int counter;

static __attribute__((noinline)) int spread(int n) {
  int sum = 0;
  for (int i = 0; i < n; i++) {
    table[i & 15] += clamp(i, 3, 9);
    sum += table[(i * 7) & 15];
  }
  return sum;
}

__attribute__((noinline)) int choose(int kind) {
  switch (kind) {
  case 0:
    return spread(4);
  case 1:
    return twice(kind);
  case 2:
    counter++;
    return counter;
  case 7:
    return clamp(counter, -1, 1);
  default:
    return -1;
  }
}

__attribute__((cold, noinline)) void fail(void) {
  counter = -1;
  for (;;) __asm__ volatile("hlt");
}

int discarded(int x) {
  return x * 3 + counter;
}

void kernel_main(void) {
  for (int i = 0; i < 10; i++) {
    if (choose(i) == 12345) fail();
  }
}
