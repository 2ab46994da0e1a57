/* transfers.h: for guests that try far transfers against the rules of the manual: the segment that is aimed at, the inner stacks, and what
 * RET and IRET demand alike of the code segment they return to. Included once, by a guest that has DEFINE_LANDING. */
#ifndef TRANSFERS_H
#define TRANSFERS_H

#include "landing.h"
#include "rules.h"

#define CODE_READABLE (S | 10)

static int strict;
static u32 inner_stack[3][128] __attribute__((aligned(16)));

/* A rule where QEMU 7.2 has another exception: with `strict` only. */
static u32 strictly(u32 should) { return strict ? should : outcome(); }

static void ready(void) {
  landed.count = 0;
  tss.ss1 = ring_data[1];
  tss.ss2 = ring_data[2];
  tss.esp1 = (u32)(inner_stack[1] + 128);
  tss.esp2 = (u32)(inner_stack[2] + 128);
}

static void target(u32 t, u32 level, u32 is_present) {
  set_descriptor(ANY, LANDING_BASE, 0xfffff, t | level << 5 | is_present << 7, 0xc);
}

/* The transfer that was run did as it should; if that is to arrive, in `ring`, this is 1. */
static int arrives(const char *name, u32 should, u32 ring) {
  compare(name, outcome(), should);
  compare("landed", landed.count, should == FAULT_NONE);
  if (should != FAULT_NONE) return 0;
  compare("cs", landed.cs, ANY | ring);
  compare("ss", landed.ss, ring_data[ring]);
  return 1;
}

/* What `form` of returns() pushes. */
static volatile u32 return_eip, return_cs, return_esp, return_ss;

static u32 return_rule(void) {
  if (rpl < cpl || !is_code(type)) return raises(VECTOR_GP, ANY);
  if (is_conforming(type) ? dpl > rpl : dpl != rpl) return raises(VECTOR_GP, ANY);
  return present ? FAULT_NONE : raises(VECTOR_NP, ANY);
}

/* Every code segment as the target of the return that `form` makes, and then six that are not there; the verdict on these is the caller's. */
static void returns(const char *name, u32 (*form)(void), u32 outer_esp) {
  return_eip = LANDING_OFFSET;
  for (type = 0; type < 32; type++)
    EVERY_LEVEL {
      ready();
      target(type, dpl, present);
      return_cs = ANY | rpl;
      return_ss = ring_data[rpl];
      return_esp = outer_esp;
      run_ring(cpl, form);
      if (arrives(name, return_rule(), rpl) && rpl > cpl) compare("esp", landed.esp, return_esp);
    }
  equal(name, wrong, 0);
  tried = wrong = 0;
  for (cpl = 0; cpl < 4; cpl += 3) {
    return_cs = cpl;
    expect("null", cpl, form, raises(VECTOR_GP, 0));
    return_cs = BEYOND | cpl;
    expect("beyond", cpl, form, raises(VECTOR_GP, BEYOND));
    return_cs = ANY | cpl;
    set_descriptor(ANY, LANDING_BASE, LANDING_OFFSET - 1, 0x9a | cpl << 5, 4);
    run_ring(cpl, form);
    compare("limit", outcome(), strictly(raises(VECTOR_GP, 0)));
  }
}

#endif
