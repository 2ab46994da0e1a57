/* stress.c: fork, touch, primes, sleep: work for the scheduler, the page-fault handler, the processor and the clock. */
#include "lib.h"

#define PAGE 4096u
#define MOST_PAGES 0x1fff0u /* what fits between the image and the stack, and in an i32 */

static volatile u32 shared; /* each child writes it: a copy on write */

int fork_main(const char *argument) {
  u32 count = number(argument, 1);
  for (u32 i = 0; i < count; i++) {
    i32 child = fork();
    if (child < 0) {
      printf("fork: error %d after %u children\n", -child, i);
      return 1;
    }
    if (child == 0) {
      shared = i + 1;
      exit(shared & 0x7f);
    }
    u32 result;
    if (wait(&result) != child || result != ((i + 1) & 0x7f) || shared != 0) {
      printf("fork: child %u went wrong, status %u\n", i, result);
      return 1;
    }
  }
  printf("fork: %u children, all waited for\n", count);
  return 0;
}

int touch_main(const char *argument) {
  u32 pages = number(argument, 1);
  if (pages > MOST_PAGES) {
    printf("touch: at most %u pages\n", MOST_PAGES);
    return 1;
  }
  i32 start = sbrk(pages * PAGE);
  if (start < 0 && start > -4096) {
    printf("touch: error %d\n", -start);
    return 1;
  }
  struct system_status before, after;
  status(&before);
  u32 dirty = 0;
  for (u32 i = 0; i < pages; i++) {
    volatile u32 *word = (volatile u32 *)(start + i * PAGE);
    dirty |= *word; /* a fresh page reads as zero */
    *word = i;
  }
  status(&after);
  printf("touch: %u pages, %u page faults%s\n", pages, after.faults_zero - before.faults_zero,
         dirty ? ", NOT ZEROED" : "");
  return dirty != 0;
}

static bool is_prime(u32 candidate) {
  for (u32 divisor = 2; divisor * divisor <= candidate; divisor++) {
    if (candidate % divisor == 0) return false;
  }
  return candidate >= 2;
}

int primes_main(const char *argument) {
  u32 limit = number(argument, 1000), count = 0;
  for (u32 candidate = 2; candidate <= limit; candidate++) count += is_prime(candidate);
  printf("primes: %u up to %u\n", count, limit);
  return 0;
}

int sleep_main(const char *argument) {
  sleep(number(argument, 1000));
  return 0;
}
