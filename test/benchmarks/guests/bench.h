/* bench.h: what the benchmark guests share. Traps, ports and the serial line are those of the test guests (../../guests/guest.h).
 * Each guest is a function of a repeat count that returns a checksum, which must be the same on every machine. */
#ifndef BENCH_H
#define BENCH_H

#include "guest.h"

struct bench {
  const char *name;
  u32 (*run)(u32 count);
  u32 count;   /* unless the command line says otherwise; at least 2 must be allowed */
  int on_name; /* runs only if it is named: for what one thing costs here, not for a comparison */
};
extern const struct bench benches[];

#define NOINLINE __attribute__((noinline))
#define ALIGNED __attribute__((aligned(4096)))

/* Scratch memory, mapped with 4 KiB pages. */
#define HEAP ((u8 *)0x1000000)
#define HEAP_WORDS ((u32 *)HEAP)
#define HEAP_BYTES (72u << 20)
#define MAPPED_BYTES 0x6000000u /* mapped to themselves */

#define MAP_P 1u
#define MAP_ALL 7u /* P, RW, US */
extern u32 directory[1024], directory_2[1024];

/* xorshift32 */
static inline u32 random_next(u32 *state) {
  u32 x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}
static inline u32 mix(u32 sum, u32 value) { return (sum << 5 | sum >> 27) * 0x9e3779b1u ^ value; }

u32 arithmetic(u32), crc32(u32), sha256(u32), bignum(u32), division(u32), flags(u32), rc4(u32);
u32 calls(u32), indirect(u32), recursion(u32), interpreter(u32), quicksort(u32), matrix(u32);
u32 stream(u32), random_access(u32), list(u32), stack(u32);
u32 movs(u32), movs_short(u32), stos(u32), scas(u32), cmps(u32);
u32 x87(u32), x87_functions(u32), sse2(u32), sse_packed(u32);
u32 patch(u32), generate(u32), beside(u32);
u32 cr3(u32), page_fault(u32), invalidate(u32), system_call(u32), sysenter(u32), software_interrupt(u32), timer(u32), interrupt_flag(u32),
    segments(u32);
u32 sti(u32), bits(u32), bytes(u32), frames(u32), locked(u32), pushed_returns(u32), per_cpu(u32), footprint(u32);
u32 port_io(u32), mmio(u32), cpuid_exit(u32), hypercall(u32), tick(u32);

#endif
