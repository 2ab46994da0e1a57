/* prefixes.c: what makes an instruction one: LOCK, length, redundant prefixes, REP where it means nothing, undefined opcodes, instructions that lie
 * across pages; and the small print of the stack instructions. The code is written to memory byte by byte and called.
 * SDM vol. 2, 2.1, appendix A; LOCK, PUSH, POP, ENTER, LEAVE; vol. 3A 6.15 (#UD, #GP, #PF), 6.8.3.
 * Word `strict`: also what QEMU 7.2 does not do. */
#include "rules.h"

#define HOLE (AREA + 0x3000) /* a page that is not present */
#define PAGE (AREA + 0x2000) /* the one before it */
#include "hole.h"

static int strict;
static volatile u32 cell[4];

/* Calls the code at `at` with EAX = 1, ECX = 2, EDX = 3 and EBX pointing to `cell`; it ends in RET, or in an exception. */
static u32 entry, result;
static u32 do_call(void) {
  u32 eax = 1, ecx = 2, edx = 3;
  __asm__ volatile("pusha\n\tcall *%4\n\tmovl %%eax, %3\n\tpopa"
                   : "+a"(eax), "+c"(ecx), "+d"(edx), "=m"(result)
                   : "m"(entry), "b"(cell)
                   : "memory", "cc");
  return 1;
}

static void call_at(u32 address, const u8 *code, u32 bytes) {
  __builtin_memcpy((void *)address, code, bytes);
  *(u8 *)(address + bytes) = 0xc3;
  cell[0] = cell[1] = cell[2] = cell[3] = 0;
  entry = address;
  run_ring(0, do_call);
}

struct piece {
  const char *name;
  u32 bytes;
  u8 code[20];
  u32 should;
};
#define GP (VECTOR_GP << 16)
#define UD (VECTOR_UD << 16)
#define NONE FAULT_NONE

static void pieces(const char *name, const struct piece *all, u32 count) {
  for (u32 i = 0; i < count; i++) {
    type = i;
    call_at(PAGE, all[i].code, all[i].bytes);
    compare(all[i].name, outcome(), all[i].should);
    if (all[i].should != NONE) compare(all[i].name, fault.eip, PAGE);
  }
  equal(name, wrong, 0);
  tried = wrong = 0;
}
#define PIECES(name, all) pieces(name, all, sizeof all / sizeof all[0])

/* ---- LOCK ---- */

static const struct piece lock_allowed[] = {
    {"add-memory", 3, {0xf0, 0x01, 0x03}, NONE},
    {"add-immediate", 4, {0xf0, 0x83, 0x03, 1}, NONE},
    {"or", 3, {0xf0, 0x09, 0x03}, NONE},
    {"adc", 3, {0xf0, 0x11, 0x03}, NONE},
    {"sbb", 3, {0xf0, 0x19, 0x03}, NONE},
    {"and", 3, {0xf0, 0x21, 0x03}, NONE},
    {"sub", 3, {0xf0, 0x29, 0x03}, NONE},
    {"xor", 3, {0xf0, 0x31, 0x03}, NONE},
    {"not", 3, {0xf0, 0xf7, 0x13}, NONE},
    {"neg", 3, {0xf0, 0xf7, 0x1b}, NONE},
    {"inc", 3, {0xf0, 0xff, 0x03}, NONE},
    {"dec", 3, {0xf0, 0xff, 0x0b}, NONE},
    {"xchg", 3, {0xf0, 0x87, 0x03}, NONE},
    {"xadd", 4, {0xf0, 0x0f, 0xc1, 0x03}, NONE},
    {"cmpxchg", 4, {0xf0, 0x0f, 0xb1, 0x03}, NONE},
    {"cmpxchg8b", 4, {0xf0, 0x0f, 0xc7, 0x0b}, NONE},
    {"bts", 4, {0xf0, 0x0f, 0xab, 0x03}, NONE},
    {"btr", 4, {0xf0, 0x0f, 0xb3, 0x03}, NONE},
    {"btc-immediate", 5, {0xf0, 0x0f, 0xba, 0x3b, 1}, NONE},
};
static const struct piece lock_refused[] = {
    {"add-register", 3, {0xf0, 0x01, 0xc0}, UD},
    {"add-from-memory", 3, {0xf0, 0x03, 0x03}, UD},
    {"add-immediate-register", 4, {0xf0, 0x83, 0xc0, 1}, UD},
    {"add-al", 3, {0xf0, 0x04, 1}, UD},
    {"cmp-memory", 3, {0xf0, 0x39, 0x03}, UD},
    {"cmp-immediate", 4, {0xf0, 0x83, 0x3b, 1}, UD},
    {"not-register", 3, {0xf0, 0xf7, 0xd0}, UD},
    {"test", 7, {0xf0, 0xf7, 0x03, 1, 0, 0, 0}, UD},
    {"mul", 3, {0xf0, 0xf7, 0x23}, UD},
    {"inc-register", 2, {0xf0, 0x40}, UD},
    {"push-memory", 4, {0xf0, 0xff, 0x33, 0x58}, UD},
    {"xchg-register", 3, {0xf0, 0x87, 0xc1}, UD},
    {"xadd-register", 4, {0xf0, 0x0f, 0xc1, 0xc0}, UD},
    {"cmpxchg8b-register", 4, {0xf0, 0x0f, 0xc7, 0xc9}, UD},
    {"bt", 4, {0xf0, 0x0f, 0xa3, 0x03}, UD},
    {"bt-immediate", 5, {0xf0, 0x0f, 0xba, 0x23, 1}, UD},
    {"mov", 3, {0xf0, 0x89, 0x03}, UD},
    {"nop", 2, {0xf0, 0x90}, UD},
    {"shl", 3, {0xf0, 0xd1, 0x23}, UD},
    {"lea", 3, {0xf0, 0x8d, 0x03}, UD},
    {"cmps", 2, {0xf0, 0xa6}, UD},
    {"call", 7, {0xf0, 0xe8, 0, 0, 0, 0, 0x58}, UD},
    {"mov-cr", 4, {0xf0, 0x0f, 0x20, 0xc0}, UD},
    {"ud-and-lock", 3, {0xf0, 0x0f, 0x0b}, UD},
};

/* ---- length and prefixes ---- */

static const struct piece prefixed[] = {
    {"length-15", 15, {0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x90}, NONE},
    {"length-16", 16, {0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x90}, GP},
    {"length-15-immediate", 15, {0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0xb8, 1, 0, 0, 0}, NONE},
    {"length-16-immediate", 16, {0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0xb8, 1, 0, 0, 0}, GP},
    {"length-16-undefined", 17, {0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x0f, 0x0b}, GP},
    {"sizes-twice", 5, {0x66, 0x66, 0x67, 0x67, 0x90}, NONE},
    {"rep-nop", 2, {0xf3, 0x90}, NONE},
    {"repne-nop", 2, {0xf2, 0x90}, NONE},
    {"rep-add", 3, {0xf3, 0x01, 0x03}, NONE},
    {"repne-add", 3, {0xf2, 0x01, 0x03}, NONE},
    {"rep-mov", 6, {0xf3, 0xb8, 1, 0, 0, 0}, NONE},
    {"rep-ret", 1, {0xf3}, NONE},
    {"both-reps", 3, {0xf2, 0xf3, 0x90}, NONE},
    {"segment-on-ret", 1, {0x2e}, NONE},
    {"hint", 3, {0x2e, 0x74, 0}, NONE},
    {"all-segments", 7, {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x90}, NONE},
    {"rep-lock-add", 4, {0xf3, 0xf0, 0x01, 0x03}, NONE},
};

static const struct piece undefined[] = {
    {"0f04", 2, {0x0f, 0x04}, UD},
    {"0f0a", 2, {0x0f, 0x0a}, UD},
    {"ud2", 2, {0x0f, 0x0b}, UD},
    {"0f0c", 2, {0x0f, 0x0c}, UD},
    {"0f24", 3, {0x0f, 0x24, 0xc0}, UD},
    {"0f36", 2, {0x0f, 0x36}, UD},
    {"0f7a", 3, {0x0f, 0x7a, 0xc0}, UD},
    {"ud1", 3, {0x0f, 0xb9, 0xc0}, UD},
    {"ud0", 3, {0x0f, 0xff, 0xc0}, UD},
    {"fe-2", 2, {0xfe, 0xd0}, UD},
    {"fe-7", 2, {0xfe, 0xf8}, UD},
    {"ff-7", 2, {0xff, 0xf8}, UD},
    {"0fba-0", 4, {0x0f, 0xba, 0xc0, 1}, UD},
    {"0f00-6", 3, {0x0f, 0x00, 0xf0}, UD},
    {"lea-register", 2, {0x8d, 0xc0}, UD},
    {"les-register", 2, {0xc4, 0xc0}, UD},
    {"lss-register", 3, {0x0f, 0xb2, 0xc0}, UD},
    {"call-far-register", 2, {0xff, 0xd8}, UD},
    {"jmp-far-register", 2, {0xff, 0xe8}, UD},
    {"lgdt-register", 3, {0x0f, 0x01, 0xd3}, UD},
    {"invlpg-register", 3, {0x0f, 0x01, 0xfa}, UD},
    {"mov-cr1", 3, {0x0f, 0x20, 0xc8}, UD},
    {"mov-cr5", 3, {0x0f, 0x20, 0xe8}, UD},
    {"mov-cr7", 3, {0x0f, 0x22, 0xf8}, UD},
};

static const struct piece undefined_groups[] = {
    {"8f-1", 2, {0x8f, 0xc8}, UD},
    {"c6-1", 3, {0xc6, 0xc8, 0}, UD},
    {"c7-1", 6, {0xc7, 0xc8, 0, 0, 0, 0}, UD},
};

/* ---- across pages ---- */

static void crossing(void) {
  static const u8 long_mov[] = {0xc7, 0x43, 4, 0x78, 0x56, 0x34, 0x12}; /* mov $12345678h, 4(%ebx) */
  for (u32 inside = 0; inside <= sizeof long_mov; inside++) {
    u32 at = HOLE - inside;
    __builtin_memcpy((void *)at, long_mov, inside);
    entry = at;
    cell[1] = 0;
    run_ring(0, do_call);
    type = inside;
    compare("pf", outcome(), VECTOR_PF << 16);
    compare("cr2", fault.cr2, HOLE);
    /* All of it in the page: it is done, and what follows faults. */
    compare("eip", fault.eip, inside == sizeof long_mov ? HOLE : at);
    compare("stored", cell[1], inside == sizeof long_mov ? 0x12345678 : 0);
  }
  verdict("crossing-code", 8 * 4);

  /* Undefined in the first page: whatever lies in the second does not matter, if it belongs to the instruction or not. */
  static const u8 ud2[] = {0x0f, 0x0b}, invalid[] = {0xfe, 0xf8};
  __builtin_memcpy((void *)(HOLE - 2), ud2, 2);
  entry = HOLE - 2;
  run_ring(0, do_call);
  equal("ud-at-end", outcome(), UD);
  __builtin_memcpy((void *)(HOLE - 2), invalid, 2);
  run_ring(0, do_call);
  equal("ud-group-at-end", outcome(), UD);
  /* Fifteen prefixes at the end of the page: too long before anything of the next page is needed. */
  __builtin_memset((void *)(HOLE - 15), 0x3e, 15);
  entry = HOLE - 15;
  run_ring(0, do_call);
  equal("prefixes-at-end", outcome(), strict ? GP : outcome());
  __builtin_memset((void *)(HOLE - 14), 0x3e, 14);
  entry = HOLE - 14;
  run_ring(0, do_call);
  equal("prefixes-then-hole", outcome(), VECTOR_PF << 16);

  /* Data across the pages: nothing is stored; the address is that of the first byte in the hole. */
  static const struct piece stores[] = {
      {"mov", 6, {0xc7, 0x00, 0xff, 0xff, 0xff, 0xff}, 0}, {"movw", 5, {0x66, 0xc7, 0x00, 0xff, 0xff}, 0},
      {"add", 3, {0x83, 0x00, 0x01}, 0},                   {"xchg", 2, {0x87, 0x08}, 0},
      {"bts", 3, {0x0f, 0xab, 0x08}, 0},                   {"pop", 2, {0x8f, 0x00}, 0},
      {"sgdt", 3, {0x0f, 0x01, 0x00}, 0},                  {"cmpxchg", 3, {0x0f, 0xb1, 0x08}, 0},
  };
  for (u32 i = 0; i < sizeof stores / sizeof stores[0]; i++) {
    u8 code[20] = {0xb8}; /* mov $..., %eax */
    *(u32 *)(code + 1) = HOLE - 1;
    __builtin_memcpy(code + 5, stores[i].code, stores[i].bytes);
    *(u8 *)(HOLE - 1) = 0x5a;
    type = i;
    call_at(PAGE, code, 5 + stores[i].bytes);
    compare(stores[i].name, strict ? outcome() : outcome() | 2, VECTOR_PF << 16 | 2); /* QEMU reads first */
    compare("cr2", fault.cr2, HOLE);
    compare("eip", fault.eip, PAGE + 5);
    if (i != 6 || strict) compare("memory", *(u8 *)(HOLE - 1), 0x5a);
  }
  equal("crossing-data", wrong, 0);
  tried = wrong = 0;
}

/* ---- stack ---- */

static void stack_details(void) {
  u32 before, value, after;
  __asm__ volatile("mov %%esp, %0\n\tpush %%esp\n\tpop %1" : "=&r"(before), "=&r"(value));
  equal("push-esp", value, before);
  __asm__ volatile("mov %%esp, %0\n\tpush $0\n\tpush $0x1234\n\tpop (%%esp)\n\tmov %%esp, %1\n\tpop %2"
                   : "=&r"(before), "=&r"(after), "=&r"(value));
  equal("pop-at-esp", value, 0x1234);
  equal("pop-at-esp-where", before - after, 4);
  __asm__ volatile("mov %%esp, %%ecx\n\tpush %%ecx\n\tpop %%esp\n\tmov %%esp, %1\n\tmov %%ecx, %%esp\n\tmov %%ecx, %0"
                   : "=&r"(before), "=&r"(after)
                   :
                   : "ecx");
  equal("pop-esp", after, before);
  __asm__ volatile("mov %%esp, %0\n\tpushw %%sp\n\tpopw %w1\n\tmov %%esp, %2" : "=&r"(before), "=&r"(value), "=&r"(after));
  equal("push-sp", value & 0xffff, before & 0xffff);
  equal("push-sp-balanced", after, before);
  __asm__ volatile("mov %%esp, %0\n\tpushl %%ds\n\tmov %%esp, %1\n\tpop %2" : "=&r"(before), "=&r"(after), "=&r"(value));
  equal("push-segment-bytes", before - after, 4);
  __asm__ volatile("mov %%esp, %0\n\tpushw %%ds\n\tmov %%esp, %1\n\tpopw %w2" : "=&r"(before), "=&r"(after), "=&r"(value));
  equal("push-segment-16-bytes", before - after, 2);

  /* ENTER with levels copies frame pointers, its own as the last. */
  static u32 frames[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  __asm__ volatile(
      "push %%ebp\n\tmov %%esp, %%ecx\n\tlea 16(%2), %%ebp\n\tenter $8, $3\n\t"
      "mov %%ecx, %0\n\tsub %%esp, %0\n\tmov 16(%%esp), %1\n\tmov %%ecx, %%esp\n\tpop %%ebp"
      : "=&r"(after), "=&r"(value)
      : "r"(frames)
      : "ecx", "memory");
  equal("enter-3-bytes", after, 4 + 2 * 4 + 4 + 8);
  equal("enter-3-frame", value, 4); /* the word under EBP, pushed first */

  /* A 16-bit stack: SP wraps, the upper half of ESP stays and does not count. */
  set_descriptor(ANY, AREA + 0x10000, 0xffff, 0x93, 0);
  u32 high;
  __asm__ volatile(
      "mov %%esp, %%ecx\n\tmov %%ss, %%edx\n\tmovw %w3, %%ss\n\tmovl $0x12340000, %%esp\n\t"
      "pushl $0x55667788\n\tmov %%esp, %0\n\tpopl %1\n\tmov %%esp, %2\n\tmov %%edx, %%ss\n\tmov %%ecx, %%esp"
      : "=&r"(after), "=&r"(value), "=&r"(high)
      : "r"(ANY)
      : "ecx", "edx", "memory");
  equal("stack-16-wrap", after, 0x1234fffc);
  equal("stack-16-pop", value, 0x55667788);
  equal("stack-16-high", high, 0x12340000);
}

/* 16-bit addresses in 32-bit code, and what the address size changes besides. */
static void address_sizes(void) {
  u32 value, count;
  __asm__ volatile("mov $0xffffffff, %%ebx\n\tmov $0x10001, %%esi\n\tlea 3(%%bx,%%si), %0" : "=r"(value) : : "ebx", "esi");
  equal("lea-16", value, 3);
  __asm__ volatile("mov $0xffffffff, %%ebx\n\tlea 3(%%bx), %w0\n\tmovzwl %w0, %0" : "=&r"(value) : : "ebx");
  equal("lea-16-16", value, 2);
  __asm__ volatile("mov $0xffff0002, %%ecx\n\txor %0, %0\n1:\tinc %0\n\taddr16 loop 1b\n\tmov %%ecx, %1"
                   : "=&r"(value), "=r"(count)
                   :
                   : "ecx", "cc");
  equal("loop-16", value, 2);
  equal("loop-16-ecx", count, 0xffff0000);
  u32 taken = 0;
  __asm__ volatile("mov $0x10000, %%ecx\n\tjcxz 1f\n\tincl %0\n1:\tjecxz 2f\n\torl $2, %0\n2:" : "+r"(taken) : : "ecx", "cc");
  equal("jcxz", taken, 2);
  *(volatile u32 *)0x7000 = 0x11223344;
  __asm__ volatile("mov $0xabc07000, %%esi\n\tmov $0xabc07100, %%edi\n\tmov $0xabc00002, %%ecx\n\taddr16 rep movsw\n\tmov %%esi, %0\n\tmov %%ecx, %1"
                   : "=r"(value), "=r"(count)
                   :
                   : "esi", "edi", "ecx", "memory");
  equal("movs-16-esi", value, 0xabc07004);
  equal("movs-16-ecx", count, 0xabc00000);
}

void run(void) {
  strict = has_word("strict");
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  extend_gdt();
  paging();
  PIECES("lock", lock_allowed);
  if (strict) PIECES("lock-refused", lock_refused);
  PIECES("prefixes", prefixed);
  PIECES("undefined", undefined);
  if (strict) PIECES("undefined-groups", undefined_groups);
  crossing();
  stack_details();
  address_sizes();
}
