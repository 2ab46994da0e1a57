/* debug.c: breakpoints of DR0 to DR3 on instructions, data and ports, single stepping, general detect, INT1, what MOV SS holds
 * back, and alignment checks. SDM vol. 3A 6.8.3, 6.15 (interrupts 1 and 17), 17.2, 17.3.1.
 * Word `strict` on the command line: also what QEMU 7.2 does not do. */
#include "guest.h"

#define VECTOR_AC 17
#define EFLAGS_RF 0x10000u
#define CR0_AM 0x40000u
#define CR4_DE 8u
#define DR6_BD 0x2000u
#define DR6_BS 0x4000u
#define DR6_NOTHING 0xffff0ff0u
#define DR7_GD 0x2000u
/* R/W and LEN of DR7. */
#define EXECUTE 0u
#define WRITE 1u
#define PORT 2u
#define ACCESS 3u

#define DEBUG_REGISTER(n)                                             \
  static u32 read_dr##n(void) {                                       \
    u32 value;                                                        \
    __asm__ volatile("mov %%dr" #n ", %0" : "=r"(value));             \
    return value;                                                     \
  }                                                                   \
  static void write_dr##n(u32 value) { __asm__ volatile("mov %0, %%dr" #n : : "r"(value) : "memory"); }
DEBUG_REGISTER(0)
DEBUG_REGISTER(1)
DEBUG_REGISTER(2)
DEBUG_REGISTER(3)
DEBUG_REGISTER(6)
DEBUG_REGISTER(7)

/* Every #DB since the last `forget`, in order. */
#define MOST 64
static volatile u32 count, eips[MOST], sixes[MOST], flags[MOST], resume;

static void record(struct trap *trap) {
  if (count < MOST) {
    eips[count] = trap->eip;
    sixes[count] = read_dr6() & 0xe00f;
    flags[count] = trap->eflags;
  }
  count++;
  write_dr6(DR6_NOTHING);
  if (resume) trap->eflags |= EFLAGS_RF;
}

static void forget(void) {
  write_dr7(0x400);
  write_dr6(DR6_NOTHING);
  /* Processors may report a breakpoint that is met but not enabled. */
  write_dr0(0);
  write_dr1(0);
  write_dr2(0);
  write_dr3(0);
  count = 0;
  resume = 0;
}

static void arm(u32 n, u32 address, u32 kind, u32 bytes) {
  u32 length = bytes == 4 ? 3 : bytes - 1;
  if (n == 0) write_dr0(address);
  if (n == 1) write_dr1(address);
  if (n == 2) write_dr2(address);
  if (n == 3) write_dr3(address);
  write_dr7(read_dr7() | 0x400 | 2u << (n * 2) | (kind | length << 2) << (16 + n * 4));
}

/* `count` #DBs were met, the last at `eip` with these bits of DR6. */
static void met(const char *name, u32 wanted, u32 eip, u32 bits) {
  u32 last = count - 1;
  if (count != wanted || (wanted && (eips[last] != eip || sixes[last] != bits))) {
    check(name, 0);
    print("  ");
    print_decimal(count);
    print(" met, the last at ");
    print_hex(count ? eips[last] : 0);
    print(" with ");
    print_hex(count ? sixes[last] : 0);
    print(" instead of ");
    print_decimal(wanted);
    print(" at ");
    print_hex(eip);
    print(" with ");
    print_hex(bits);
    print("\n");
    return;
  }
  check(name, 1);
}

/* In assembly: the place that the next instruction has, and the one behind the last, where there is always another. */
#define LABEL(name) "\n.globl " #name "\n" #name ":\n\t"
#define BEHIND(name) LABEL(name) "nop"

/* ---- instructions ---- */

extern char loop_body[], loop_end[], nop_1[], nop_2[], string_at[], string_behind[];

static __attribute__((noinline)) void run_loop(u32 rounds) {
  __asm__ volatile(
      ".globl loop_body, loop_end\n"
      "1:\n\tnop\nloop_body:\n\taddl $1, %%eax\n\tdecl %%ecx\n\tjnz 1b\nloop_end:\n\tnop"
      : "+c"(rounds)
      :
      : "eax", "cc");
}

static void instructions(void) {
  forget();
  run_loop(3);
  resume = 1;
  arm(0, (u32)loop_body, EXECUTE, 1);
  run_loop(20);
  met("instruction-loop", 20, (u32)loop_body, 1);
  equal("instruction-rf-in-image", flags[0] & EFLAGS_RF, 0);

  forget();
  resume = 1;
  arm(1, (u32)loop_body, EXECUTE, 1);
  arm(2, (u32)loop_end, EXECUTE, 1);
  run_loop(2);
  met("instruction-two", 3, (u32)loop_end, 4);

  forget();
  write_dr0((u32)loop_body);
  write_dr7(0x400);
  run_loop(2);
  met("instruction-disabled", 0, 0, 0);
  write_dr7(0x401);
  resume = 1;
  run_loop(2);
  met("instruction-local", 2, (u32)loop_body, 1);

  forget();
  arm(0, (u32)loop_body + 1, EXECUTE, 1);
  run_loop(5);
  met("instruction-inside", 0, 0, 0);
  forget();
}

static u32 user_loop(void) {
  run_loop(4);
  return 77;
}

static void user_instructions(void) {
  forget();
  resume = 1;
  arm(0, (u32)loop_body, EXECUTE, 1);
  equal("user-instruction-result", run_user(user_loop), 77);
  met("user-instruction", 4, (u32)loop_body, 1);
  forget();
}

/* ---- data ---- */

static volatile u32 words[8] __attribute__((aligned(64)));
extern char behind_write_1[], behind_write_2[], behind_write_4[], behind_read[], behind_modify[], behind_push[];

static __attribute__((noinline)) void write_1(u32 at) {
  __asm__ volatile("movb $1, (%0)" BEHIND(behind_write_1) : : "r"(at) : "memory");
}
static __attribute__((noinline)) void write_2(u32 at) {
  __asm__ volatile("movw $1, (%0)" BEHIND(behind_write_2) : : "r"(at) : "memory");
}
static __attribute__((noinline)) void write_4(u32 at) {
  __asm__ volatile("movl $1, (%0)" BEHIND(behind_write_4) : : "r"(at) : "memory");
}
static __attribute__((noinline)) void read_4(u32 at) {
  __asm__ volatile("movl (%0), %%eax" BEHIND(behind_read) : : "r"(at) : "eax", "memory");
}
static __attribute__((noinline)) void modify_4(u32 at) {
  __asm__ volatile("addl $1, (%0)" BEHIND(behind_modify) : : "r"(at) : "memory", "cc");
}

static void data(void) {
  u32 at = (u32)words;
  forget();
  arm(0, at + 4, WRITE, 4);
  write_4(at + 4);
  met("write", 1, (u32)behind_write_4, 1);
  write_1(at + 7);
  met("write-last-byte", 2, (u32)behind_write_1, 1);
  write_2(at + 3);
  met("write-overlap", 3, (u32)behind_write_2, 1);
  write_4(at);
  write_4(at + 8);
  met("write-beside", 3, (u32)behind_write_2, 1);
  read_4(at + 4);
  met("write-not-read", 3, (u32)behind_write_2, 1);
  modify_4(at + 4);
  met("write-modify", 4, (u32)behind_modify, 1);

  forget();
  arm(1, at + 2, ACCESS, 2);
  read_4(at);
  met("access-read", 1, (u32)behind_read, 2);
  write_1(at + 3);
  met("access-write", 2, (u32)behind_write_1, 2);
  write_1(at + 4);
  read_4(at + 4);
  met("access-beside", 2, (u32)behind_write_1, 2);

  forget();
  arm(2, at + 1, WRITE, 1);
  write_1(at);
  write_1(at + 2);
  met("byte-beside", 0, 0, 0);
  write_4(at);
  met("byte", 1, (u32)behind_write_4, 4);

  forget();
  u32 esp;
  __asm__ volatile("mov %%esp, %0" : "=r"(esp));
  arm(0, esp - 4, WRITE, 4);
  __asm__ volatile("pushl $5" LABEL(behind_push) "pop %%eax" : : : "eax", "memory");
  write_dr7(0x400); /* the check pushes too */
  met("push", 1, (u32)behind_push, 1);
  forget();
}

extern char movs_at[], movs_behind[];

static void strings(void) {
  static u8 from[16], to[16] __attribute__((aligned(16)));
  forget();
  arm(0, (u32)to + 5, WRITE, 1);
  u32 left = 16;
  const void *source = from;
  void *target = to;
  __asm__ volatile(
      LABEL(movs_at) "rep movsb" BEHIND(movs_behind)
      : "+S"(source), "+D"(target), "+c"(left)
      :
      : "memory");
  met("rep-movs", 1, (u32)movs_at, 1);
  equal("rep-movs-done", left, 0);
  forget();
}

/* ---- ports ---- */

extern char behind_out[], behind_out_2[];

static void ports(void) {
  forget();
  write_cr4(read_cr4() | CR4_DE);
  arm(0, 0x80, PORT, 1);
  __asm__ volatile("outb %%al, $0x80" BEHIND(behind_out) : : "a"(0));
  met("port", 1, (u32)behind_out, 1);
  __asm__ volatile("outb %%al, $0x84\n\tnop" : : "a"(0));
  met("port-beside", 1, (u32)behind_out, 1);
  forget();
  arm(2, 0x80, PORT, 4);
  __asm__ volatile("outb %%al, $0x83" BEHIND(behind_out_2) : : "a"(0));
  met("port-length", 1, (u32)behind_out_2, 4);
  forget();
  PROBE("mov %%dr4, %%eax", "i"(0));
  faulted("dr4-with-de", VECTOR_UD, 0);
  write_cr4(read_cr4() & ~CR4_DE);
}

/* ---- memory that a hypervisor may want to write for the guest: page tables, a device, what INS and OUTS move ---- */

static u32 directory[1024] __attribute__((aligned(4096)));
static u32 table[1024] __attribute__((aligned(4096)));
extern char behind_stos[], stos_at[], behind_ins[], ins_at[], behind_outs[], behind_xchg[];

static void emulated(void) {
  /* 4 MiB onto themselves in pages of 4 KiB; nothing is at those of the last entries. */
  for (u32 i = 0; i < 1024; i++) table[i] = i << 12 | 7;
  directory[0] = (u32)table | 7;
  write_cr3((u32)directory);
  write_cr0(read_cr0() | 0x80000000);
  u32 entry = (u32)&table[1000];
  write_4(entry);

  forget();
  arm(0, entry, WRITE, 4);
  write_4(entry);
  met("table-write", 1, (u32)behind_write_4, 1);
  write_4(entry + 4);
  met("table-write-beside", 1, (u32)behind_write_4, 1);
  write_2(entry + 2);
  met("table-write-half", 2, (u32)behind_write_2, 1);
  equal("table-write-rf", flags[1] & EFLAGS_RF, 0);
  modify_4(entry);
  met("table-modify", 3, (u32)behind_modify, 1);
  read_4(entry);
  met("table-read", 3, (u32)behind_modify, 1);

  forget();
  arm(1, entry, ACCESS, 1);
  u32 value = 0;
  __asm__ volatile("xchg %0, (%1)" BEHIND(behind_xchg) : "+r"(value) : "r"(entry) : "memory");
  met("table-exchange", 1, (u32)behind_xchg, 2);

  u32 left = 8;
  u32 to = entry;
  forget();
  arm(3, entry + 16, WRITE, 4);
  __asm__ volatile(
      LABEL(stos_at) "rep stosl" BEHIND(behind_stos)
      : "+D"(to), "+c"(left)
      : "a"(0)
      : "memory");
  met("table-rep-stos", 1, (u32)stos_at, 8);

  forget();
  arm(0, 0xb8000, WRITE, 2);
  write_4(0xb8000);
  met("device-write", 1, (u32)behind_write_4, 1);
  read_4(0xb8000);
  met("device-read", 1, (u32)behind_write_4, 1);

  forget();
  arm(2, (u32)words + 8, WRITE, 4);
  left = 5;
  to = (u32)words;
  __asm__ volatile(
      LABEL(ins_at) "rep insl" BEHIND(behind_ins)
      : "+D"(to), "+c"(left)
      : "d"(0x80)
      : "memory");
  met("rep-ins", 1, (u32)ins_at, 4);
  equal("rep-ins-done", left, 0);
  forget();
  arm(2, (u32)words + 8, ACCESS, 4);
  u32 from = (u32)words + 8;
  __asm__ volatile("outsl" BEHIND(behind_outs) : "+S"(from) : "d"(0x80) : "memory");
  met("outs", 1, (u32)behind_outs, 4);

  forget();
  write_cr0(read_cr0() & ~0x80000000);
}

/* ---- single step ---- */

extern char step_1[], step_2[], step_3[], step_int[], rep_at[], rep_behind[], ss_1[], ss_2[];

static void ignore(struct trap *trap) { (void)trap; }

static void steps(void) {
  forget();
  __asm__ volatile(
      ".globl step_1, step_2, step_3\n"
      "pushf\n\torl $0x100, (%%esp)\n\tpopf\n\tnop\nstep_1:\n\tpushf\nstep_2:\n\tandl $~0x100, (%%esp)\n\tpopf\nstep_3:\n\tnop"
      :
      :
      : "memory", "cc");
  met("step", 4, (u32)step_3, DR6_BS);
  equal("step-first", eips[0], (u32)step_1);
  equal("step-second", eips[1], (u32)step_2);

  forget();
  handlers[0x40] = ignore;
  __asm__ volatile(
      ".globl step_int\n"
      "pushf\n\torl $0x100, (%%esp)\n\tpopf\n\tint $0x40\nstep_int:\n\tpushf\n\tandl $~0x100, (%%esp)\n\tpopf\n\tnop"
      :
      :
      : "memory", "cc");
  /* Nothing in the handler, nor behind its IRET: PUSHF, AND, POPF. */
  equal("step-int", count, 3);
  equal("step-int-first", eips[0], (u32)step_int + 1);

  static u8 buffer[8];
  u32 left = 3;
  void *to = buffer;
  forget();
  __asm__ volatile(
      ".globl rep_at, rep_behind\n"
      "pushf\n\torl $0x100, (%%esp)\n\tpopf\nrep_at:\n\trep stosb\nrep_behind:\n\tpushf\n\tandl $~0x100, (%%esp)\n\tpopf\n\tnop"
      : "+D"(to), "+c"(left)
      : "a"(0)
      : "memory", "cc");
  equal("step-rep", count, 6);
  equal("step-rep-first", eips[0], (u32)rep_at);
  equal("step-rep-second", eips[1], (u32)rep_at);
  equal("step-rep-third", eips[2], (u32)rep_behind);

  forget();
  __asm__ volatile(
      ".globl ss_1, ss_2\n"
      "mov %%ss, %%ecx\n\tpushf\n\torl $0x100, (%%esp)\n\tpopf\n\tmov %%ecx, %%ss\nss_1:\n\tnop\nss_2:\n\tpushf\n\t"
      "andl $~0x100, (%%esp)\n\tpopf\n\tnop"
      :
      :
      : "ecx", "memory", "cc");
  equal("step-mov-ss", eips[0], (u32)ss_2);
  equal("step-mov-ss-count", count, 4);

  forget();
  arm(0, (u32)words, WRITE, 4);
  __asm__ volatile(
      "pushf\n\torl $0x100, (%%esp)\n\tpopf\n\tmovl $1, words\n\tpushf\n\tandl $~0x100, (%%esp)\n\tpopf\n\tnop"
      :
      :
      : "memory", "cc");
  equal("step-and-data", sixes[0], DR6_BS | 1);
  forget();
}

extern char held[];

static void held_by_mov_ss(void) {
  static volatile u16 selector = KERNEL_DATA;
  forget();
  arm(0, (u32)&selector, ACCESS, 2);
  __asm__ volatile("movw (%0), %%ss\n\tnop" BEHIND(held) : : "r"(&selector));
  met("mov-ss-holds-data", 1, (u32)held, 1);
  forget();
}

/* ---- registers, general detect, INT1 ---- */

extern char detect_at[], icebp_behind[];
static volatile u32 seven_in_handler;

static void record_seven(struct trap *trap) {
  seven_in_handler = read_dr7();
  record(trap);
}

static void registers(void) {
  forget();
  write_dr0(0x12345678);
  write_dr1(0x11111111);
  write_dr2(0x22222222);
  write_dr3(0x87654321);
  equal("dr0", read_dr0(), 0x12345678);
  equal("dr1", read_dr1(), 0x11111111);
  equal("dr2", read_dr2(), 0x22222222);
  equal("dr3", read_dr3(), 0x87654321);
  write_dr6(0);
  equal("dr6-fixed", read_dr6() & 0xffff1ff0, 0xffff0ff0);
  write_dr7(0);
  equal("dr7-fixed", read_dr7() & 0xd400, 0x400);
  write_dr6(DR6_NOTHING);

  u32 value;
  __asm__ volatile("mov %0, %%dr6\n\tmov %%dr4, %1" : : "r"(DR6_NOTHING | 1), "r"(0) : "memory");
  __asm__ volatile("mov %%dr4, %0" : "=r"(value));
  equal("dr4-is-dr6", value & 0xf, 1);
  write_dr6(DR6_NOTHING);
}

static void detect_and_int1(void) {
  u32 value;
  forget();
  handlers[VECTOR_DB] = record_seven;
  write_dr7(0x400 | DR7_GD);
  __asm__ volatile(LABEL(detect_at) "mov %%dr0, %0" : "=r"(value));
  met("general-detect", 1, (u32)detect_at, DR6_BD);
  equal("general-detect-clears-gd", seven_in_handler & DR7_GD, 0);
  handlers[VECTOR_DB] = record;
  forget();

  PROBE(".byte 0xf1" BEHIND(icebp_behind), "i"(0));
  met("int1", 1, (u32)icebp_behind, 0);
  forget();
}

/* The breakpoint of a repeated instruction, masked addresses, two breakpoints at once. */
static void breakpoint_corners(void) {
  u32 at = (u32)words;
  forget();
  static u8 buffer[32];
  resume = 1;
  arm(3, (u32)string_at, EXECUTE, 1);
  u32 left = 20;
  void *to = buffer;
  __asm__ volatile(
      LABEL(string_at) "rep stosb" BEHIND(string_behind)
      : "+D"(to), "+c"(left)
      : "a"(1)
      : "memory");
  met("instruction-rep-once", 1, (u32)string_at, 8);
  equal("instruction-rep-done", left, 0);
  forget();
  arm(0, at + 7, WRITE, 4); /* the low bits are masked off: at + 4 to at + 7 */
  write_1(at + 4);
  met("length-masks-address", 1, (u32)behind_write_1, 1);
  write_1(at + 8);
  met("length-masks-address-end", 1, (u32)behind_write_1, 1);

  forget();
  arm(0, at, WRITE, 4);
  arm(3, at + 1, ACCESS, 1);
  write_4(at);
  met("two-at-once", 1, (u32)behind_write_4, 9);
  equal("data-rf-in-image", flags[0] & EFLAGS_RF, 0);
  forget();
}

/* A breakpoint on the last byte of REP MOVS is met behind the whole instruction. */
static void last_iteration(void) {
  static u8 from[16], to[16] __attribute__((aligned(16)));
  u32 left;
  const void *source;
  void *target;
  forget();
  arm(0, (u32)to + 15, WRITE, 1);
  left = 16;
  source = from;
  target = to;
  __asm__ volatile("jmp movs_at_2\n\t.globl movs_behind_2\nmovs_at_2:\n\trep movsb\nmovs_behind_2:\n\tnop"
                   : "+S"(source), "+D"(target), "+c"(left)
                   :
                   : "memory");
  extern char movs_behind_2[];
  met("rep-movs-last", 1, (u32)movs_behind_2, 1);
  forget();
}

static u32 user_dr(void) {
  __asm__ volatile("mov %%dr0, %%eax" : : : "eax");
  return 1;
}

/* ---- alignment ---- */

static u32 aligned(void) {
  __asm__ volatile(
      "pushf\n\torl $0x40000, (%%esp)\n\tpopf\n\tmovl words+4, %%eax\n\tmovw words+2, %%ax\n\tmovb words+1, %%al\n\t"
      "pushf\n\tandl $~0x40000, (%%esp)\n\tpopf"
      :
      :
      : "eax", "memory", "cc");
  return 5;
}
#define MISALIGNED(name, code)                                                                              \
  static u32 name(void) {                                                                                   \
    __asm__ volatile("pushf\n\torl $0x40000, (%%esp)\n\tpopf\n\t" code : : : "eax", "ecx", "memory", "cc"); \
    return 1;                                                                                               \
  }
MISALIGNED(misaligned_read, "movl words+2, %%eax")
MISALIGNED(misaligned_word, "movw words+1, %%ax")
MISALIGNED(misaligned_write, "movl %%eax, words+1")
MISALIGNED(misaligned_modify, "addl $1, words+3")
MISALIGNED(misaligned_stack, "leal -2(%%esp), %%esp\n\tpushl %%eax")
MISALIGNED(misaligned_quadword, "fldl words+4")
MISALIGNED(misaligned_string, "movl $words+1, %%esi\n\tlodsl")
static u32 without_ac(void) {
  __asm__ volatile("movl words+2, %%eax" : : : "eax");
  return 6;
}

static void alignment_case(const char *name, u32 (*function)(void)) {
  run_user(function);
  faulted(name, VECTOR_AC, 0);
}

static void alignment(void) {
  write_cr0(read_cr0() | CR0_AM);
  equal("aligned", run_user(aligned), 5);
  equal("alignment-off", run_user(without_ac), 6);
  alignment_case("misaligned-read", misaligned_read);
  alignment_case("misaligned-word", misaligned_word);
  alignment_case("misaligned-write", misaligned_write);
  alignment_case("misaligned-modify", misaligned_modify);
  alignment_case("misaligned-stack", misaligned_stack);
  alignment_case("misaligned-quadword", misaligned_quadword);
  alignment_case("misaligned-string", misaligned_string);
  PROBE("pushf\n\torl $0x40000, (%%esp)\n\tpopf\n\tmovl words+2, %%eax\n\tpushf\n\tandl $~0x40000, (%%esp)\n\tpopf", "i"(0));
  equal("alignment-ring-0", fault.vector, FAULT_NONE);
  write_cr0(read_cr0() & ~CR0_AM);
  equal("alignment-without-am", run_user(misaligned_read), 1);
}

void run(void) {
  int strict = has_word("strict");
  u32 eax, ebx, ecx, edx;
  handlers[VECTOR_DB] = record;
  registers();
  instructions();
  user_instructions();
  data();
  strings();
  steps();
  run_user(user_dr);
  faulted("user-dr", VECTOR_GP, 0);
  cpuid(1, &eax, &ebx, &ecx, &edx);
  if (edx & 4) ports();
  emulated();
  if (strict) {
    breakpoint_corners();
    last_iteration();
    detect_and_int1();
    held_by_mov_ss();
    alignment();
  }
}
