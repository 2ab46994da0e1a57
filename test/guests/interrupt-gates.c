/* interrupt-gates.c: INT n, INT3, INTO, BOUND and INT1 through interrupt and trap gates of both widths, and IRET to the same level and
 * outwards: every type, DPL, RPL, CPL and present bit against the rules of the manual's pseudo-code; stacks, flags, error codes.
 * SDM vol. 2, INT n, IRET; vol. 3A 6.7-6.13. Task gates and nested tasks: tasks.c; virtual-8086 mode: virtual-8086.c.
 * Word `strict`: also what QEMU 7.2 does not do. */
#include "transfers.h"

#define STACK ANY_2
#define VECTOR 0x50
#define IDT_ERROR(vector) ((vector) * 8 + 2)

#define EFLAGS_TF 0x100u
#define EFLAGS_IF 0x200u
#define EFLAGS_NT 0x4000u
#define EFLAGS_AC 0x40000u
#define EFLAGS_ID 0x200000u

DEFINE_LANDING;
static u32 outer_stack[128];

static void usual_gate(u32 vector, u8 access) { set_gate(vector, (u32)isr_stubs + 16 * vector, KERNEL_CODE, access); }

/* ---- INT n ---- */

static volatile u32 flags_before;
static u32 int_n(void) {
  __asm__ volatile("int $0x50");
  return 0;
}
static u32 int_n_with_flags(void) {
  __asm__ volatile("pushl %0\n\tpopf\n\tint $0x50" : : "m"(flags_before) : "memory", "cc");
  return 0;
}

static u32 is_interrupt_gate(u32 t) { return t == 6 || t == 7 || t == 14 || t == 15; }

static void gate_types(void) {
  for (type = 0; type < 32; type++) {
    if (type == 5) continue;
    for (present = 0; present < 2; present++)
      for (dpl = 0; dpl < 4; dpl++)
        for (cpl = 0; cpl < 4; cpl++) {
          target(CODE_READABLE, 0, 1);
          ready();
          set_gate(VECTOR, LANDING_OFFSET, ANY | 3, type | dpl << 5 | present << 7);
          run_ring(cpl, int_n);
          u32 should = !is_interrupt_gate(type) || dpl < cpl ? raises(VECTOR_GP, IDT_ERROR(VECTOR))
                       : present                             ? FAULT_NONE
                                                             : raises(VECTOR_NP, IDT_ERROR(VECTOR));
          compare("gate", outcome(), should);
          compare("landed", landed.count, should == FAULT_NONE);
        }
  }
  verdict("gate-types", 31 * 2 * 4 * 4 * 2);
}

/* The code segment behind the gate, the stack that is built, and EFLAGS in the handler. */
static void gate_targets(void) {
  static const u8 types[] = {CODE_READABLE, S | 8, S | 12, S | 14, S | 2, 2};
  for (u32 gate = 6; gate < 16; gate += gate == 7 ? 7 : 1)
    for (u32 i = 0; i < sizeof types; i++)
      for (dpl = 0; dpl < 4; dpl++)
        for (present = 0; present < 2; present++)
          for (cpl = 0; cpl < 4; cpl++) {
            type = types[i];
            rpl = gate;
            target(type, dpl, present);
            ready();
            set_gate(VECTOR, LANDING_OFFSET, ANY | 3, gate | 0xe0);
            flags_before = 0x2 | (cpl == 0 ? EFLAGS_IF | EFLAGS_NT | 0x3000 : EFLAGS_NT) | EFLAGS_AC | 0x8d5;
            run_ring(cpl, int_n_with_flags);
            u32 should = FAULT_NONE;
            if (!is_code(type) || dpl > cpl) should = raises(VECTOR_GP, ANY);
            else if (!present) should = raises(VECTOR_NP, ANY);
            compare("target", outcome(), should);
            if (should != FAULT_NONE) continue;
            u32 level = is_conforming(type) ? cpl : dpl, wide = gate > 8, inner = level < cpl;
            const u16 *narrow = (const u16 *)landed_stack;
            u32 pushed = wide ? landed_stack[2] : narrow[2];
            compare("cs", landed.cs, ANY | level);
            compare("ss", landed.ss, ring_data[level]);
            compare("old cs", wide ? landed_stack[1] & 0xffff : narrow[1], ring_code[cpl]);
            compare("old flags", pushed & 0x4fd5, flags_before & 0x4fd5);
            if (wide) compare("old ac", pushed & EFLAGS_AC, EFLAGS_AC);
            if (cpl == 0) compare("old if", pushed & EFLAGS_IF, EFLAGS_IF);
            compare("nt tf", landed.eflags & (EFLAGS_NT | EFLAGS_TF), 0);
            compare("ac", landed.eflags & EFLAGS_AC, EFLAGS_AC);
            if (cpl == 0) compare("if", landed.eflags & EFLAGS_IF, gate & 1 ? EFLAGS_IF : 0);
            if (inner) compare("old ss", wide ? landed_stack[4] & 0xffff : narrow[4], ring_data[cpl]);
            if (inner && level) compare("esp", landed.esp, (u32)(inner_stack[level] + 128) - (wide ? 20 : 10));
          }
  equal("gate-targets", wrong, 0);
  check("  combinations", tried > 1000);
  tried = wrong = 0;

  set_gate(VECTOR, LANDING_OFFSET, 3, 0xee);
  run_ring(3, int_n);
  compare("null", outcome(), raises(VECTOR_GP, 0));
  set_gate(VECTOR, LANDING_OFFSET, BEYOND | 3, 0xee);
  run_ring(3, int_n);
  compare("beyond", outcome(), raises(VECTOR_GP, BEYOND));
  set_descriptor(ANY, LANDING_BASE, LANDING_OFFSET - 1, 0xfa, 4);
  set_gate(VECTOR, LANDING_OFFSET, ANY, 0xee);
  run_ring(3, int_n);
  compare("limit", outcome(), strictly(raises(VECTOR_GP, 0)));
  verdict("gate-target-errors", 3);
  if (!strict) return;
  static const u8 elsewhere[] = {0xcd, 0x81}; /* int 81h, where 32 bits of offset lead */
  __builtin_memcpy((void *)(LANDING_BASE + 0x700000 + LANDING_OFFSET), elsewhere, sizeof elsewhere);
  target(CODE_READABLE, 0, 1);
  set_gate(VECTOR, 0x700000 | LANDING_OFFSET, ANY, 0xe6);
  ready();
  run_ring(3, int_n);
  equal("gate-16-offset", landed.count, 1);
}

static void inner_stacks(void) {
  cpl = 3;
  for (u32 level = 1; level < 3; level++) {
    target(CODE_READABLE, level, 1);
    set_gate(VECTOR, LANDING_OFFSET, ANY, 0xee);
    for (type = 0; type < 32; type++)
      for (present = 0; present < 2; present++)
        for (dpl = 0; dpl < 4; dpl++)
          for (rpl = 0; rpl < 4; rpl++) {
            ready();
            u32 expands_down = (type & (S | 8 | 4)) == (S | 4);
            set_descriptor(STACK, 0, expands_down ? 0 : 0xfffff, type | dpl << 5 | present << 7, 0xc);
            tss.ss1 = tss.ss2 = STACK | rpl;
            run_ring(3, int_n);
            u32 should = rpl != level || dpl != level || !is_writable(type) ? raises(VECTOR_TS, STACK)
                         : present                                          ? FAULT_NONE
                                                                            : strictly(raises(VECTOR_SS, STACK));
            compare("inner stack", outcome(), should);
          }
    ready();
    tss.ss1 = tss.ss2 = 0;
    run_ring(3, int_n);
    compare("null", outcome(), raises(VECTOR_TS, 0));
    tss.ss1 = tss.ss2 = BEYOND | level;
    run_ring(3, int_n);
    compare("beyond", outcome(), raises(VECTOR_TS, BEYOND));
  }
  verdict("interrupt-inner-stacks", 2 * (32 * 2 * 4 * 4 + 2));
  ready();
}

/* ---- INT3, INTO, BOUND, INT1 ---- */

static u32 do_int3(void) {
  __asm__ volatile("int3");
  return 0;
}
static u32 do_into(void) {
  __asm__ volatile("movb $0x7f, %%al\n\taddb $1, %%al\n\tinto" : : : "eax", "cc");
  return 0;
}
static u32 do_into_not(void) {
  __asm__ volatile("xorl %%eax, %%eax\n\tinto" : : : "eax", "cc");
  return 7;
}
static const int bounds[2] = {-1, 3};
static u32 do_bound(void) {
  __asm__ volatile("movl $4, %%eax\n\tboundl %%eax, %0" : : "m"(bounds) : "eax");
  return 0;
}
static u32 do_bound_low(void) {
  __asm__ volatile("movl $-2, %%eax\n\tboundl %%eax, %0" : : "m"(bounds) : "eax");
  return 0;
}
static u32 do_bound_inside(void) {
  __asm__ volatile("movl $-1, %%eax\n\tboundl %%eax, %0\n\tmovl $3, %%eax\n\tboundl %%eax, %0" : : "m"(bounds) : "eax");
  return 7;
}
static u32 do_divide(void) {
  __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" : : : "eax", "ecx", "edx", "cc");
  return 0;
}
static u32 do_int1(void) {
  __asm__ volatile(".byte 0xf1");
  return 0;
}
static u32 do_ud2(void) {
  __asm__ volatile("ud2");
  return 0;
}

static void software_exceptions(void) {
  static const struct {
    const char *name;
    u32 (*function)(void);
    u32 vector, software;
  } cases[] = {{"int3", do_int3, VECTOR_BP, 1},   {"into", do_into, VECTOR_OF, 1},      {"bound", do_bound, VECTOR_BR, 0},
               {"bound", do_bound_low, VECTOR_BR, 0}, {"divide", do_divide, VECTOR_DE, 0}, {"ud2", do_ud2, VECTOR_UD, 0}};
  for (u32 i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (dpl = 0; dpl < 4; dpl++)
      for (cpl = 0; cpl < 4; cpl++)
        for (present = 0; present < 2; present++) {
          type = cases[i].vector;
          usual_gate(type, 0xe | dpl << 5 | present << 7);
          run_ring(cpl, cases[i].function);
          u32 error = type * 8 + 2 + !cases[i].software; /* EXT unless the program asked for it */
          u32 should = cases[i].software && dpl < cpl ? raises(VECTOR_GP, error)
                       : present                      ? raises(type, 0)
                                                      : raises(VECTOR_NP, error);
          /* QEMU sets no EXT. */
          if (type == VECTOR_DE && !present) should = raises(VECTOR_DF, 0);
          if (should & 1 && !strict && outcome() == (should & ~1u)) should = outcome();
          compare(cases[i].name, outcome(), should);
          usual_gate(type, 0x8e);
        }
  verdict("software-exceptions", 6 * 4 * 4 * 2);
  equal("into-no-overflow", run_ring(3, do_into_not), 7);
  equal("bound-inside", run_ring(3, do_bound_inside), 7);
  PROBE(".byte 0x62, 0xc0"); /* bound %eax, register */
  faulted("bound-register", VECTOR_UD, 0);

  if (!strict) return;
  for (cpl = 0; cpl < 4; cpl++) {
    usual_gate(VECTOR_DB, 0x8e); /* its DPL holds nothing back */
    run_ring(cpl, do_int1);
    compare("int1", outcome(), raises(VECTOR_DB, 0));
    compare("int1 eip", *(u8 *)(fault.eip - 1), 0xf1);
    usual_gate(VECTOR_DB, 0x0e);
    run_ring(cpl, do_int1);
    compare("int1", outcome(), raises(VECTOR_NP, VECTOR_DB * 8 + 3));
    usual_gate(VECTOR_DB, 0x8e);
  }
  verdict("int1", 4 * 3);
}

/* ---- IRET ---- */

static volatile u32 return_flags, before;
#define RETURN(name, push, instruction)                                                                        \
  static u32 name(void) {                                                                                      \
    __asm__ volatile(                                                                                          \
        "pushl %5\n\tpopf\n\t" push " %0\n\t" push " %1\n\t" push " %2\n\t" push " %3\n\t" push " %4\n\t" instruction \
        :                                                                                                      \
        : "m"(return_ss), "m"(return_esp), "m"(return_flags), "m"(return_cs), "m"(return_eip), "m"(before)     \
        : "memory", "cc");                                                                                     \
    return 0;                                                                                                  \
  }
RETURN(iret_32, "pushl", "iretl")
RETURN(iret_16, "pushw", "iretw")

static void irets(const char *name, const char *errors, u32 (*form)(void), u32 outer_esp) {
  return_flags = before = 2;
  returns(name, form, outer_esp);
  return_cs = ANY | 3;
  target(CODE_READABLE, 3, 1);
  return_ss = 3;
  run_ring(0, form);
  compare("null ss", outcome(), raises(VECTOR_GP, 0));
  return_ss = BEYOND | 3;
  run_ring(0, form);
  compare("ss beyond", outcome(), raises(VECTOR_GP, BEYOND));
  return_ss = USER_DATA & ~3;
  run_ring(0, form);
  compare("ss rpl", outcome(), raises(VECTOR_GP, USER_DATA & ~3));
  return_ss = KERNEL_DATA | 3;
  run_ring(0, form);
  compare("ss dpl", outcome(), raises(VECTOR_GP, KERNEL_DATA));
  return_ss = USER_CODE;
  run_ring(0, form);
  compare("ss code", outcome(), raises(VECTOR_GP, USER_CODE & ~3));
  verdict(errors, 11);
}

/* Which flags IRET loads depends on the level that executes it, not on the one it returns to. */
static u32 frame_of_iret(u32 (*form)(void), u32 flags, u32 level) {
  ready();
  return_flags = flags;
  return_cs = ANY | level;
  return_ss = ring_data[level];
  run_ring(cpl, form);
  return landed.eflags;
}

/* SDM vol. 3A 6.15, interrupt 12: so does every load of SS. */
static void iret_stack_not_present(void) {
  target(CODE_READABLE, 3, 1);
  return_cs = ANY | 3;
  set_descriptor(STACK, 0, 0xfffff, 0x72, 0xc);
  return_ss = STACK | 3;
  run_ring(0, iret_32);
  equal("iret-stack-not-present", outcome(), raises(VECTOR_SS, STACK));
}

static void iret_flags(void) {
  return_eip = LANDING_OFFSET;
  return_esp = 0x7000;
  const u32 all = 0x4ed5 | 0x3000 | EFLAGS_AC | EFLAGS_ID; /* TF is left out, VM, VIF and VIP too */
  for (u32 wide = 0; wide < 2; wide++)
    for (cpl = 0; cpl < 4; cpl++)
      for (u32 iopl = 0; iopl < 4; iopl++)
        for (rpl = cpl; rpl < 4; rpl++)
          for (u32 set = 0; set < 2; set++) {
            type = wide;
            dpl = iopl;
            target(CODE_READABLE, rpl, 1);
            u32 loads = 0x0cd5 | EFLAGS_NT | (wide ? EFLAGS_AC | EFLAGS_ID : 0);
            if (cpl <= iopl) loads |= EFLAGS_IF;
            if (cpl == 0) loads |= 0x3000;
            /* POPF in ring 3 can set neither IOPL nor IF: what the ring starts with is set here. */
            u32 start = 2 | iopl << 12 | (set ? 0 : 0xcd5 | EFLAGS_AC | EFLAGS_ID);
            u32 image = set ? all : 0;
            before = start;
            u32 flags, got;
            __asm__ volatile("pushl %0\n\tpopf" : : "r"(2 | iopl << 12) : "cc", "memory");
            got = frame_of_iret(wide ? iret_32 : iret_16, image | 2, rpl);
            flags = (start & ~loads) | (image & loads) | 2;
            compare("landed", landed.count, 1);
            compare("flags", got & (all | 2), flags & (all | 2));
          }
  verdict("iret-flags", 2 * (4 + 3 + 2 + 1) * 4 * 2 * 2);
}

void run(void) {
  strict = has_word("strict");
  outb(0x21, 0xff); /* IF is set at times: no interrupts */
  outb(0xa1, 0xff);
  extend_gdt();
  gate_types();
  gate_targets();
  inner_stacks();
  software_exceptions();
  irets("iret", "iret-errors", iret_32, (u32)(outer_stack + 128));
  irets("iret-16", "iret-16-errors", iret_16, 0x7000);
  iret_flags();
  if (strict) iret_stack_not_present();
}
