/* tasks.c: hardware task switches by JMP, CALL, interrupt and IRET between TSSs of both widths: who may switch, what is saved and loaded,
 * busy bits, link, NT and TS, and the exceptions before and behind the point of no return. Those behind it are met through task gates:
 * the new task's own segments are what is wrong.
 * SDM vol. 3A ch. 7 (7.2-7.5, table 7-1), 17.2.4, 17.3.1.5; vol. 2, CALL, JMP, INT n, IRET.
 * Word `strict`: also flags and EIP as they are saved, the limit of CS and the T bit, which QEMU 7.2 has its own way with. */
#include "rules.h"

#define NEW ANY
#define NEW_GATE ANY_2
#define SEGMENT ANY_3
#define LOCAL (EXTENDED + 24)
#define OLD_16 (EXTENDED + 32)
#define FAULT_TASK(vector) (EXTENDED + 40 + ((vector)-10) * 8) /* 10 to 13 */
#define STACK_16 (EXTENDED + 72)
#define VECTOR 0x50
#define EFLAGS_NT 0x4000u
#define EFLAGS_VM 0x20000u
#define CR0_TS 8u
#define GP(error) (VECTOR_GP << 16 | (error))
#define TS(error) (VECTOR_TS << 16 | (error))
#define NP(error) (VECTOR_NP << 16 | (error))
#define SS(error) (VECTOR_SS << 16 | (error))
#define TSS_AVAILABLE 9
#define TSS_BUSY 11

struct tss16 {
  u16 link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
} __attribute__((packed));
struct tss32 { /* without a bitmap */
  u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
  u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
  u32 es, cs, ss, ds, fs, gs, ldt, trap;
};

static int strict;
static struct tss32 new_32, fault_32[4];
static struct tss16 new_16, old_16;
static u32 new_stack[64], kernel_stack[256], fault_stack[64];
static u64 local[2];

/* Where tasks begin: note everything and leave. What faults here is noted too: see `fault_landing`. */
volatile struct {
  u32 eax, ecx, edx, ebx, esp, ebp, esi, edi, es, cs, ss, ds, fs, gs, eflags, tr, ldt, top, count;
} arrived;
volatile struct {
  u32 vector, error, link, count;
} behind;
extern char task_landing[], fault_landing[];
__asm__(
    ".text\n"
    "task_landing:\n\t"
    "movl %eax, %ss:arrived\n\tmovl %ecx, %ss:arrived + 4\n\tmovl %edx, %ss:arrived + 8\n\tmovl %ebx, %ss:arrived + 12\n\t"
    "movl %esp, %ss:arrived + 16\n\tmovl %ebp, %ss:arrived + 20\n\tmovl %esi, %ss:arrived + 24\n\tmovl %edi, %ss:arrived + 28\n\t"
    "pushf\n\tpopl %ss:arrived + 56\n\t"
    "mov %es, %eax\n\tmovl %eax, %ss:arrived + 32\n\tmov %cs, %eax\n\tmovl %eax, %ss:arrived + 36\n\t"
    "mov %ss, %eax\n\tmovl %eax, %ss:arrived + 40\n\tmov %ds, %eax\n\tmovl %eax, %ss:arrived + 44\n\t"
    "mov %fs, %eax\n\tmovl %eax, %ss:arrived + 48\n\tmov %gs, %eax\n\tmovl %eax, %ss:arrived + 52\n\t"
    "str %eax\n\tmovl %eax, %ss:arrived + 60\n\tsldt %eax\n\tmovl %eax, %ss:arrived + 64\n\t"
    "movl (%esp), %eax\n\tmovl %eax, %ss:arrived + 68\n\t"
    "incl %ss:arrived + 72\n\t"
    "cmpl $0xb8, %ss:arrived + 40\n\tjne 1f\n\tmovzwl %sp, %esp\n1:\t" /* STACK_16 */
    "movl $1, %eax\n\tint $0x81\n"
    "fault_landing:\n\t" /* EBX holds the vector, ESI the task's TSS */
    "movl %ebx, behind\n\tpopl behind + 4\n\tmovl (%esi), %eax\n\tmovl %eax, behind + 8\n\tincl behind + 12\n\t"
    "movl $2, %eax\n\tint $0x81\n");

static u32 busy(u16 selector) { return access_byte(selector) & 0x1f; }

/* A rule where QEMU 7.2 has another exception: with `strict` only. */
static u32 strictly(u32 should) { return strict ? should : outcome(); }

static void fill_32(struct tss32 *t, char *entry, u32 *stack_end) {
  __builtin_memset(t, 0, sizeof *t);
  t->eip = (u32)entry;
  t->eflags = 2;
  t->eax = 0x11111111;
  t->ecx = 0x22222222;
  t->edx = 0x33333333;
  t->ebx = 0x44444444;
  t->esp = (u32)stack_end;
  t->ebp = 0x55555555;
  t->esi = 0x66666666;
  t->edi = 0x77777777;
  t->cs = KERNEL_CODE;
  t->es = t->ss = t->ds = KERNEL_DATA;
  t->esp0 = (u32)(kernel_stack + 256);
  t->ss0 = KERNEL_DATA;
}

static void describe(u16 selector, const volatile void *base, u32 limit, u8 access) {
  set_descriptor(selector, (u32)base, limit, access, 0);
}

/* The first task as it was: in its TSS, with nothing of another left. */
static void recover(void) {
  describe(TASK, &tss, sizeof tss - 1, P | TSS_AVAILABLE);
  tss.link = 0;
  tss.ldt = 0;
  __asm__ volatile("lldt %w0\n\tltr %w1\n\tclts\n\tpushl $2\n\tpopf" : : "r"(0), "r"(TASK) : "cc");
}

static void ready(void) {
  recover();
  arrived.count = behind.count = 0;
  fill_32(&new_32, task_landing, new_stack + 32);
  new_32.fs = KERNEL_DATA;
  describe(NEW, &new_32, sizeof new_32 - 1, P | TSS_AVAILABLE);
  gdt[NEW_GATE / 8] = (u32)NEW << 16 | (u64)(P | 5) << 40;
  for (u32 i = 0; i < 4; i++) {
    fill_32(&fault_32[i], fault_landing, fault_stack + 64);
    fault_32[i].ebx = 10 + i;
    fault_32[i].esi = (u32)&fault_32[i];
    fault_32[i].cr3 = new_32.cr3;
    describe(FAULT_TASK(10 + i), &fault_32[i], sizeof fault_32[i] - 1, P | TSS_AVAILABLE);
  }
}

static void usual_gates(void) {
  for (u32 vector = 10; vector < 14; vector++) set_gate(vector, (u32)isr_stubs + 16 * vector, KERNEL_CODE, 0x8e);
}
static void fault_gates(void) {
  for (u32 vector = 10; vector < 14; vector++) set_gate(vector, 0, FAULT_TASK(vector), 0x85);
}

static volatile struct {
  u32 offset;
  u16 selector;
} __attribute__((packed)) far_pointer;
static u32 jump(void) {
  __asm__ volatile("ljmpl *%0" : : "m"(far_pointer));
  return 0;
}
static u32 call(void) {
  __asm__ volatile("lcalll *%0" : : "m"(far_pointer));
  return 0;
}
static u32 int_n(void) {
  __asm__ volatile("int $0x50");
  return 0;
}
static u32 iret_nested(void) {
  __asm__ volatile("pushf\n\torl $0x4000, (%%esp)\n\tpopf\n\tiretl" : : : "cc", "memory");
  return 0;
}

/* ---- who may switch ---- */

static void permissions(void) {
  static const u8 types[] = {TSS_AVAILABLE, TSS_BUSY};
  u32 (*const forms[])(void) = {jump, call};
  for (u32 form = 0; form < 2; form++)
    for (u32 i = 0; i < sizeof types; i++)
      for (present = 0; present < 2; present++)
        for (dpl = 0; dpl < 4; dpl++)
          for (rpl = 0; rpl < 4; rpl++)
            for (cpl = 0; cpl < 4; cpl++) {
              ready();
              type = types[i];
              describe(NEW, &new_32, sizeof new_32 - 1, type | dpl << 5 | present << 7);
              far_pointer.selector = NEW | rpl;
              run_ring(cpl, forms[form]);
              u32 should = dpl < cpl || dpl < rpl || type & 2 ? raises(VECTOR_GP, NEW) : present ? FAULT_NONE : raises(VECTOR_NP, NEW);
              compare(form ? "call" : "jmp", outcome(), should);
              compare("arrived", arrived.count, should == FAULT_NONE);
              compare("busy", busy(NEW), type | (should == FAULT_NONE ? 2 : 0));
            }
  verdict("to-tss", 2 * 2 * 2 * 4 * 4 * 4 * 3);

  for (u32 form = 0; form < 3; form++)
    for (present = 0; present < 2; present++)
      for (dpl = 0; dpl < 4; dpl++)
        for (rpl = 0; rpl < 4; rpl++)
          for (cpl = 0; cpl < 4; cpl++) {
            ready();
            type = 5;
            gdt[NEW_GATE / 8] = (u32)(NEW | 3) << 16 | (u64)(5 | dpl << 5 | present << 7) << 40;
            idt[VECTOR] = gdt[NEW_GATE / 8];
            far_pointer.selector = NEW_GATE | rpl;
            u32 error = form == 2 ? VECTOR * 8 + 2 : NEW_GATE;
            u32 refused = dpl < cpl || (form < 2 && dpl < rpl);
            run_ring(cpl, form == 0 ? jump : form == 1 ? call : int_n);
            u32 should = refused ? raises(VECTOR_GP, error) : present ? FAULT_NONE : raises(VECTOR_NP, error);
            compare("task gate", outcome(), should);
            compare("arrived", arrived.count, should == FAULT_NONE);
          }
  verdict("to-task-gate", 3 * 2 * 4 * 4 * 4 * 2);

  /* What a task gate, or the link of a TSS, may name. */
  static const struct {
    const char *name;
    u32 selector, access, limit, gate, iret; /* outcomes */
  } cases[] = {
      {"null", 0, P | 9, 0x67, GP(0), TS(0)},
      {"local", NEW | 4, P | 9, 0x67, GP(NEW | 4), TS(NEW | 4)},
      {"beyond", BEYOND, P | 9, 0x67, GP(BEYOND), TS(BEYOND)},
      {"code", KERNEL_CODE, P | 9, 0x67, GP(KERNEL_CODE), TS(KERNEL_CODE)},
      {"available", NEW, P | 9, 0x67, FAULT_NONE, TS(NEW)},
      {"busy", NEW, P | 11, 0x67, GP(NEW), FAULT_NONE},
      {"ldt", NEW, P | 2, 0x67, GP(NEW), TS(NEW)},
      {"gate", NEW, P | 5, 0x67, GP(NEW), TS(NEW)},
      {"short", NEW, P | 9, 0x66, TS(NEW), TS(NEW)},
      {"short-busy", NEW, P | 11, 0x66, GP(NEW), TS(NEW)},
      {"not-present", NEW, 9, 0x67, NP(NEW), TS(NEW)},
      {"not-present-busy", NEW, 11, 0x67, GP(NEW), NP(NEW)},
  };
  for (u32 i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (u32 form = 0; form < 4; form++) {
      ready();
      describe(NEW, &new_32, cases[i].limit, cases[i].access);
      gdt[NEW_GATE / 8] = cases[i].selector << 16 | (u64)(P | 5) << 40;
      idt[VECTOR] = gdt[NEW_GATE / 8];
      tss.link = cases[i].selector;
      far_pointer.selector = NEW_GATE;
      type = i;
      rpl = form;
      run_ring(0, form == 0 ? jump : form == 1 ? call : form == 2 ? int_n : iret_nested);
      u32 should = form == 3 ? cases[i].iret : cases[i].gate;
      if (cases[i].selector & 4) should = strictly(should);
      compare(cases[i].name, outcome(), should);
      compare("arrived", arrived.count, should == FAULT_NONE);
      if (should == FAULT_NONE) continue;
      u32 tr;
      __asm__ volatile("str %0" : "=r"(tr));
      compare("tr stays", tr & 0xffff, TASK);
      compare("ts stays", read_cr0() & CR0_TS, 0);
      compare("busy stays", busy(TASK), TSS_BUSY);
      if (cases[i].selector == NEW) compare("new stays", access_byte(NEW), cases[i].access);
    }
  equal("refused", wrong, 0);
  tried = wrong = 0;
}

/* ---- what is saved and loaded ---- */

static u32 before_eflags;
/* Switches with known registers; the address behind it is known too. */
#define SWITCH(name, instruction)                                                                                          \
  static u32 name(void) {                                                                                                  \
    __asm__ volatile(                                                                                                      \
        "movl $0xa1a1a1a1, %%eax\n\tmovl $0xa2a2a2a2, %%ecx\n\tmovl $0xa3a3a3a3, %%edx\n\tmovl $0xa4a4a4a4, %%ebx\n\t"       \
        "movl $0xa6a6a6a6, %%esi\n\tmovl $0xa7a7a7a7, %%edi\n\tstc\n\t" instruction "\n\t.globl " #name "_next\n" #name "_next:" \
        :                                                                                                                  \
        : "m"(far_pointer)                                                                                                 \
        : "eax", "ecx", "edx", "ebx", "esi", "edi", "memory", "cc");                                                       \
    return 0;                                                                                                              \
  }                                                                                                                        \
  extern char name##_next[];
SWITCH(switch_jump, "ljmpl *%0")
SWITCH(switch_call, "lcalll *%0")
SWITCH(switch_int, "int $0x50")
SWITCH(switch_iret, "pushf\n\torl $0x4000, (%%esp)\n\tpopf\n\tstc\n\tiretl")

enum { JUMP, CALL, INT, IRET };
static const struct {
  u32 (*function)(void);
  char *next;
} switches[] = {{switch_jump, switch_jump_next}, {switch_call, switch_call_next}, {switch_int, switch_int_next}, {switch_iret, switch_iret_next}};

static void states(void) {
  for (u32 form = JUMP; form <= IRET; form++)
    for (u32 from_16 = 0; from_16 < 2; from_16++)
      for (u32 to_16 = 0; to_16 < 2; to_16++) {
        ready();
        type = form;
        dpl = from_16;
        rpl = to_16;
        u32 old = from_16 ? OLD_16 : TASK;
        __builtin_memset(&old_16, 0xee, sizeof old_16);
        if (from_16) {
          old_16.link = NEW;
          describe(OLD_16, &old_16, sizeof old_16 - 1, P | 1);
          __asm__ volatile("ltr %w0" : : "r"(OLD_16));
        }
        u32 nested = form == IRET;
        set_descriptor(LOCAL, (u32)local, sizeof local - 1, P | 2, 0);
        tss.link = NEW;
        tss.ldt = 0xeeee;
        tss.cr3 = 0xeeeeeeee;
        __asm__ volatile("lldt %w0\n\tmovw %w1, %%fs" : : "r"(LOCAL), "r"(USER_DATA & ~3));
        new_32.eflags = 0x8d5 | 2;
        new_32.ldt = LOCAL;
        new_32.gs = USER_DATA;
        new_32.link = 0x1234;
        if (to_16) {
          set_descriptor(SEGMENT, (u32)task_landing & 0xffff0000, 0xfffff, 0x9a, 0xc);
          new_16 = (struct tss16){.link = 0x1234, .ip = (u32)task_landing, .flags = 0x8d7, .ax = 0x1111, .cx = 0x2222, .dx = 0x3333,
                                  .bx = 0x4444, .sp = 0x7000, .bp = 0x5555, .si = 0x6666, .di = 0x7777, .es = KERNEL_DATA,
                                  .cs = SEGMENT, .ss = STACK_16, .ds = KERNEL_DATA, .ldt = LOCAL};
          set_descriptor(STACK_16, 0, 0xfffff, 0x92, 8);
          describe(NEW, &new_16, sizeof new_16 - 1, P | 1 | (nested ? 2 : 0));
        } else {
          describe(NEW, &new_32, sizeof new_32 - 1, P | 9 | (nested ? 2 : 0));
        }
        idt[VECTOR] = gdt[NEW_GATE / 8];
        far_pointer.selector = NEW;
        __asm__ volatile("pushf\n\tpopl %0" : "=m"(before_eflags));
        run_ring(0, switches[form].function);
        compare("outcome", outcome(), FAULT_NONE);
        compare("arrived", arrived.count, 1);

        /* Registers of the new task. Those of 16 bits: the upper halves are undefined. */
        u32 mask = to_16 ? 0xffff : 0xffffffff;
        compare("eax", arrived.eax & mask, 0x11111111 & mask);
        compare("ecx", arrived.ecx & mask, 0x22222222 & mask);
        compare("edx", arrived.edx & mask, 0x33333333 & mask);
        compare("ebx", arrived.ebx & mask, 0x44444444 & mask);
        compare("ebp", arrived.ebp & mask, 0x55555555 & mask);
        compare("esi", arrived.esi & mask, 0x66666666 & mask);
        compare("edi", arrived.edi & mask, 0x77777777 & mask);
        compare("esp", arrived.esp & mask, to_16 ? 0x7000 : (u32)(new_stack + 32));
        compare("cs", arrived.cs, to_16 ? SEGMENT : KERNEL_CODE);
        compare("ss", arrived.ss, to_16 ? STACK_16 : KERNEL_DATA);
        compare("ds", arrived.ds, KERNEL_DATA);
        compare("es", arrived.es, KERNEL_DATA);
        compare("fs", arrived.fs, to_16 ? 0 : KERNEL_DATA);
        compare("gs", arrived.gs, to_16 ? 0 : USER_DATA);
        compare("ldt", arrived.ldt & 0xffff, LOCAL);
        compare("tr", arrived.tr & 0xffff, NEW);
        compare("flags", arrived.eflags & 0x8d5, 0x8d5);
        compare("nt", arrived.eflags & EFLAGS_NT, form == CALL || form == INT ? EFLAGS_NT : 0);
        compare("ts", read_cr0() & CR0_TS, CR0_TS);

        /* Busy bits and the link. */
        compare("new busy", busy(NEW), (to_16 ? 1 : 9) | 2);
        compare("old busy", busy(old), (from_16 ? 1 : 9) | (form == CALL || form == INT ? 2 : 0));
        u32 link = to_16 ? new_16.link : new_32.link & 0xffff;
        compare("link", link, form == CALL || form == INT ? old : 0x1234);

        /* The old task as it was saved; and nothing else of its TSS. */
        u32 next = (u32)switches[form].next;
        if (from_16) {
          compare("old ip", old_16.ip, next & 0xffff);
          compare("old ax", old_16.ax, 0xa1a1);
          compare("old cx", old_16.cx, 0xa2a2);
          compare("old di", old_16.di, 0xa7a7);
          compare("old cs", old_16.cs, KERNEL_CODE);
          compare("old ds", old_16.ds, KERNEL_DATA);
          compare("old ss", old_16.ss, KERNEL_DATA);
          if (strict) compare("old cf", old_16.flags & 1, 1);
          compare("old nt", old_16.flags & EFLAGS_NT, 0);
          compare("old ldt", old_16.ldt, 0xeeee);
          compare("old link", old_16.link, NEW);
          compare("old sp0", old_16.sp0, 0xeeee);
        } else {
          compare("old eip", tss.eip, next);
          compare("old eax", tss.eax, 0xa1a1a1a1);
          compare("old ecx", tss.ecx, 0xa2a2a2a2);
          compare("old edi", tss.edi, 0xa7a7a7a7);
          compare("old cs", tss.cs & 0xffff, KERNEL_CODE);
          compare("old ds", tss.ds & 0xffff, KERNEL_DATA);
          compare("old ss", tss.ss & 0xffff, KERNEL_DATA);
          compare("old fs", tss.fs & 0xffff, USER_DATA & ~3);
          if (strict) compare("old cf", tss.eflags & 1, 1);
          compare("old nt", tss.eflags & EFLAGS_NT, 0);
          compare("old ldt", tss.ldt, 0xeeee);
          compare("old cr3", tss.cr3, 0xeeeeeeee);
          compare("old link", tss.link, NEW);
        }
      }
  equal("states", wrong, 0);
  check("  combinations", tried > 500);
  tried = wrong = 0;
  recover();
}

/* ---- what is wrong with the new task ---- */

enum { LDT_FIELD, CS_FIELD, SS_FIELD, DS_FIELD, ES_FIELD, FS_FIELD, GS_FIELD };

static const struct wrong_segment {
  const char *name;
  u32 field, selector, access, should; /* `access` of SEGMENT */
} segments_of[] = {
    {"ldt-local", LDT_FIELD, LOCAL | 4, 0, TS(LOCAL | 4)},
    {"ldt-beyond", LDT_FIELD, BEYOND, 0, TS(BEYOND)},
    {"ldt-data", LDT_FIELD, KERNEL_DATA, 0, TS(KERNEL_DATA)},
    {"ldt-not-present", LDT_FIELD, SEGMENT, 0x02, TS(SEGMENT)},
    {"cs-null", CS_FIELD, 0, 0, TS(0)},
    {"cs-beyond", CS_FIELD, BEYOND, 0, TS(BEYOND)},
    {"cs-no-ldt", CS_FIELD, SEGMENT | 4, 0, TS(SEGMENT | 4)},
    {"cs-data", CS_FIELD, SEGMENT, 0x92, TS(SEGMENT)},
    {"cs-system", CS_FIELD, SEGMENT, 0x82, TS(SEGMENT)},
    {"cs-dpl", CS_FIELD, SEGMENT, 0xfa, TS(SEGMENT)},
    {"cs-rpl", CS_FIELD, SEGMENT | 3, 0x9a, TS(SEGMENT)},
    {"cs-conforming-dpl", CS_FIELD, SEGMENT, 0xbe, TS(SEGMENT)},
    {"cs-not-present", CS_FIELD, SEGMENT, 0x1a, NP(SEGMENT)},
    {"ss-null", SS_FIELD, 0, 0, TS(0)},
    {"ss-beyond", SS_FIELD, BEYOND, 0, TS(BEYOND)},
    {"ss-code", SS_FIELD, SEGMENT, 0x9a, TS(SEGMENT)},
    {"ss-read-only", SS_FIELD, SEGMENT, 0x90, TS(SEGMENT)},
    {"ss-dpl", SS_FIELD, SEGMENT, 0xf2, TS(SEGMENT)},
    {"ss-rpl", SS_FIELD, SEGMENT | 3, 0x92, TS(SEGMENT)},
    {"ss-not-present", SS_FIELD, SEGMENT, 0x12, SS(SEGMENT)},
    {"ds-beyond", DS_FIELD, BEYOND | 3, 0, TS(BEYOND)},
    {"ds-no-ldt", DS_FIELD, SEGMENT | 4, 0, TS(SEGMENT | 4)},
    {"ds-system", DS_FIELD, SEGMENT, 0x89, TS(SEGMENT)},
    {"ds-execute-only", DS_FIELD, SEGMENT, 0x98, TS(SEGMENT)},
    {"ds-rpl", DS_FIELD, SEGMENT | 3, 0x92, TS(SEGMENT)},
    {"ds-not-present", DS_FIELD, SEGMENT, 0x12, NP(SEGMENT)},
    {"es-beyond", ES_FIELD, BEYOND, 0, TS(BEYOND)},
    {"es-not-present", ES_FIELD, SEGMENT, 0x12, NP(SEGMENT)},
    {"fs-system", FS_FIELD, SEGMENT, 0x82, TS(SEGMENT)},
    {"fs-not-present", FS_FIELD, SEGMENT, 0x1e, NP(SEGMENT)},
    {"gs-execute-only", GS_FIELD, SEGMENT, 0x9c, TS(SEGMENT)},
    {"gs-not-present", GS_FIELD, SEGMENT, 0x10, NP(SEGMENT)},
    {"ds-null", DS_FIELD, 3, 0, FAULT_NONE},
    {"gs-conforming", GS_FIELD, SEGMENT | 3, 0x9e, FAULT_NONE},
    {"cs-conforming", CS_FIELD, SEGMENT, 0x9e, FAULT_NONE},
};

static void wrong_tasks(void) {
  u32 (*const forms[])(void) = {jump, call, int_n, iret_nested};
  for (u32 i = 0; i < sizeof segments_of / sizeof segments_of[0]; i++)
    for (u32 form = JUMP; form <= IRET; form++) {
      const struct wrong_segment *w = &segments_of[i];
      ready();
      set_descriptor(SEGMENT, 0, 0xfffff, w->access, 0xc);
      u32 *const fields[] = {&new_32.ldt, &new_32.cs, &new_32.ss, &new_32.ds, &new_32.es, &new_32.fs, &new_32.gs};
      *fields[w->field] = w->selector;
      if (w->field == CS_FIELD && w->selector & 3) new_32.ss = new_32.ds = new_32.es = new_32.fs = USER_DATA; /* right for that CPL */
      if (form == IRET) describe(NEW, &new_32, sizeof new_32 - 1, P | TSS_BUSY);
      tss.link = NEW;
      idt[VECTOR] = gdt[NEW_GATE / 8];
      far_pointer.selector = NEW;
      fault_gates();
      run_ring(0, forms[form]);
      usual_gates();
      type = i;
      rpl = form;
      u32 got = behind.count ? behind.vector << 16 | behind.error : outcome();
      compare(w->name, got, w->should == SS(SEGMENT) && !strict ? got : w->should);
      compare("arrived", arrived.count, w->should == FAULT_NONE);
      if (w->should == FAULT_NONE) continue;
      compare("in the new task", behind.link & 0xffff, NEW);
      if (strict) compare("its eip", new_32.eip, (u32)task_landing);
      compare("old busy", busy(TASK), form == JUMP || form == IRET ? TSS_AVAILABLE : TSS_BUSY);
    }
  equal("wrong-segments", wrong, 0);
  check("  combinations", tried > 500);
  tried = wrong = 0;

  if (strict) {
    ready();
    set_descriptor(SEGMENT, 0, 0xfff, 0x9a, 4);
    new_32.cs = SEGMENT;
    far_pointer.selector = NEW;
    fault_gates();
    run_ring(0, jump);
    usual_gates();
    equal("eip-limit", behind.vector << 16 | behind.error, GP(0));
    equal("eip-limit-count", behind.count, 1);
  }
}

static u32 do_load_beyond(void) {
  __asm__ volatile("movw %w0, %%fs" : : "r"(BEYOND));
  return 0;
}

/* ---- the rest ---- */

static u32 read_dr6(void) {
  u32 value;
  __asm__ volatile("mov %%dr6, %0" : "=r"(value));
  return value;
}

static u32 directory[2][1024] __attribute__((aligned(4096)));
static u32 table[1024] __attribute__((aligned(4096)));

static void trap_bit(void) {
  /* Before the first instruction of the new task. */
  far_pointer.selector = NEW;
  ready();
  new_32.trap = 1;
  __asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0));
  run_ring(0, jump);
  equal("trap-bit", outcome(), VECTOR_DB << 16);
  equal("trap-bit-eip", fault.eip, (u32)task_landing);
  equal("trap-bit-dr6", read_dr6() & 0xe00f, 0x8000);
}

static void other_effects(void) {
  far_pointer.selector = NEW;
  /* A task in ring 3, with a segment of its own LDT. */
  ready();
  local[0] = gdt[USER_DATA / 8];
  set_descriptor(LOCAL, (u32)local, sizeof local - 1, P | 2, 0);
  new_32.ldt = LOCAL;
  new_32.cs = USER_CODE;
  new_32.ss = new_32.es = new_32.fs = USER_DATA;
  new_32.ds = 7;
  run_ring(0, jump);
  equal("ring-3", arrived.count, 1);
  equal("ring-3-cs", arrived.cs, USER_CODE);
  equal("ring-3-ldt-ds", arrived.ds, 7);
  equal("ring-3-accessed", (u32)(local[0] >> 40) & 0xff, 0xf3);

  /* Virtual-8086 mode: segments are paragraphs. */
  ready();
  static const u8 v86[] = {0x0f, 0x0b};
  __builtin_memcpy((void *)0x7c00, v86, sizeof v86);
  new_32.eflags = EFLAGS_VM | 2;
  new_32.eip = 0;
  new_32.cs = 0x7c0;
  new_32.ss = 0x5000;
  new_32.esp = 0x100;
  run_ring(0, jump);
  equal("v86", outcome(), VECTOR_UD << 16);
  equal("v86-flag", fault.eflags & EFLAGS_VM, EFLAGS_VM);
  equal("v86-cs", fault.cs & 0xffff, 0x7c0);

  /* Local breakpoints do not outlive the task. */
  ready();
  __asm__ volatile("mov %0, %%dr0\n\tmov %0, %%dr1\n\tmov %0, %%dr2\n\tmov %0, %%dr3\n\tmov %1, %%dr7" : : "r"(AREA), "r"(0x7ff));
  run_ring(0, jump);
  u32 dr7;
  __asm__ volatile("mov %%dr7, %0\n\tmov %1, %%dr7" : "=&r"(dr7) : "r"(0x400));
  equal("dr7-local", dr7 & 0xff, 0xaa);

  /* The error code of an exception through a task gate is as wide as the TSS. */
  ready();
  fault_gates();
  run_ring(3, do_load_beyond);
  usual_gates();
  equal("error-code-32", behind.vector << 16 | behind.error, GP(BEYOND));
  equal("error-code-link", behind.link & 0xffff, TASK);
  ready();
  set_descriptor(SEGMENT, (u32)task_landing & 0xffff0000, 0xfffff, 0x9a, 0xc);
  set_descriptor(STACK_16, 0, 0xfffff, 0x92, 8);
  *(u32 *)(0x7000 - 4) = 0xeeeeeeee;
  new_16 = (struct tss16){.ip = (u32)task_landing, .flags = 2, .sp = 0x7000, .es = KERNEL_DATA, .cs = SEGMENT, .ss = STACK_16, .ds = KERNEL_DATA};
  describe(NEW, &new_16, sizeof new_16 - 1, P | 1);
  idt[VECTOR_GP] = gdt[NEW_GATE / 8];
  run_ring(3, do_load_beyond);
  usual_gates();
  equal("error-code-16-sp", arrived.esp & 0xffff, 0x6ffe);
  equal("error-code-16", *(u16 *)0x6ffe, BEYOND);

  /* CR3 of the new task, and of none of 16 bits. */
  ready();
  for (u32 i = 0; i < 16; i++) directory[0][i] = directory[1][i] = i << 22 | 0x87;
  directory[1][AREA >> 22] = (u32)table | 7;
  table[0] = (AREA + 0x1000) | 7;
  table[1] = 0;
  *(u32 *)AREA = 0x11111111;
  *(u32 *)(AREA + 0x1000) = 0x22222222;
  write_cr4(read_cr4() | 0x10);
  write_cr3((u32)directory[0]);
  write_cr0(read_cr0() | 0x80000000);
  new_32.cr3 = (u32)directory[1];
  new_32.esp = AREA; /* the landing reads what is on top */
  new_32.ss = KERNEL_DATA;
  run_ring(0, jump);
  equal("cr3", read_cr3(), (u32)directory[1]);
  equal("cr3-old-not-saved", tss.cr3, 0xeeeeeeee);
  equal("cr3-mapping", arrived.top, 0x22222222);

  /* A TSS that cannot be read: a page fault in the old task. */
  ready();
  write_cr3((u32)directory[1]);
  describe(NEW, (void *)(AREA + 0x1000), sizeof new_32 - 1, P | TSS_AVAILABLE);
  run_ring(0, jump);
  equal("tss-not-present", outcome(), VECTOR_PF << 16);
  check("tss-not-present-cr2", fault.cr2 - (AREA + 0x1000) < sizeof new_32);
  equal("tss-not-present-busy", busy(NEW), TSS_AVAILABLE);
  equal("tss-not-present-old", busy(TASK), TSS_BUSY);
  u32 tr;
  __asm__ volatile("str %0" : "=r"(tr));
  equal("tss-not-present-tr", tr & 0xffff, TASK);
  write_cr0(read_cr0() & ~0x80000000u);
}

void run(void) {
  strict = has_word("strict");
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  extend_gdt();
  permissions();
  states();
  wrong_tasks();
  other_effects();
  if (strict) trap_bit();
}
