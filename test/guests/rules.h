/* rules.h: for guests that try every combination of type, DPL, RPL, CPL and present bit against a rule of the manual. One line is
 * printed for a whole table; before it, the first few combinations that are not as the rule has it. */
#ifndef RULES_H
#define RULES_H

#include "guest.h"

#define S 0x10
#define P 0x80
#define ANY EXTENDED      /* the segment under test */
#define ANY_2 (ANY + 8)   /* another */
#define ANY_3 (ANY + 16)
#define AREA 0x800000     /* unused memory */

#define UNUSED __attribute__((unused))

/* The combination. */
UNUSED static u32 type, dpl, rpl, cpl, present;
static u32 tried, wrong;
#define EVERY_LEVEL                         \
  for (present = 0; present < 2; present++) \
    for (dpl = 0; dpl < 4; dpl++)           \
      for (rpl = 0; rpl < 4; rpl++)         \
        for (cpl = 0; cpl < 4; cpl++)

UNUSED static u32 is_code(u32 t) { return (t & (S | 8)) == (S | 8); }
UNUSED static u32 is_conforming(u32 t) { return (t & (S | 12)) == (S | 12); }
UNUSED static u32 is_readable(u32 t) { return t & S && (!(t & 8) || t & 2); }
UNUSED static u32 is_writable(u32 t) { return (t & (S | 8 | 2)) == (S | 2); }

UNUSED static void compare(const char *what, u32 got, u32 should) {
  tried++;
  if (got == should || wrong++ >= 5) return;
  print(what);
  print(": type ");
  print_hex(type);
  print(present ? " present" : " not present");
  print(", dpl rpl cpl ");
  print_decimal(dpl);
  print(" ");
  print_decimal(rpl);
  print(" ");
  print_decimal(cpl);
  print(": ");
  print_hex(got);
  print(" instead of ");
  print_hex(should);
  print("\n");
}

UNUSED static void verdict(const char *name, u32 combinations) {
  equal(name, wrong, 0);
  equal("  combinations", tried, combinations);
  tried = wrong = 0;
}

UNUSED static u8 access_byte(u16 selector) { return gdt[selector / 8] >> 40; }
/* What the last run or probe came to, as one number. */
UNUSED static u32 outcome(void) {
  return fault.vector == FAULT_NONE ? FAULT_NONE : fault.vector << 16 | fault.error;
}
UNUSED static u32 raises(u32 vector, u32 error) { return vector << 16 | error; }
/* Run in a ring, `form` comes to this. */
UNUSED static void expect(const char *what, u32 ring, u32 (*form)(void), u32 should) {
  run_ring(ring, form);
  compare(what, outcome(), should);
}

#endif
