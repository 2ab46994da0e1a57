/* interrupts.c: exceptions and their error codes, software interrupts, gates, privilege changes, debug exceptions, the 8259A
 * and the 8254 as interrupt sources, interrupt shadows, HLT, nesting, task switches and a double fault through a task gate.
 * SDM vol. 3A 5.5-5.8, 6.8-6.15, 7.2-7.4, 17.2; 8259A datasheet.
 * Word `strict` on the command line: also what QEMU 7.2 does not do (segment types, limits and null segments at each access;
 * the EXT bit in error codes). */
#include "guest.h"

#define COM1 0x3f8
#define EFLAGS_IF 0x200u
#define EFLAGS_NT 0x4000u
#define CR0_TS 8u

static int strict;
static volatile u32 hits[256], last_eip[256], last_eflags[256], inside_eflags, in_service;

static u32 eflags(void) {
  u32 value;
  __asm__ volatile("pushf\n\tpop %0" : "=r"(value));
  return value;
}

static u8 code_at(u32 address) { return *(volatile u8 *)address; }

static void count(struct trap *trap) {
  hits[trap->vector]++;
  last_eip[trap->vector] = trap->eip;
  last_eflags[trap->vector] = trap->eflags;
  inside_eflags = eflags();
}

/* ---- exceptions ---- */

static void exceptions(void) {
  PROBE("int3");
  faulted("int3", VECTOR_BP, 0);
  equal("int3-trap", code_at(fault.eip - 1), 0xcc);
  PROBE("movb $0x7f, %%al\n\taddb $1, %%al\n\tinto", "i"(0));
  faulted("into", VECTOR_OF, 0);
  equal("into-trap", code_at(fault.eip - 1), 0xce);
  static const u32 bounds[2] = {0, 3};
  PROBE("movl $5, %%eax\n\tboundl %%eax, (%0)", "r"(bounds));
  faulted("bound", VECTOR_BR, 0);
  equal("bound-fault", code_at(fault.eip), 0x62);
  PROBE("divl %0", "r"(0), "d"(0));
  faulted("divide-by-zero", VECTOR_DE, 0);
  PROBE("movl $1, %%eax\n\tdivl %0", "r"(1), "d"(1));
  faulted("divide-overflow", VECTOR_DE, 0);
  PROBE("ud2");
  faulted("ud2", VECTOR_UD, 0);
  equal("ud2-fault", code_at(fault.eip), 0x0f);
  write_cr0(read_cr0() | CR0_TS);
  PROBE("fnop");
  faulted("device-not-available", VECTOR_NM, 0);
  __asm__ volatile("clts");
}

static void gates(void) {
  handlers[0x40] = count;
  __asm__ volatile("sti\n\tint $0x40\n\tcli");
  equal("int-n", hits[0x40], 1);
  equal("int-n-eip", code_at(last_eip[0x40] - 2), 0xcd);
  equal("int-n-saves-if", last_eflags[0x40] & EFLAGS_IF, EFLAGS_IF);
  equal("interrupt-gate-clears-if", inside_eflags & EFLAGS_IF, 0);
  set_gate(0x40, (u32)isr_stubs + 16 * 0x40, KERNEL_CODE, 0x8f);
  __asm__ volatile("sti\n\tint $0x40\n\tcli");
  equal("trap-gate-keeps-if", inside_eflags & EFLAGS_IF, EFLAGS_IF);

  set_gate(0x41, (u32)isr_stubs, KERNEL_CODE, 0x0e);
  PROBE("int $0x41");
  faulted("gate-not-present", VECTOR_NP, 0x41 * 8 + 2);
  equal("gate-fault-eip", code_at(fault.eip), 0xcd);
  set_gate(0x41, (u32)isr_stubs, 0, 0x8e);
  PROBE("int $0x41");
  faulted("gate-null-selector", VECTOR_GP, 0);
  set_gate(0x41, (u32)isr_stubs, KERNEL_DATA, 0x8e);
  PROBE("int $0x41");
  faulted("gate-to-data", VECTOR_GP, KERNEL_DATA);
  set_gate(0x41, (u32)isr_stubs, 0x58, 0x8e);
  PROBE("int $0x41");
  faulted("gate-beyond-gdt", VECTOR_GP, 0x58);
  set_gate(0x41, (u32)isr_stubs, KERNEL_CODE, 0x82);
  PROBE("int $0x41");
  faulted("gate-of-wrong-type", VECTOR_GP, 0x41 * 8 + 2);

  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) shorter = {0x42 * 8 - 1, (u32)idt}, whole = {sizeof idt - 1, (u32)idt};
  __asm__ volatile("lidt %0" : : "m"(shorter));
  PROBE("int $0x42");
  __asm__ volatile("lidt %0" : : "m"(whole));
  faulted("beyond-idt", VECTOR_GP, 0x42 * 8 + 2);
}

/* ---- segments ---- */

static void spare(u8 access, u32 limit) { set_descriptor(SPARE, 0, limit, access, limit == 0xfffff ? 0xc : 0x4); }

static void segments(void) {
  spare(0x12, 0xfffff);
  PROBE("movw %w0, %%fs", "r"(SPARE));
  faulted("data-not-present", VECTOR_NP, SPARE);
  PROBE("movw %w0, %%ss", "r"(SPARE));
  faulted("stack-not-present", VECTOR_SS, SPARE);
  spare(0x98, 0xfffff);
  PROBE("movw %w0, %%fs", "r"(SPARE));
  faulted("execute-only", VECTOR_GP, SPARE);
  spare(0x9a, 0xfffff);
  PROBE("movw %w0, %%fs", "r"(SPARE));
  equal("readable-code", fault.vector, FAULT_NONE);
  equal("accessed-bit", (u32)(gdt[SPARE / 8] >> 40) & 0xff, 0x9b);
  __asm__ volatile("movw %w0, %%fs" : : "r"(0)); /* or leaving a trap would load it again */
  PROBE("movw %w0, %%ss", "r"(SPARE));
  faulted("stack-in-code", VECTOR_GP, SPARE);
  spare(0x90, 0xfffff);
  PROBE("movw %w0, %%ss", "r"(SPARE));
  faulted("stack-read-only", VECTOR_GP, SPARE);
  PROBE("movw %w0, %%fs", "r"(0x58));
  faulted("beyond-gdt", VECTOR_GP, 0x58);
  __asm__ volatile("lldt %w0" : : "r"(0));
  PROBE("movw %w0, %%fs", "r"(SPARE | 4));
  faulted("no-ldt", VECTOR_GP, SPARE | 4);
  PROBE("movw %w0, %%ss", "r"(0));
  faulted("stack-null", VECTOR_GP, 0);
  PROBE("movw %w0, %%ss", "r"(KERNEL_DATA | 3));
  faulted("stack-rpl", VECTOR_GP, KERNEL_DATA);
  PROBE("movw %w0, %%ss", "r"(USER_DATA & ~3));
  faulted("stack-dpl", VECTOR_GP, USER_DATA & ~3);
  PROBE("ljmp %0, $0", "i"(KERNEL_DATA));
  faulted("jump-to-data", VECTOR_GP, KERNEL_DATA);
  spare(0x1a, 0xfffff);
  PROBE("ljmp %0, $0", "i"(SPARE));
  faulted("jump-not-present", VECTOR_NP, SPARE);
  PROBE("ljmp %0, $0", "i"(0));
  faulted("jump-null", VECTOR_GP, 0);

  u32 limit = 0, rights = 0;
  __asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(KERNEL_DATA) : "cc");
  equal("lsl", limit, 0xffffffff);
  __asm__ volatile("lar %1, %0" : "=r"(rights) : "r"(USER_DATA) : "cc");
  equal("lar", rights & 0xf0fe00, 0xc0f200);
  __asm__ volatile("movw %w0, %%fs" : : "r"(0));
}

static void segment_accesses(void) {
  static volatile u32 word;
  PROBE("movl %%fs:(%0), %%eax", "r"(&word));
  faulted("null-segment", VECTOR_GP, 0);
  spare(0x90, 0xfffff);
  PROBE("movw %w1, %%fs\n\tmovl $1, %%fs:(%0)", "r"(&word), "r"(SPARE));
  faulted("write-read-only", VECTOR_GP, 0);
  PROBE("movl $1, %%cs:(%0)", "r"(&word));
  faulted("write-code", VECTOR_GP, 0);
  spare(0x92, 0xfff);
  PROBE("movw %w0, %%fs\n\tmovl %%fs:0xffc, %%eax", "r"(SPARE));
  equal("limit-last", fault.vector, FAULT_NONE);
  PROBE("movl %%fs:0xffd, %%eax", "i"(0));
  faulted("limit", VECTOR_GP, 0);
  spare(0x96, 0xfff); /* expands down: valid above FFFh */
  PROBE("movw %w0, %%fs\n\tmovb %%fs:0xfff, %%al", "r"(SPARE));
  faulted("limit-expand-down", VECTOR_GP, 0);
  PROBE("movb %%fs:0x1000, %%al", "i"(0));
  equal("limit-expand-down-above", fault.vector, FAULT_NONE);
  __asm__ volatile("movw %w0, %%fs" : : "r"(0));
}

/* ---- ring 3 ---- */

static u32 user_cli(void) {
  __asm__ volatile("cli");
  return 1;
}
static u32 user_hlt(void) {
  __asm__ volatile("hlt");
  return 1;
}
static u32 user_in(void) { return inb(0x21); }
static u32 user_lidt(void) {
  __asm__ volatile("lidt 0");
  return 1;
}
static u32 user_cr0(void) { return read_cr0(); }
static u32 user_int_kernel(void) {
  __asm__ volatile("int $0x40");
  return 1;
}
static u32 user_int_user(void) {
  __asm__ volatile("int $0x43");
  return 7;
}
static u32 user_popf(void) { /* IF stays as it is when CPL is above IOPL, without a fault */
  u32 after;
  __asm__ volatile("pushf\n\tpop %0\n\txor $0x200, %0\n\tpush %0\n\tpopf\n\tpushf\n\tpop %0" : "=r"(after) : : "cc");
  return after & EFLAGS_IF;
}
static u32 user_iret_to_kernel(void) {
  __asm__ volatile("pushf\n\tpushl $0x08\n\tpushl $0\n\tiret" : : : "memory");
  return 1;
}

/* A call gate from ring 3: the parameter is copied to the inner stack. Returns parameter + CS's RPL there. */
__asm__(
    ".text\n"
    "call_gate_target:\n\t"
    "mov 8(%esp), %eax\n\t" /* behind EIP and CS */
    "mov %cs, %ecx\n\t"
    "and $3, %ecx\n\t"
    "add %ecx, %eax\n\t"
    "lret $4\n");
extern char call_gate_target[];

static u32 user_call_gate(void) {
  u32 result;
  __asm__ volatile("pushl $0x1230\n\tlcall %1, $0" : "=a"(result) : "i"(SPARE + 8 + 3) : "ecx", "memory", "cc");
  return result;
}

static void user_fault(const char *name, u32 (*function)(void), u32 error) {
  run_user(function);
  faulted(name, VECTOR_GP, error);
}

static void privileges(void) {
  user_fault("user-cli", user_cli, 0);
  user_fault("user-hlt", user_hlt, 0);
  user_fault("user-in", user_in, 0);
  user_fault("user-lidt", user_lidt, 0);
  user_fault("user-cr0", user_cr0, 0);
  user_fault("user-int-dpl", user_int_kernel, 0x40 * 8 + 2);
  user_fault("user-iret-inward", user_iret_to_kernel, KERNEL_CODE);
  equal("user-popf", run_user(user_popf), 0);
  handlers[0x43] = count;
  set_gate(0x43, (u32)isr_stubs + 16 * 0x43, KERNEL_CODE, 0xee);
  equal("user-int", run_user(user_int_user), 7);
  equal("user-int-arrived", hits[0x43], 1);

  u32 target = (u32)call_gate_target;
  gdt[SPARE / 8 + 1] = (target & 0xffff) | KERNEL_CODE << 16 | (u64)(0xec01 | (target & 0xffff0000)) << 32;
  equal("call-gate", run_user(user_call_gate), 0x1230);
  gdt[SPARE / 8 + 1] = (target & 0xffff) | KERNEL_CODE << 16 | (u64)(0x8c01 | (target & 0xffff0000)) << 32;
  user_fault("call-gate-dpl", user_call_gate, SPARE + 8);
}

/* ---- debug exceptions ---- */

static u32 read_dr6(void) {
  u32 value;
  __asm__ volatile("mov %%dr6, %0" : "=r"(value));
  return value;
}

static void write_dr6(u32 value) { __asm__ volatile("mov %0, %%dr6" : : "r"(value)); }

static void debug(void) {
  write_dr6(0xffff0ff0);
  PROBE("pushf\n\torl $0x100, (%%esp)\n\tpopf\n\tnop\n\tnop\n\tnop", "i"(0));
  faulted("single-step", VECTOR_DB, 0);
  equal("single-step-eip", code_at(fault.eip - 1) << 16 | code_at(fault.eip) << 8 | code_at(fault.eip + 1), 0x909090);
  equal("single-step-dr6", read_dr6() & 0xe00f, 0x4000);

  static volatile u32 word;
  write_dr6(0xffff0ff0);
  __asm__ volatile("mov %0, %%dr0\n\tmov %1, %%dr7" : : "r"(&word), "r"(0x000d0402)); /* 4 bytes, writes */
  PROBE("movl (%0), %%eax\n\tmovl $1, (%0)\n\tnop", "r"(&word));
  faulted("watch-write", VECTOR_DB, 0);
  equal("watch-write-trap", code_at(fault.eip), 0x90);
  equal("watch-write-done", word, 1);
  equal("watch-write-dr6", read_dr6() & 0xe00f, 1);

  write_dr6(0xffff0ff0);
  __asm__ volatile("mov %0, %%dr0\n\tmov %1, %%dr7" : : "r"(call_gate_target), "r"(0x402));
  PROBE("call call_gate_target");
  faulted("breakpoint", VECTOR_DB, 0);
  equal("breakpoint-fault", fault.eip, (u32)call_gate_target);
  equal("breakpoint-dr6", read_dr6() & 0xe00f, 1);
  __asm__ volatile("mov %0, %%dr7" : : "r"(0x400));
}

/* ---- interrupt controller and timer ---- */

static void mask(u8 master) {
  outb(PIC + 1, master);
  outb(PIC_SLAVE + 1, 0xff);
}

static void eoi(void) { outb(PIC, 0x20); }

static u8 requests(void) {
  outb(PIC, 0x0a);
  return inb(PIC);
}

static u8 in_service_now(void) {
  outb(PIC, 0x0b);
  return inb(PIC);
}

static void wait_request(u8 bits) {
  for (u32 i = 0; i < 100000000 && !(requests() & bits); i++) continue;
}

static void timer_interrupt(struct trap *trap) {
  count(trap);
  in_service = in_service_now();
  eoi();
}

static void start_timer(u32 divisor) {
  outb(0x43, 0x34);
  outb(0x40, divisor & 0xff);
  outb(0x40, divisor >> 8);
}

static void shadows(void) {
  u32 first, second;
  handlers[IRQ] = timer_interrupt;
  wait_request(1);
  __asm__ volatile("sti\n\tnop\n\tnop\n\tcli");
  equal("masked", hits[IRQ], 0);

  mask(0xfe);
  __asm__ volatile("sti\n\tcli\n\tnop\n\tnop");
  equal("sti-cli", hits[IRQ], 0);
  __asm__ volatile(
      "movl $1f, %0\n\tmovl $2f, %1\n\tsti\n\tnop\n1:\n\tnop\n2:\n\tnop\n\tcli"
      : "=&r"(first), "=&r"(second)
      :
      : "memory");
  equal("sti-shadow", last_eip[IRQ], first);
  equal("interrupt-saves-if", last_eflags[IRQ] & EFLAGS_IF, EFLAGS_IF);
  equal("in-service", in_service, 1);
  equal("after-eoi", in_service_now(), 0);

  wait_request(1);
  __asm__ volatile(
      "movl $1f, %0\n\tpushf\n\torl $0x200, (%%esp)\n\tpopf\n1:\n\tnop\n\tnop\n\tcli"
      : "=&r"(first)
      :
      : "memory", "cc");
  equal("popf-no-shadow", last_eip[IRQ], first);

  wait_request(1);
  __asm__ volatile(
      "movl $1f, %0\n\tmov %%ss, %%eax\n\tsti\n\tmov %%eax, %%ss\n\tnop\n1:\n\tnop\n\tcli"
      : "=&r"(first)
      :
      : "eax", "memory");
  check("mov-ss-after-sti", last_eip[IRQ] == first || last_eip[IRQ] == first - 1); /* SDM: may or may not hold off once more */
}

static void halts(void) {
  u32 behind = 0;
  int wakes = 1, eips = 1;
  for (u32 i = 0; i < 10; i++) {
    u32 before = hits[IRQ];
    __asm__ volatile("movl $1f, %0\n\tsti\n\thlt\n1:\n\tcli" : "=&r"(behind) : : "memory");
    wakes &= hits[IRQ] != before;
    eips &= last_eip[IRQ] == behind;
  }
  check("hlt-wakes", wakes);
  check("hlt-eip", eips);
}

static volatile u32 nested, nested_in_service, blocked;

/* IRQ 4 with interrupts on: the timer, of higher priority, comes through before the end of interrupt. */
static void serial_interrupt(struct trap *trap) {
  count(trap);
  outb(COM1 + 1, 0);
  u32 before = hits[IRQ];
  __asm__ volatile("sti");
  for (u32 i = 0; i < 100000000 && hits[IRQ] == before; i++) continue;
  __asm__ volatile("cli");
  nested = hits[IRQ] - before;
  nested_in_service = in_service_now();
  eoi();
}

/* IRQ 0 with interrupts on and IRQ 4 pending: it must wait for the end of interrupt. */
static void greedy_timer_interrupt(struct trap *trap) {
  count(trap);
  outb(COM1 + 1, 2);
  wait_request(1 << 4);
  u32 before = hits[IRQ + 4];
  __asm__ volatile("sti\n\tnop\n\tnop\n\tnop\n\tcli");
  blocked = hits[IRQ + 4] == before;
  handlers[IRQ] = timer_interrupt;
  eoi();
}

static void nesting(void) {
  while ((inb(COM1 + 5) & 0x60) != 0x60) continue;
  handlers[IRQ + 4] = serial_interrupt;
  outb(COM1 + 4, inb(COM1 + 4) | 0x08); /* OUT2 */
  mask(0xee);
  outb(COM1 + 1, 2); /* the transmitter is empty: an interrupt at once */
  wait_request(1 << 4);
  u32 before = hits[IRQ + 4];
  __asm__ volatile("sti\n\tnop\n\tnop\n\tnop\n\tcli");
  u32 came = hits[IRQ + 4] - before;
  mask(0xff);
  equal("serial-interrupt", came, 1);
  check("nested-timer", nested >= 1);
  equal("nested-in-service", nested_in_service, 1 << 4);

  while ((inb(COM1 + 5) & 0x60) != 0x60) continue;
  wait_request(1);
  handlers[IRQ] = greedy_timer_interrupt;
  before = hits[IRQ + 4];
  mask(0xee);
  __asm__ volatile("sti\n\tnop\n\tnop\n\tnop\n\tcli");
  mask(0xff);
  equal("priority-blocks", blocked, 1);
  equal("priority-then-serves", hits[IRQ + 4] - before, 1);
  equal("nothing-in-service", in_service_now(), 0);
}

/* A line that falls before the acknowledge: the 8259A gives IRQ 7 without a bit in service; some give the IRQ all the same. */
static volatile u32 spurious_in_service;
static void spurious(struct trap *trap) {
  count(trap);
  spurious_in_service = in_service_now() & 0x80;
  if (spurious_in_service) eoi();
}

static void withdrawn(struct trap *trap) {
  count(trap);
  eoi();
}

static void withdrawn_request(void) {
  while ((inb(COM1 + 5) & 0x60) != 0x60) continue;
  handlers[IRQ + 7] = spurious;
  handlers[IRQ + 4] = withdrawn;
  u32 before = hits[IRQ + 4] + hits[IRQ + 7];
  mask(0x6f);
  outb(COM1 + 1, 2);
  wait_request(1 << 4);
  outb(COM1 + 1, 0);
  __asm__ volatile("sti\n\tnop\n\tnop\n\tcli");
  mask(0xff);
  check("withdrawn-once-at-most", hits[IRQ + 4] + hits[IRQ + 7] - before <= 1);
  equal("spurious-not-in-service", spurious_in_service, 0);
  equal("withdrawn-nothing-left", in_service_now(), 0);
  outb(PIC, 0x0c); /* poll with no unmasked request */
  equal("poll-none", inb(PIC) & 0x80, 0);
}

/* An external interrupt whose gate is not present: EXT in the error code. */
static void external_error(void) {
  set_gate(IRQ, (u32)isr_stubs, KERNEL_CODE, 0x0e);
  wait_request(1);
  mask(0xfe);
  PROBE("sti\n\tnop\n\tnop\n\tnop\n\tcli");
  __asm__ volatile("cli");
  mask(0xff);
  eoi();
  set_gate(IRQ, (u32)isr_stubs + 16 * IRQ, KERNEL_CODE, 0x8e);
  fault.error |= strict ? 0 : 1;
  faulted("external-gate-not-present", VECTOR_NP, IRQ * 8 + 3);
}

/* ---- tasks ---- */

static struct tss other;
static u32 other_stack[256];
volatile u32 double_faults, double_fault_error, double_fault_resume;

/* Each task loops: the next switch to it goes on behind the instruction that left it. */
__asm__(
    ".text\n"
    "task_by_call:\n\t"
    "incl task_count\n\t"
    "iret\n\t"
    "jmp task_by_call\n"
    "task_by_jump:\n\t"
    "incl task_count\n\t"
    "ljmp $0x28, $0\n\t"
    "jmp task_by_jump\n"
    "double_fault_task:\n\t"
    "incl double_faults\n\t"
    "pop %eax\n\t"
    "mov %eax, double_fault_error\n\t"
    "mov double_fault_resume, %eax\n\t"
    "mov %eax, tss + 32\n\t" /* where the task that faulted goes on */
    "iret\n\t"
    "jmp double_fault_task\n");
extern char task_by_call[], task_by_jump[], double_fault_task[];
volatile u32 task_count;

static void prepare_task(char *entry) {
  __builtin_memset(&other, 0, sizeof other);
  other.eip = (u32)entry;
  other.esp = (u32)(other_stack + 256);
  other.eflags = 2;
  other.cs = KERNEL_CODE;
  other.ss = other.ds = other.es = KERNEL_DATA;
  other.io_map = sizeof other;
  set_descriptor(TASK_2, (u32)&other, sizeof other - 1, 0x89, 0);
}

static u32 task_register(void) {
  u32 value;
  __asm__ volatile("str %0" : "=r"(value));
  return value & 0xffff;
}

static void tasks(void) {
  prepare_task(task_by_call);
  __asm__ volatile("lcall %0, $0" : : "i"(TASK_2) : "memory", "cc");
  equal("task-call", task_count, 1);
  equal("task-link", other.link, TASK);
  equal("task-register", task_register(), TASK);
  equal("task-sets-ts", read_cr0() & CR0_TS, CR0_TS);
  __asm__ volatile("clts");
  equal("task-nt-after", eflags() & EFLAGS_NT, 0);
  equal("task-not-busy", (u32)(gdt[TASK_2 / 8] >> 40) & 0xff, 0x89);
  equal("task-self-busy", (u32)(gdt[TASK / 8] >> 40) & 0xff, 0x8b);
  __asm__ volatile("lcall %0, $0" : : "i"(TASK_2) : "memory", "cc");
  equal("task-call-again", task_count, 2);
  PROBE("lcall %0, $0", "i"(TASK));
  faulted("task-call-busy", VECTOR_GP, TASK);

  prepare_task(task_by_jump);
  __asm__ volatile("ljmp %0, $0" : : "i"(TASK_2) : "memory", "cc");
  equal("task-jump", task_count, 3);
  equal("task-jump-nt", eflags() & EFLAGS_NT, 0);
  __asm__ volatile("clts");

  prepare_task(task_by_call);
  set_gate(0x44, 0, TASK_2, 0x85);
  __asm__ volatile("int $0x44" : : : "memory", "cc");
  equal("task-gate", task_count, 4);
  __asm__ volatile("clts");
}

static void double_fault(void) {
  u64 saved = idt[VECTOR_DF];
  u32 esp_before, esp_after;
  prepare_task(double_fault_task);
  set_gate(VECTOR_DF, 0, TASK_2, 0x85);
  set_gate(VECTOR_GP, 0, KERNEL_CODE, 0x0e); /* #GP cannot be delivered: #NP, and that on top of #GP is #DF */
  for (u32 i = 1; i <= 2; i++) {
    double_fault_error = 0xffffffff;
    __asm__ volatile(
        "movl $1f, double_fault_resume\n\tmov %%esp, %0\n\tmov $0x58, %%eax\n\tmov %%eax, %%fs\n1:\n\tmov %%esp, %1"
        : "=&r"(esp_before), "=&r"(esp_after)
        :
        : "eax", "memory", "cc");
    equal("double-fault", double_faults, i);
    equal("double-fault-error", double_fault_error, 0);
    equal("double-fault-stack", esp_after, esp_before);
    __asm__ volatile("clts");
  }
  set_gate(VECTOR_GP, (u32)isr_stubs + 16 * VECTOR_GP, KERNEL_CODE, 0x8e);
  idt[VECTOR_DF] = saved;
  PROBE("movw %w0, %%fs", "r"(0x58));
  faulted("gp-again", VECTOR_GP, 0x58);
}

void run(void) {
  strict = has_word("strict");
  pic_init(0xff, 0xff);
  exceptions();
  gates();
  segments();
  if (strict) segment_accesses();
  privileges();
  debug();
  start_timer(1193);
  shadows();
  halts();
  nesting();
  withdrawn_request();
  external_error();
  tasks();
  double_fault();
}
