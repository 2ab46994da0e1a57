/* double-faults.c: an exception whose delivery raises another: which pairs make a double fault, which are served one after the other, and
 * with which error codes. The first is raised in ring 3; its handler is in ring 1, with the gate or the stack broken in some way.
 * SDM vol. 3A 6.13, 6.15 (interrupt 8, tables 6-4 and 6-5). The double fault through a task gate: interrupts.c; shutdown: triple.S.
 * Word `strict`: also the EXT bit of error codes, which QEMU 7.2 does not set, and a stack segment that is not present. */
#include "landing.h"
#include "rules.h"

#define CODE_READABLE (S | 10)
#define BAD_STACK ANY_2
#define BAD_DATA ANY_3
#define HOLE (AREA + 0x5000) /* a page that is not present */
#define HELPER 0x51          /* a software interrupt whose stack is bad */
#include "hole.h"

DEFINE_LANDING;
static int strict;
static u32 inner_stack[128] __attribute__((aligned(16)));

/* ---- the first exception ---- */

static u32 do_divide(void) {
  __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" : : : "eax", "ecx", "edx", "cc");
  return 0;
}
static u32 do_bound(void) {
  static const u32 bounds[2] = {0, 1};
  __asm__ volatile("boundl %0, %1" : : "r"(7), "m"(bounds));
  return 0;
}
static u32 do_ud2(void) {
  __asm__ volatile("ud2");
  return 0;
}
static u32 do_cli(void) {
  __asm__ volatile("cli");
  return 0;
}
static u32 do_load(void) {
  __asm__ volatile("movw %w0, %%fs" : : "r"(BAD_DATA | 3));
  return 0;
}
static u32 do_load_ss(void) {
  __asm__ volatile("movw %w0, %%ss" : : "r"(BAD_DATA | 3));
  return 0;
}
static u32 do_helper(void) {
  __asm__ volatile("int $0x51");
  return 0;
}
static u32 do_touch(void) { return *(volatile u32 *)HOLE; }

static const struct {
  const char *name;
  u32 (*function)(void);
  u32 vector;
} firsts[] = {
    {"ud", do_ud2, VECTOR_UD},  {"br", do_bound, VECTOR_BR},   {"de", do_divide, VECTOR_DE}, {"ts", do_helper, VECTOR_TS},
    {"np", do_load, VECTOR_NP}, {"ss", do_load_ss, VECTOR_SS}, {"gp", do_cli, VECTOR_GP},    {"pf", do_touch, VECTOR_PF},
};

/* ---- the second ---- */

static const u32 seconds[] = {VECTOR_NP, VECTOR_GP, VECTOR_TS, VECTOR_SS, VECTOR_PF};

static void usual_gate(u32 vector) { set_gate(vector, (u32)isr_stubs + 16 * vector, KERNEL_CODE, 0x8e); }

static void prepare(void) {
  tss.ss1 = ring_data[1];
  tss.esp1 = (u32)(inner_stack + 128);
  tss.ss2 = 3; /* HELPER's */
  set_descriptor(ANY, LANDING_BASE, 0xfffff, CODE_READABLE | 1 << 5 | P, 0xc);
  set_descriptor(BAD_STACK, 0, 0xfffff, 0x32, 0xc); /* not present, DPL 1 */
  set_descriptor(BAD_DATA, 0, 0xfffff, 0x72, 0xc);  /* not present, DPL 3 */
  for (u32 vector = 0; vector < 20; vector++) usual_gate(vector);
  set_gate(HELPER, 0, ring_code[2], 0xee);
}

/* Delivery of `vector` raises `second`; the result is the error code, without EXT. */
static u32 break_delivery(u32 vector, u32 second) {
  set_gate(vector, LANDING_OFFSET, ANY, 0xee);
  switch (second) {
    case VECTOR_NP: set_gate(vector, LANDING_OFFSET, ANY, 0x6e); return vector * 8 + 2;
    case VECTOR_GP: set_gate(vector, LANDING_OFFSET, ANY, 0x82); return vector * 8 + 2;
    case VECTOR_TS: tss.ss1 = 1; return 0;
    case VECTOR_SS: tss.ss1 = BAD_STACK | 1; return BAD_STACK;
    default: tss.esp1 = HOLE + 4096; return 2; /* a write by the supervisor to a page that is not there */
  }
}

static u32 is_contributory(u32 vector) {
  return vector == VECTOR_DE || vector == VECTOR_TS || vector == VECTOR_NP || vector == VECTOR_SS || vector == VECTOR_GP;
}

static void pairs(void) {
  for (u32 i = 0; i < sizeof firsts / sizeof firsts[0]; i++)
    for (u32 j = 0; j < sizeof seconds / sizeof seconds[0]; j++) {
      u32 first = firsts[i].vector, second = seconds[j];
      prepare();
      u32 error = break_delivery(first, second);
      landed.count = 0;
      run_ring(3, firsts[i].function);
      u32 is_double = is_contributory(first) ? is_contributory(second) : first == VECTOR_PF;
      u32 got = outcome(), should = is_double ? raises(VECTOR_DF, 0) : raises(second, error | (second == VECTOR_PF ? 0 : 1));
      if (!strict && !is_double && second != VECTOR_PF) got |= 1;
      if (!strict && second == VECTOR_SS && !is_double) got = should;
      type = first;
      rpl = second;
      compare(firsts[i].name, got, should);
      compare("landed", landed.count, 0);
      if (second == VECTOR_PF && !is_double) compare("cr2", fault.cr2, HOLE + 4096 - 4);
      if (first == VECTOR_PF && second != VECTOR_PF) compare("first cr2", fault.cr2, HOLE);
    }
  prepare();
  verdict("pairs", 8 * 5 * 2 + 7 + 4);

  /* A benign one, then two contributory ones. */
  prepare();
  break_delivery(VECTOR_UD, VECTOR_NP);
  break_delivery(VECTOR_NP, VECTOR_NP);
  run_ring(3, do_ud2);
  equal("third-makes-double", outcome(), raises(VECTOR_DF, 0));
  /* A software interrupt is not an exception. */
  prepare();
  break_delivery(HELPER, VECTOR_NP);
  run_ring(3, do_helper);
  equal("software-interrupt", outcome(), raises(VECTOR_NP, HELPER * 8 + 2));
  break_delivery(VECTOR_NP, VECTOR_GP);
  run_ring(3, do_helper);
  equal("software-interrupt-double", outcome(), raises(VECTOR_DF, 0));
  prepare();
}

/* Descriptors and TSS are read by the supervisor, whatever the ring, and a fault there is a page fault of the supervisor. */
static u32 do_load_hole(void) {
  __asm__ volatile("movw %w0, %%fs" : : "r"(7));
  return 0;
}
static void tables(void) {
  set_descriptor(ANY_2, HOLE, 0xfff, 0x82, 0);
  __asm__ volatile("lldt %w0" : : "r"(ANY_2));
  run_ring(3, do_load_hole);
  equal("ldt-not-present", outcome(), raises(VECTOR_PF, 0));
  equal("ldt-not-present-cr2", fault.cr2, HOLE);
  /* The accessed bit is written by the supervisor too: with CR0.WP a read-only page refuses it. */
  *(u64 *)AREA = gdt[USER_DATA / 8] & ~(1ull << 40);
  set_descriptor(ANY_2, AREA, 0xfff, 0x82, 0);
  __asm__ volatile("lldt %w0" : : "r"(ANY_2));
  table[0] = AREA | 1; /* read-only, supervisor */
  write_cr0(read_cr0() | 0x10000);
  invlpg(AREA);
  run_ring(3, do_load_hole);
  equal("accessed-read-only", outcome(), raises(VECTOR_PF, 3));
  write_cr0(read_cr0() & ~0x10000);
  invlpg(AREA);
  run_ring(3, do_load_hole);
  equal("accessed-without-wp", outcome(), FAULT_NONE);
  equal("accessed-written", (u32)(*(u64 *)AREA >> 40) & 0xff, 0xf3);
  __asm__ volatile("lldt %w0" : : "r"(0));
}

void run(void) {
  strict = has_word("strict");
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  extend_gdt();
  paging();
  pairs();
  tables();
}
