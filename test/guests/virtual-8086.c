/* virtual-8086.c: the way into virtual-8086 mode by IRET and out of it by an interrupt, and what IOPL allows there.
 * SDM vol. 3A 20.2, 20.3; vol. 2, IRET, INT n. Not its extensions (v86.c).
 * Word `strict`: also limits, which QEMU 7.2 does not check. */
#include "landing.h"
#include "rules.h"

#define VECTOR 0x50
#define IDT_ERROR(vector) ((vector) * 8 + 2)
#define EFLAGS_VM 0x20000u
#define CODE_READABLE (S | 10)
#define GP_0 (VECTOR_GP << 16)
#define SS_0 (VECTOR_SS << 16)
#define UD (VECTOR_UD << 16)
/* Indices in the table below. */
#define POPF 2
#define IRETD 5


DEFINE_LANDING;
static int strict;

static const u8 int_n[] = {0xcd, VECTOR}, ud2[] = {0x0f, 0x0b};

static void ready(void) { landed.count = 0; }
static void target(u32 t, u32 level, u32 is_present) {
  set_descriptor(ANY, LANDING_BASE, 0xfffff, t | level << 5 | is_present << 7, 0xc);
}

#define V86_CODE 0x7c00
static volatile u32 v86_gs = 0x1111, v86_fs = 0x2222, v86_ds = 0x3333, v86_es = 0x4444, v86_ss = 0x5000, v86_esp = 0x0ffe;
static volatile u32 v86_flags, v86_cs, v86_ip;
static u32 enter_v86(void) {
  __asm__ volatile(
      "pushl %0\n\tpushl %1\n\tpushl %2\n\tpushl %3\n\tpushl %4\n\tpushl %5\n\tpushl %6\n\tpushl %7\n\tpushl %8\n\tiretl"
      :
      : "m"(v86_gs), "m"(v86_fs), "m"(v86_ds), "m"(v86_es), "m"(v86_ss), "m"(v86_esp), "m"(v86_flags), "m"(v86_cs), "m"(v86_ip)
      : "memory");
  return 0;
}

static void v86_code(const u8 *code, u32 bytes) {
  __builtin_memcpy((void *)V86_CODE, code, bytes);
  v86_cs = 0x7c0;
  v86_ip = 0;
  v86_flags = EFLAGS_VM | 0x3002;
}
/* IOPL-sensitive instructions, privileged ones, those of protected mode, and limits. NOPs and UD2 follow. */
static const struct {
  const char *name;
  u32 bytes;
  u8 code[8];
  u32 iopl_0, iopl_3;
} cases[] = {
    {"cli", 1, {0xfa}, GP_0, FAULT_NONE},
    {"pushf", 1, {0x9c}, GP_0, FAULT_NONE},
    {"popf", 1, {0x9d}, GP_0, FAULT_NONE},
    {"pushfd", 2, {0x66, 0x9c}, GP_0, FAULT_NONE},
    {"iret", 1, {0xcf}, GP_0, FAULT_NONE},
    {"iretd", 2, {0x66, 0xcf}, GP_0, FAULT_NONE},
    {"hlt", 1, {0xf4}, GP_0, GP_0},
    {"mov-cr0", 3, {0x0f, 0x20, 0xc0}, GP_0, GP_0},
    {"lmsw", 3, {0x0f, 0x01, 0xf0}, GP_0, GP_0},
    {"lgdt", 5, {0x0f, 0x01, 0x16, 0, 0}, GP_0, GP_0},
    {"clts", 2, {0x0f, 0x06}, GP_0, GP_0},
    {"rdmsr", 2, {0x0f, 0x32}, GP_0, GP_0},
    {"sldt", 3, {0x0f, 0x00, 0xc0}, UD, UD},
    {"str", 3, {0x0f, 0x00, 0xc8}, UD, UD},
    {"lldt", 3, {0x0f, 0x00, 0xd0}, UD, UD},
    {"ltr", 3, {0x0f, 0x00, 0xd8}, UD, UD},
    {"verr", 3, {0x0f, 0x00, 0xe0}, UD, UD},
    {"lar", 3, {0x0f, 0x02, 0xc0}, UD, UD},
    {"lsl", 3, {0x0f, 0x03, 0xc0}, UD, UD},
    {"arpl", 2, {0x63, 0xc0}, UD, UD},
    {"sgdt", 5, {0x0f, 0x01, 0x06, 0, 0x20}, FAULT_NONE, FAULT_NONE},
    {"smsw", 3, {0x0f, 0x01, 0xe0}, FAULT_NONE, FAULT_NONE},
    {"mov-ds", 2, {0x8e, 0xd8}, FAULT_NONE, FAULT_NONE},
    {"jmp-far", 5, {0xea, 8, 0, 0xc0, 7}, FAULT_NONE, FAULT_NONE},
    {"in", 2, {0xe4, 0x61}, GP_0, GP_0}, /* the bitmap decides, whatever IOPL is */
    {"limit", 3, {0xa1, 0xff, 0xff}, GP_0, GP_0},
    {"limit-32", 6, {0x67, 0xa0, 0, 0, 1, 0}, GP_0, GP_0},
    {"stack-limit", 4, {0x36, 0xa1, 0xff, 0xff}, SS_0, SS_0},
};
#define LIMIT_CASES 3 /* the last ones: QEMU 7.2 does not check */

static void instructions(void) {
  u32 count = sizeof cases / sizeof cases[0] - (strict ? 0 : LIMIT_CASES);
  for (u32 i = 0; i < count; i++)
    for (u32 iopl = 0; iopl < 4; iopl += 3) {
      u8 code[16];
      __builtin_memset(code, 0x90, sizeof code);
      __builtin_memcpy(code, cases[i].code, cases[i].bytes);
      __builtin_memcpy(code + 8, ud2, sizeof ud2);
      v86_code(code, sizeof code);
      u16 *stack = (u16 *)(v86_ss * 16 + v86_esp);
      /* What POPF and IRET pop. */
      stack[0] = i == POPF ? 2 : 8;
      stack[1] = i == IRETD ? 0 : v86_cs;
      stack[2] = i == IRETD ? v86_cs : 2;
      stack[4] = 2;
      v86_flags = EFLAGS_VM | 2 | iopl << 12;
      run_ring(0, enter_v86);
      u32 should = iopl ? cases[i].iopl_3 : cases[i].iopl_0;
      type = i;
      rpl = iopl;
      compare(cases[i].name, outcome(), should == FAULT_NONE ? UD : should);
      compare("eip", fault.eip, should == FAULT_NONE ? 8 : 0);
      compare("in v86", fault.eflags & EFLAGS_VM, EFLAGS_VM);
      compare("iopl", fault.eflags & 0x3000, iopl << 12);
    }
  equal("v86-instructions", wrong, 0);
  tried = wrong = 0;
}

/* A handler in ring 0 for VECTOR sees the whole frame of virtual-8086 mode. */
static void virtual_8086(void) {
  set_gate(VECTOR, LANDING_OFFSET, ANY, 0xee);
  target(CODE_READABLE, 0, 1);
  v86_code(int_n, sizeof int_n);
  ready();
  run_ring(0, enter_v86);
  equal("v86-int", landed.count, 1);
  equal("v86-ip", landed_stack[0], 2);
  equal("v86-cs", landed_stack[1] & 0xffff, 0x7c0);
  equal("v86-eflags", landed_stack[2], EFLAGS_VM | 0x3002);
  equal("v86-sp", landed_stack[3], 0x0ffe);
  equal("v86-ss", landed_stack[4] & 0xffff, 0x5000);
  equal("v86-es", landed_stack[5] & 0xffff, 0x4444);
  equal("v86-ds", landed_stack[6] & 0xffff, 0x3333);
  equal("v86-fs", landed_stack[7] & 0xffff, 0x2222);
  equal("v86-gs", landed_stack[8] & 0xffff, 0x1111);
  equal("v86-handler-segments", landed.ds | landed.es | landed.fs | landed.gs, 0);
  equal("v86-handler-vm", landed.eflags & EFLAGS_VM, 0);

  /* The handler must be in ring 0 and not conforming. */
  for (u32 i = 0; i < (strict ? 5 : 3); i++) {
    static const u8 access[] = {0xfa, 0x9e, 0xfe, 0xba, 0xda};
    set_descriptor(ANY, LANDING_BASE, 0xfffff, access[i], 0xc);
    run_ring(0, enter_v86);
    compare("v86 handler", outcome(), raises(VECTOR_GP, ANY));
  }
  verdict("v86-handler-level", strict ? 5 : 3);
  target(CODE_READABLE, 0, 1);
  set_gate(VECTOR, LANDING_OFFSET, ANY, 0xce);
  run_ring(0, enter_v86);
  equal("v86-int-gate-dpl", outcome(), raises(VECTOR_GP, IDT_ERROR(VECTOR)));
  set_gate(VECTOR, LANDING_OFFSET, ANY, 0xee);
  v86_flags = EFLAGS_VM | 0x2002;
  run_ring(0, enter_v86);
  equal("v86-int-iopl", outcome(), raises(VECTOR_GP, 0));
  v86_flags = EFLAGS_VM | 0x3002;
  instructions();
  if (!strict) return;
  /* An EIP that is not in the segment: IRET faults, and nothing of virtual-8086 mode is there yet. */
  __builtin_memcpy((void *)(V86_CODE + 0x10000), ud2, sizeof ud2);
  v86_code(int_n, sizeof int_n);
  v86_ip = 0x10000;
  run_ring(0, enter_v86);
  equal("v86-iret-limit", outcome(), GP_0);
  equal("v86-iret-limit-cs", fault.cs & 0xffff, KERNEL_CODE);
  /* The same from virtual-8086 mode. */
  static const u8 iretd[] = {0x66, 0xcf};
  v86_code(iretd, sizeof iretd);
  u32 *stack = (u32 *)(v86_ss * 16 + v86_esp);
  stack[0] = 0x10000;
  stack[1] = v86_cs;
  stack[2] = 2;
  run_ring(0, enter_v86);
  equal("v86-iretd-limit", outcome(), GP_0);
  equal("v86-iretd-limit-eip", fault.eip, 0);
}

void run(void) {
  strict = has_word("strict");
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  extend_gdt();
  virtual_8086();
}
