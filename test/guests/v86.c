/* v86.c: virtual-8086 mode: the way in and out, the stack a trap leaves, addresses and limits, the instructions that IOPL rules, those
 * that are not for it, ports, interrupts; its extensions under CR4.VME (the six methods of a software interrupt, VIF and VIP); and
 * CR4.PVI at ring 3. SDM vol. 3A 20.1-20.4, 5.9; vol. 1 18.5; vol. 2, CLI, STI, PUSHF, POPF, INT n, IRET.
 * A program is a few instructions that end in HLT, which is #GP there: each run ends with its first trap.
 * Word `strict`: also what QEMU 7.2 does not do (limits, the extensions). */
#include "guest.h"

#define FLAG_CF 0x1u
#define FLAG_TF 0x100u
#define FLAG_IF 0x200u
#define FLAG_IOPL 0x3000u
#define FLAG_NT 0x4000u
#define FLAG_VM 0x20000u
#define FLAG_AC 0x40000u
#define FLAG_VIF 0x80000u
#define FLAG_VIP 0x100000u
#define CR4_VME 1u
#define CR4_PVI 2u
#define IOPL(level) ((u32)(level) << 12)

/* Paragraphs of the program, its stack and its data. */
#define CODE 0x2000
#define STACK 0x3000
#define DATA 0x4000
#define LINEAR(paragraph, offset) ((volatile u8 *)((paragraph) * 16 + (offset)))
#define VECTOR 0x40 /* of the software interrupts */

static int strict;

/* What a run begins with, and what its trap found. */
struct state {
  u32 eax, ebx, ecx, edx, esi, edi, ebp;
  u32 eip, cs, eflags, esp, ss, es, ds, fs, gs;
  u32 vector, error, kernel_selectors, kernel_eflags;
};
struct state in, out;
u32 host_esp;

/* void enter(void): IRET to `in`; leave() returns from it. */
__asm__(
    ".text\n"
    "enter:\n\t"
    "push %ebp\n\tpush %ebx\n\tpush %esi\n\tpush %edi\n\t"
    "mov %esp, host_esp\n\t"
    "mov %esp, tss + 4\n\t"
    "mov $0x23, %eax\n\tmov %eax, %ds\n\tmov %eax, %es\n\t"
    "testl $0x20000, in + 36\n\t"
    "jz 1f\n\t"
    "pushl in + 60\n\tpushl in + 56\n\tpushl in + 52\n\tpushl in + 48\n"
    "1:\n\t"
    "pushl in + 44\n\tpushl in + 40\n\tpushl in + 36\n\tpushl in + 32\n\tpushl in + 28\n\t"
    "mov in, %eax\n\tmov in + 4, %ebx\n\tmov in + 8, %ecx\n\tmov in + 12, %edx\n\t"
    "mov in + 16, %esi\n\tmov in + 20, %edi\n\tmov in + 24, %ebp\n\t"
    "iret\n"
    "leave:\n\t"
    "mov host_esp, %esp\n\t"
    "mov $0x10, %edx\n\tmov %edx, %ds\n\tmov %edx, %es\n\t"
    "pop %edi\n\tpop %esi\n\tpop %ebx\n\tpop %ebp\n\t"
    "ret\n");
void enter(void);
void leave(void) __attribute__((noreturn));

/* A trap from virtual-8086 mode has four selectors more. */
struct v86_trap {
  struct trap trap;
  u32 es, ds, fs, gs;
};

static u32 eflags(void) {
  u32 value;
  __asm__ volatile("pushf\n\tpop %0" : "=r"(value));
  return value;
}

static void record(struct trap *trap) {
  out.eax = trap->eax, out.ebx = trap->ebx, out.ecx = trap->ecx, out.edx = trap->edx;
  out.esi = trap->esi, out.edi = trap->edi, out.ebp = trap->ebp;
  out.eip = trap->eip, out.cs = trap->cs, out.eflags = trap->eflags, out.esp = trap->esp, out.ss = trap->ss;
  if (trap->eflags & FLAG_VM) {
    struct v86_trap *more = (struct v86_trap *)trap;
    out.es = more->es, out.ds = more->ds, out.fs = more->fs, out.gs = more->gs;
  }
  out.vector = trap->vector, out.error = trap->error;
  out.kernel_selectors = trap->ds | trap->es | trap->fs | trap->gs;
  out.kernel_eflags = eflags();
  leave();
}

/* Runs from `in` to the first trap. */
static void go(void) {
  handler saved[256];
  for (u32 vector = 0; vector < 256; vector++) {
    saved[vector] = handlers[vector];
    if (vector != 0x81) handlers[vector] = record;
  }
  enter();
  for (u32 vector = 0; vector < 256; vector++) handlers[vector] = saved[vector];
}

static void prepare(u32 flags) {
  __builtin_memset(&in, 0, sizeof in);
  in.cs = CODE;
  in.ss = STACK;
  in.esp = 0x1000;
  in.ds = DATA;
  in.es = DATA + 1;
  in.fs = DATA + 2;
  in.gs = DATA + 3;
  in.eflags = FLAG_VM | 2 | flags;
}

#define PROGRAM(name, text)                                                                                      \
  __asm__(".section .rodata\n" #name ":\n\t.code16\n\t" text "\n\thlt\n" #name "_end:\n\t.code32\n\t.text\n"); \
  extern const u8 name[], name##_end[]
static void load(const u8 *program, u32 bytes) { __builtin_memcpy((void *)LINEAR(CODE, 0), program, bytes); }
#define RUN(name, flags) (prepare(flags), load(name, name##_end - name), go())
/* Where HLT is. */
#define END(name) ((u32)(name##_end - name) - 1)

/* The trap of the last run: vector, error code, and IP. */
static void trapped(const char *name, u32 vector, u32 error, u32 eip) {
  int good = out.vector == vector && out.error == error && out.eip == eip;
  check(name, good);
  if (good) return;
  print("  exception ");
  print_decimal(out.vector);
  print(" error ");
  print_hex(out.error);
  print(" at ");
  print_hex(out.eip);
  print("\n");
}
static void finished(const char *name, u32 end) { trapped(name, VECTOR_GP, 0, end); }

static u16 stack_word(u32 offset) { return *(volatile u16 *)LINEAR(STACK, offset); }

/* ---- in and out ---- */

PROGRAM(selectors, "mov %cs, %ax\n\tmov %ss, %bx\n\tmov %ds, %cx\n\tmov %es, %dx\n\tmov %fs, %si\n\tmov %gs, %di");
PROGRAM(nothing, "");
PROGRAM(loads, "mov $0x1234, %ax\n\tmov %ax, %ds\n\tmov %ax, %es\n\tpush $0xffff\n\tpop %fs");
PROGRAM(far_call, "lcall $0x2000, $1f - far_call\n1:");
PROGRAM(far_return, "push $0x1fff\n\tpush $0x10 + 1f - far_return\n\tlret\n\tnop\n1:");

static void in_and_out(void) {
  RUN(selectors, 0);
  finished("enter", END(selectors));
  equal("selectors", out.eax == CODE && out.ebx == STACK && out.ecx == DATA && out.edx == DATA + 1 && out.esi == DATA + 2 && out.edi == DATA + 3, 1);
  equal("frame-cs-ss", out.cs << 16 | out.ss, (u32)CODE << 16 | STACK);
  equal("frame-selectors", out.es == DATA + 1 && out.ds == DATA && out.fs == DATA + 2 && out.gs == DATA + 3, 1);
  equal("frame-eflags", out.eflags & ~0x10000u, FLAG_VM | 2);
  if (strict) equal("frame-rf", out.eflags & 0x10000, 0x10000); /* a fault */
  equal("handler-selectors-null", out.kernel_selectors, 0);
  equal("handler-eflags", out.kernel_eflags & (FLAG_VM | FLAG_IF | FLAG_TF | FLAG_NT), 0);

  prepare(0);
  in.esp = 0xabcd0ffe;
  load(nothing, 1);
  go();
  equal("esp-whole", out.esp, 0xabcd0ffe);
  RUN(nothing, FLAG_AC | FLAG_CF | FLAG_IF);
  equal("flags-loaded", out.eflags & ~0x10000u, FLAG_VM | FLAG_AC | FLAG_CF | FLAG_IF | 2);

  RUN(loads, 0);
  finished("loads", END(loads));
  equal("any-selector", out.ds == 0x1234 && out.es == 0x1234 && out.fs == 0xffff, 1);

  RUN(far_call, 0);
  finished("far-call", END(far_call));
  equal("far-call-frame", (u32)stack_word(0xffe) << 16 | stack_word(0xffc), (u32)CODE << 16 | 5);
  RUN(far_return, 0);
  equal("far-return", out.cs << 16 | out.eip, 0x1fffu << 16 | (0x10 + END(far_return)));
}

/* ---- addresses ---- */

PROGRAM(store, "movb $0x5a, 0x123\n\tmovb $0xa5, %es:0x123");
PROGRAM(wraps, "mov $0xfff0, %bx\n\tmovb $0x77, 0x20(%bx)");
PROGRAM(above, "mov $0xffff, %ax\n\tmov %ax, %ds\n\tmov 0x10, %eax");
PROGRAM(push_wraps, "xor %sp, %sp\n\tpush $0x4321");
PROGRAM(jump_wraps, "jmp 1f\n\t.skip 0x20\n1:\n\tmov $0xfffe, %ax\n\tjmp *%ax");
PROGRAM(beyond, "mov $0x10000, %ecx\n\t.byte 0x67\n\tmovb (%ecx), %al");
PROGRAM(word_at_end, "mov 0xffff, %ax");
PROGRAM(stack_at_end, "mov $1, %sp\n\tpush %ax");
PROGRAM(addr32, "mov $0xfffc, %ecx\n\t.byte 0x67\n\tmov (%ecx), %eax");

static void addresses(void) {
  RUN(store, 0);
  finished("store", END(store));
  equal("store-ds-es", *LINEAR(DATA, 0x123) << 8 | *LINEAR(DATA + 1, 0x123), 0x5aa5);
  *LINEAR(DATA, 0x10) = 0;
  RUN(wraps, 0);
  equal("offset-wraps", *LINEAR(DATA, 0x10), 0x77);
  RUN(above, 0);
  equal("above-1mib", out.eax, *(volatile u32 *)0x100000);
  RUN(push_wraps, 0);
  equal("push-wraps", out.esp << 16 | stack_word(0xfffe), 0xfffe4321);
  /* HLT at FFFEh. */
  prepare(0);
  load(jump_wraps, jump_wraps_end - jump_wraps);
  *LINEAR(CODE, 0xfffe) = 0xf4;
  go();
  finished("jump-high", 0xfffe);
  *LINEAR(CODE, 0xfffe) = 0xeb; /* jmp +10h wraps to the beginning */
  *LINEAR(CODE, 0xffff) = 0x10;
  *LINEAR(CODE, 0x10) = 0xf4;
  go();
  finished("jump-wraps", 0x10);
  RUN(addr32, 0);
  finished("address-size-32", END(addr32));

  if (!strict) return;
  RUN(beyond, 0);
  trapped("offset-beyond", VECTOR_GP, 0, 6);
  RUN(word_at_end, 0);
  trapped("word-at-end", VECTOR_GP, 0, 0);
  RUN(stack_at_end, 0);
  trapped("stack-at-end", VECTOR_SS, 0, 3);
}

/* ---- IOPL ---- */

PROGRAM(do_cli, "cli");
PROGRAM(do_sti, "sti\n\tnop");
PROGRAM(do_pushf, "pushf");
PROGRAM(do_pushfd, "pushfl");
PROGRAM(do_popf, "pushw %ax\n\tpopf");
PROGRAM(do_popfd, "pushl %eax\n\tpopfl");
PROGRAM(do_int, "int $0x40");
PROGRAM(do_int3, "int3");
PROGRAM(do_into, "into");
PROGRAM(do_iret, "pushw %ax\n\tpush %cs\n\tpush $1f - do_iret\n\tiret\n\tnop\n1:");
PROGRAM(do_iretd, "pushl %eax\n\tpushl $0x2000\n\tpushl $1f - do_iretd\n\tiretl\n\tnop\n1:");

struct sensitive {
  const char *name;
  const u8 *program, *end;
  u32 at; /* of the instruction that IOPL rules */
};
#define SENSITIVE(name, at) {#name, do_##name, do_##name##_end, at}
static const struct sensitive sensitive[] = {
    SENSITIVE(cli, 0),  SENSITIVE(sti, 0),   SENSITIVE(pushf, 0), SENSITIVE(pushfd, 0), SENSITIVE(popf, 1),
    SENSITIVE(popfd, 2), SENSITIVE(int, 0), SENSITIVE(iret, 5),  SENSITIVE(iretd, 14),
};

static void iopl(void) {
  for (u32 level = 0; level < 3; level++) {
    for (u32 i = 0; i < sizeof sensitive / sizeof *sensitive; i++) {
      prepare(IOPL(level));
      load(sensitive[i].program, sensitive[i].end - sensitive[i].program);
      go();
      trapped(sensitive[i].name, VECTOR_GP, 0, sensitive[i].at);
    }
  }
  RUN(do_cli, IOPL(3) | FLAG_IF);
  equal("cli-iopl-3", out.eip << 16 | (out.eflags & FLAG_IF), END(do_cli) << 16);
  RUN(do_sti, IOPL(3));
  equal("sti-iopl-3", out.eflags & FLAG_IF, FLAG_IF);
  RUN(do_pushf, IOPL(3) | FLAG_IF | FLAG_CF);
  equal("pushf-iopl-3", stack_word(0xffe), IOPL(3) | FLAG_IF | FLAG_CF | 2);
  RUN(do_pushfd, IOPL(3) | FLAG_AC);
  equal("pushfd-iopl-3", *(volatile u32 *)LINEAR(STACK, 0xffc), IOPL(3) | FLAG_AC | 2); /* without VM and RF */
  prepare(IOPL(3));
  in.eax = FLAG_IF | FLAG_NT | FLAG_CF;
  load(do_popf, do_popf_end - do_popf);
  go();
  equal("popf-iopl-3", out.eflags & ~0x10000u, FLAG_VM | IOPL(3) | FLAG_IF | FLAG_NT | FLAG_CF | 2);
  in.eax = FLAG_AC;
  load(do_popfd, do_popfd_end - do_popfd);
  go();
  equal("popfd-iopl-3", out.eflags & ~0x10000u, FLAG_VM | IOPL(3) | FLAG_AC | 2);
  in.eax = FLAG_IF | FLAG_CF;
  load(do_iret, do_iret_end - do_iret);
  go();
  finished("iret-iopl-3", END(do_iret));
  equal("iret-iopl-3-flags", out.eflags & ~0x10000u, FLAG_VM | IOPL(3) | FLAG_IF | FLAG_CF | 2);
  load(do_iretd, do_iretd_end - do_iretd);
  go();
  finished("iretd-iopl-3", END(do_iretd));
  equal("iretd-iopl-3-flags", out.eflags & ~0x10000u, FLAG_VM | IOPL(3) | FLAG_IF | FLAG_CF | 2);
}

/* ---- traps ---- */

PROGRAM(divide, "xor %cl, %cl\n\tdiv %cl");
PROGRAM(undefined, "ud2");
PROGRAM(overflow, "mov $0x7f, %al\n\tinc %al\n\tinto");
PROGRAM(bounds, "movw $1, 0\n\tmovw $2, 2\n\tmov $3, %ax\n\tbound %ax, 0");
PROGRAM(step, "nop\n\tnop");

static void gate(u32 vector, u8 type) { set_gate(vector, (u32)isr_stubs + 16 * vector, KERNEL_CODE, type); }

static void traps(void) {
  gate(VECTOR, 0xee);
  RUN(do_int, IOPL(3) | FLAG_IF);
  trapped("int-iopl-3", VECTOR, 0, 2);
  equal("interrupt-gate-clears-if", out.kernel_eflags & FLAG_IF, 0);
  equal("int-frame-if", out.eflags & (FLAG_IF | FLAG_VM | 0x10000), FLAG_IF | FLAG_VM);
  gate(VECTOR, 0xef);
  RUN(do_int, IOPL(3) | FLAG_IF);
  equal("trap-gate-keeps-if", out.kernel_eflags & FLAG_IF, FLAG_IF);
  gate(VECTOR, 0x8e);
  RUN(do_int, IOPL(3));
  trapped("int-gate-dpl", VECTOR_GP, VECTOR * 8 + 2, 0);

  gate(VECTOR_BP, 0xee);
  gate(VECTOR_OF, 0xee);
  RUN(do_int3, 0);
  trapped("int3", VECTOR_BP, 0, 1);
  RUN(do_into, 0);
  finished("into-without-of", 1);
  RUN(overflow, 0);
  trapped("into", VECTOR_OF, 0, 5);
  gate(VECTOR_BP, 0x8e);
  gate(VECTOR_OF, 0x8e);
  RUN(do_int3, 0);
  trapped("int3-gate-dpl", VECTOR_GP, VECTOR_BP * 8 + 2, 0);
  RUN(divide, 0);
  trapped("divide", VECTOR_DE, 0, 2);
  RUN(undefined, 0);
  trapped("undefined", VECTOR_UD, 0, 0);
  RUN(bounds, 0);
  trapped("bound", VECTOR_BR, 0, END(bounds) - 4);
  RUN(step, FLAG_TF);
  trapped("single-step", VECTOR_DB, 0, 1);
  equal("single-step-tf", (out.eflags | out.kernel_eflags << 16) & (FLAG_TF | FLAG_TF << 16), FLAG_TF);

  /* The handler must be at ring 0, and its code segment not conforming. */
  set_descriptor(SPARE, 0, 0xfffff, 0x9e, 0xc);
  set_gate(VECTOR, (u32)isr_stubs, SPARE, 0xee);
  RUN(do_int, IOPL(3));
  trapped("conforming-handler", VECTOR_GP, SPARE, 0);
  set_descriptor(SPARE, 0, 0xfffff, 0xba, 0xc);
  RUN(do_int, IOPL(3));
  if (strict) trapped("handler-at-ring-1", VECTOR_GP, SPARE, 0);
  gate(VECTOR, 0xee);
}

PROGRAM(do_lgdt, "lgdt 0");
PROGRAM(do_lidt, "lidt 0");
PROGRAM(do_mov_cr0, "mov %cr0, %eax");
PROGRAM(do_mov_dr7, "mov %dr7, %eax");
PROGRAM(do_clts, "clts");
PROGRAM(do_lmsw, "lmsw %ax");
PROGRAM(do_invlpg, "invlpg 0");
PROGRAM(do_rdmsr, "rdmsr");
PROGRAM(do_lldt, "lldt %ax");
PROGRAM(do_ltr, "ltr %ax");
PROGRAM(do_sldt, "sldt %ax");
PROGRAM(do_str, "str %ax");
PROGRAM(do_lar, "lar %ax, %ax");
PROGRAM(do_lsl, "lsl %ax, %ax");
PROGRAM(do_verr, "verr %ax");
PROGRAM(do_verw, "verw %ax");
PROGRAM(do_arpl, "arpl %ax, %ax");
PROGRAM(do_sgdt, "sgdt 0\n\tsmsw %ax");

static const struct sensitive privileged[] = {
    SENSITIVE(lgdt, VECTOR_GP),    SENSITIVE(lidt, VECTOR_GP), SENSITIVE(mov_cr0, VECTOR_GP), SENSITIVE(mov_dr7, VECTOR_GP),
    SENSITIVE(clts, VECTOR_GP),    SENSITIVE(lmsw, VECTOR_GP), SENSITIVE(invlpg, VECTOR_GP),  SENSITIVE(rdmsr, VECTOR_GP),
    SENSITIVE(lldt, VECTOR_UD),    SENSITIVE(ltr, VECTOR_UD),  SENSITIVE(sldt, VECTOR_UD),    SENSITIVE(str, VECTOR_UD),
    SENSITIVE(lar, VECTOR_UD),     SENSITIVE(lsl, VECTOR_UD),  SENSITIVE(verr, VECTOR_UD),    SENSITIVE(verw, VECTOR_UD),
    SENSITIVE(arpl, VECTOR_UD),
};

/* `at` is the vector here. */
static void privileges(void) {
  for (u32 i = 0; i < sizeof privileged / sizeof *privileged; i++) {
    prepare(IOPL(3));
    load(privileged[i].program, privileged[i].end - privileged[i].program);
    go();
    trapped(privileged[i].name, privileged[i].at, 0, 0);
  }
  RUN(do_sgdt, 0);
  finished("sgdt-smsw", END(do_sgdt));
}

/* ---- ports ---- */

#define PORT 0x80 /* takes anything */
PROGRAM(out_byte, "out %al, $0x80");
PROGRAM(in_word, "in $0x80, %ax");
PROGRAM(out_string, "mov $0x80, %dx\n\toutsb");

static void allow(u32 port, int yes) {
  u8 *byte = &tss.io_bitmap[tss.io_map - 104 + port / 8];
  *byte = yes ? *byte & ~(1 << port % 8) : *byte | 1 << port % 8;
}

static void ports(void) {
  for (u32 level = 0; level < 4; level += 3) { /* IOPL has no say */
    allow(PORT, 0);
    RUN(out_byte, IOPL(level));
    trapped("port-refused", VECTOR_GP, 0, 0);
    RUN(out_string, IOPL(level));
    trapped("string-refused", VECTOR_GP, 0, 3);
    allow(PORT, 1);
    RUN(out_byte, IOPL(level));
    finished("port-allowed", END(out_byte));
    RUN(out_string, IOPL(level));
    finished("string-allowed", END(out_string));
    allow(PORT + 1, 0);
    RUN(in_word, IOPL(level));
    trapped("word-half-refused", VECTOR_GP, 0, 0);
    allow(PORT + 1, 1);
    RUN(in_word, IOPL(level));
    finished("word-allowed", END(in_word));
  }
}

/* ---- an external interrupt ---- */

PROGRAM(spin, "jmp spin");

static void external(void) {
  outb(0x43, 0x34), outb(0x40, 0xff), outb(0x40, 0x0f);
  outb(0x21, 0xfe);
  RUN(spin, FLAG_IF);
  trapped("external-interrupt", IRQ, 0, 0);
  equal("external-frame", out.eflags & (FLAG_VM | FLAG_IF | 0x10000), FLAG_VM | FLAG_IF);
  outb(0x20, 0x20);
  outb(0x21, 0xff);
}

/* ---- a task ---- */

static struct tss other;
static u32 other_stack[256];

static void task(void) {
  prepare(0);
  load(selectors, selectors_end - selectors);
  __builtin_memset(&other, 0, sizeof other);
  other.esp0 = (u32)(other_stack + 256);
  other.ss0 = KERNEL_DATA;
  other.eflags = FLAG_VM | 2;
  other.cs = CODE, other.ss = STACK, other.ds = DATA, other.es = DATA + 1, other.fs = DATA + 2, other.gs = DATA + 3;
  other.esp = 0x1000;
  other.io_map = sizeof other;
  set_descriptor(TASK_2, (u32)&other, sizeof other - 1, 0x89, 0);
  handlers[VECTOR_GP] = record;
  __asm__ volatile(
      "push %%ebp\n\tpush %%ebx\n\tpush %%esi\n\tpush %%edi\n\tpush $1f\n\t"
      "push %%ebp\n\tpush %%ebx\n\tpush %%esi\n\tpush %%edi\n\tmov %%esp, host_esp\n\tljmp %0, $0\n"
      "1:\n\tpop %%edi\n\tpop %%esi\n\tpop %%ebx\n\tpop %%ebp"
      :
      : "i"(TASK_2)
      : "memory", "cc", "eax", "ecx", "edx");
  handlers[VECTOR_GP] = 0;
  finished("task", END(selectors));
  equal("task-selectors", out.eax == CODE && out.ebx == STACK && out.ecx == DATA && out.edi == DATA + 3, 1);
  equal("task-frame", out.cs == CODE && out.gs == DATA + 3 && (out.eflags & FLAG_VM), 1);
  __asm__ volatile("clts");
  set_descriptor(TASK, (u32)&tss, sizeof tss - 1, 0x89, 0);
  __asm__ volatile("ltr %w0" : : "r"(TASK));
}

/* ---- CR4.VME ---- */

/* Bit of the redirection map: clear sends INT n to the program's own table. */
static void redirect(u32 vector, int yes) {
  u8 *byte = &tss.io_bitmap[tss.io_map - 104 - 32 + vector / 8];
  *byte = yes ? *byte & ~(1 << vector % 8) : *byte | 1 << vector % 8;
}

PROGRAM(service, "int $0x40\n\thlt\n\tnop");
#define HANDLER 4 /* the HLT at the end */

static void methods(void) {
  static const char *const names[] = {"method-3", "method-6", "method-4", "method-5"};
  *(volatile u32 *)(VECTOR * 4) = CODE << 16 | HANDLER;
  for (u32 level = 0; level < 4; level++) {
    for (int own = 0; own < 2; own++) {
      const char *name = names[(level == 3) * 2 + own];
      redirect(VECTOR, own);
      for (u32 virtual = 0; virtual < 2; virtual++) {
        u32 flags = IOPL(level) | FLAG_CF | FLAG_IF | (virtual ? FLAG_VIF : 0);
        RUN(service, flags);
        if (!own) {
          if (level == 3) trapped(name, VECTOR, 0, 2);
          else trapped(name, VECTOR_GP, 0, 0);
          continue;
        }
        finished(name, HANDLER);
        u32 image = level == 3 || virtual ? FLAG_IF : 0;
        equal("  flags-image", stack_word(0xffe), FLAG_CF | 2 | IOPL(3) | image);
        equal("  return", (u32)stack_word(0xffc) << 16 | stack_word(0xffa), CODE << 16 | 2);
        equal("  sp", out.esp, 0xffa);
        u32 cleared = level == 3 ? FLAG_IF : FLAG_VIF;
        equal("  flags-inside", out.eflags & ~0x10000u, (flags & ~cleared) | FLAG_VM | 2);
      }
    }
  }
  /* INT3 and INTO are not redirected. */
  redirect(VECTOR_BP, 1);
  gate(VECTOR_BP, 0xee);
  RUN(do_int3, 0);
  trapped("int3-not-redirected", VECTOR_BP, 0, 1);
  gate(VECTOR_BP, 0x8e);
  redirect(VECTOR, 1);
  u32 io_map = tss.io_map;
  tss.io_map = 0xffff;
  RUN(service, IOPL(3));
  trapped("map-beyond-tss", VECTOR_GP, 0, 0);
  tss.io_map = io_map;
}

static void run_with(const u8 *program, u32 bytes, u32 eax, u32 flags) {
  prepare(flags);
  in.eax = eax;
  load(program, bytes);
  go();
}
#define RUN_WITH(name, eax, flags) run_with(name, name##_end - name, eax, flags)

static void virtual_flags(void) {
  for (u32 level = 0; level < 3; level++) {
    u32 base = FLAG_VM | IOPL(level) | 2;
    RUN(do_cli, IOPL(level) | FLAG_VIF | FLAG_IF);
    equal("vme-cli", out.eip << 24 | (out.eflags & ~0x10000u), END(do_cli) << 24 | base | FLAG_IF);
    RUN(do_sti, IOPL(level));
    equal("vme-sti", out.eip << 24 | (out.eflags & ~0x10000u), END(do_sti) << 24 | base | FLAG_VIF);
    RUN(do_sti, IOPL(level) | FLAG_VIP);
    trapped("vme-sti-pending", VECTOR_GP, 0, 0);
    RUN(do_pushf, IOPL(level) | FLAG_VIF);
    equal("vme-pushf", stack_word(0xffe), FLAG_IF | IOPL(3) | 2);
    RUN(do_pushf, IOPL(level) | FLAG_IF);
    equal("vme-pushf-clear", stack_word(0xffe), IOPL(3) | 2);
    RUN(do_pushfd, IOPL(level));
    trapped("vme-pushfd", VECTOR_GP, 0, 0);
    RUN_WITH(do_popf, FLAG_IF | FLAG_NT | IOPL(3), IOPL(level));
    equal("vme-popf", out.eip << 24 | (out.eflags & ~0x10000u), END(do_popf) << 24 | base | FLAG_VIF | FLAG_NT);
    RUN_WITH(do_popf, FLAG_CF, IOPL(level) | FLAG_VIF | FLAG_IF);
    equal("vme-popf-clear", out.eflags & ~0x10000u, base | FLAG_IF | FLAG_CF);
    RUN_WITH(do_popf, FLAG_CF, IOPL(level) | FLAG_VIP);
    equal("vme-popf-vip-stays", out.eflags & ~0x10000u, base | FLAG_VIP | FLAG_CF);
    RUN_WITH(do_popf, FLAG_IF, IOPL(level) | FLAG_VIP);
    trapped("vme-popf-pending", VECTOR_GP, 0, 1);
    RUN_WITH(do_popf, FLAG_TF, IOPL(level));
    trapped("vme-popf-tf", VECTOR_GP, 0, 1);
    RUN_WITH(do_popfd, 2, IOPL(level));
    trapped("vme-popfd", VECTOR_GP, 0, 2);
    RUN_WITH(do_iret, FLAG_IF | FLAG_CF, IOPL(level) | FLAG_IF);
    finished("vme-iret", END(do_iret));
    equal("vme-iret-flags", out.eflags & ~0x10000u, base | FLAG_IF | FLAG_VIF | FLAG_CF);
    RUN_WITH(do_iret, FLAG_IF, IOPL(level) | FLAG_VIP);
    trapped("vme-iret-pending", VECTOR_GP, 0, 5);
    RUN_WITH(do_iret, FLAG_TF, IOPL(level));
    trapped("vme-iret-tf", VECTOR_GP, 0, 5);
    RUN_WITH(do_iretd, 2, IOPL(level));
    trapped("vme-iretd", VECTOR_GP, 0, 14);
  }
  /* With IOPL 3 it is IF that counts. */
  RUN(do_cli, IOPL(3) | FLAG_IF | FLAG_VIF);
  equal("vme-cli-iopl-3", out.eflags & ~0x10000u, FLAG_VM | IOPL(3) | FLAG_VIF | 2);
  RUN(do_pushf, IOPL(3) | FLAG_VIF);
  equal("vme-pushf-iopl-3", stack_word(0xffe), IOPL(3) | 2);
  /* Both set at the beginning of an instruction. */
  RUN(nothing, FLAG_VIF | FLAG_VIP);
  finished("vif-and-vip", 0);
  RUN(selectors, FLAG_VIF | FLAG_VIP);
  trapped("vif-and-vip-first", VECTOR_GP, 0, 0);
}

/* ---- CR4.PVI ---- */

__asm__(
    ".text\n"
    "user_clear:\n\tcli\n\thlt\n"
    "user_set:\n\tsti\n\thlt\n"
    "user_push:\n\tpushf\n\tpop %eax\n\thlt\n"
    "user_pop:\n\tpushl $0x80202\n\tpopf\n\thlt\n");
extern char user_clear[], user_set[], user_push[], user_pop[];

static void user(char *code, u32 flags) {
  static u32 stack[64];
  prepare(0);
  in.cs = USER_CODE;
  in.ss = USER_DATA;
  in.eip = (u32)code;
  in.esp = (u32)(stack + 64);
  in.eflags = flags | 2;
  go();
}

static void protected_virtual(void) {
  for (u32 level = 0; level < 3; level++) {
    u32 base = IOPL(level) | 2;
    user(user_clear, IOPL(level) | FLAG_VIF | FLAG_IF);
    finished("pvi-cli", (u32)user_clear + 1);
    equal("pvi-cli-flags", out.eflags & ~0x10000u, base | FLAG_IF);
    user(user_set, IOPL(level) | FLAG_IF);
    equal("pvi-sti-flags", out.eflags & ~0x10000u, base | FLAG_IF | FLAG_VIF);
    user(user_set, IOPL(level) | FLAG_VIP);
    finished("pvi-sti-pending", (u32)user_set);
    user(user_push, IOPL(level) | FLAG_VIF);
    equal("pvi-pushf", out.eax, base | FLAG_VIF);
    user(user_pop, IOPL(level));
    equal("pvi-popf", out.eflags & ~0x10000u, base);
  }
  user(user_clear, IOPL(3) | FLAG_IF | FLAG_VIF);
  equal("pvi-cli-iopl-3", out.eflags & ~0x10000u, IOPL(3) | FLAG_VIF | 2);
  user(user_clear + 1, FLAG_VIF | FLAG_VIP);
  finished("pvi-vif-and-vip", (u32)user_clear + 1);
  write_cr4(read_cr4() & ~CR4_PVI);
  user(user_clear, FLAG_VIF);
  finished("pvi-off", (u32)user_clear);
}

void run(void) {
  strict = has_word("strict");
  pic_init(0xff, 0xff);
  tss.io_map = 104 + 32; /* the redirection map lies before it */
  __builtin_memset(tss.io_bitmap, 0xff, sizeof tss.io_bitmap);
  in_and_out();
  addresses();
  iopl();
  traps();
  privileges();
  ports();
  external();
  task();
  u32 eax, ebx, ecx, edx;
  cpuid(1, &eax, &ebx, &ecx, &edx);
  if (!strict || !(edx & 2)) return;
  write_cr4(read_cr4() | CR4_VME);
  methods();
  virtual_flags();
  write_cr4((read_cr4() & ~CR4_VME) | CR4_PVI);
  protected_virtual();
}
