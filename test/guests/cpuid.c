/* cpuid.c: the processor's own account, held against what it does: every leaf printed (`leaf N: EAX EBX ECX EDX`), then
 * features tried one by one. SDM vol. 2A CPUID.
 * Word `strict` on the command line: also what QEMU 7.2 does not do (#GP for unsupported bits of CR4 and unknown MSRs). */
#include "guest.h"

#define EFLAGS_ID (1u << 21)

static u32 feature_edx, feature_ecx;

static u32 user_cpuid(void) {
  u32 eax, ebx, ecx, edx;
  cpuid(1, &eax, &ebx, &ecx, &edx);
  return eax ^ edx;
}

static u32 flip_id(void) {
  u32 before, after;
  __asm__ volatile(
      "pushf\n\tpop %0\n\tmov %0, %1\n\txor %2, %1\n\tpush %1\n\tpopf\n\tpushf\n\tpop %1\n\tpush %0\n\tpopf"
      : "=&r"(before), "=&r"(after)
      : "i"(EFLAGS_ID)
      : "cc");
  return before ^ after;
}

static void print_leaf(u32 leaf) {
  u32 eax, ebx, ecx, edx;
  cpuid(leaf, &eax, &ebx, &ecx, &edx);
  u32 words[] = {leaf, eax, ebx, ecx, edx};
  print("leaf ");
  for (u32 i = 0; i < 5; i++) {
    print_hex(words[i]);
    print(i == 0 ? ":" : "");
    print(i < 4 ? " " : "\n");
  }
}

/* A bit of CR4 can be set if and only if the processor says so: #GP otherwise. */
static void control_bit(const char *name, u32 bit, u32 supported) {
  if (!supported && !has_word("strict")) return; /* QEMU 7.2 hangs in an SVM exit of its own */
  u32 saved = read_cr4();
  PROBE("movl %0, %%cr4", "r"(saved | bit));
  if (supported) {
    equal(name, read_cr4() & bit, bit);
    write_cr4(saved);
  } else {
    faulted(name, VECTOR_GP, 0);
  }
}

static void leaves(void) {
  u32 eax, ebx, ecx, edx, highest;
  cpuid(0, &highest, &ebx, &ecx, &edx);
  check("highest-basic-leaf", highest >= 1 && highest < 0x100);
  char vendor[13];
  u32 words[] = {ebx, edx, ecx};
  __builtin_memcpy(vendor, words, 12);
  vendor[12] = 0;
  print("vendor ");
  print(vendor);
  print("\n");
  for (u32 leaf = 0; leaf <= highest; leaf++) print_leaf(leaf);
  cpuid(1, &eax, &ebx, &feature_ecx, &feature_edx);
  check("family", (eax >> 8 & 15) >= 5);
  if (feature_ecx >> 31) print_leaf(0x40000000);
  cpuid(0x80000000, &eax, &ebx, &ecx, &edx);
  if (eax >> 31) {
    for (u32 leaf = 0x80000000; leaf <= eax; leaf++) print_leaf(leaf);
  }
}

static void counters(void) {
  if (feature_edx & 1 << 4) {
    u32 low, high, low_2, high_2;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    for (volatile u32 i = 0; i < 1000; i++) continue;
    __asm__ volatile("rdtsc" : "=a"(low_2), "=d"(high_2));
    check("tsc-advances", high_2 > high || (high_2 == high && low_2 > low));
  }
  if (feature_edx & 1 << 5) {
    PROBE("rdmsr", "c"(0x10));
    equal("msr-tsc", fault.vector, FAULT_NONE);
    if (has_word("strict")) { /* QEMU 7.2 gives 0 for any MSR */
      PROBE("rdmsr", "c"(0x3fffffff));
      faulted("msr-unknown", VECTOR_GP, 0);
    }
  }
}

static void instructions(void) {
  if (feature_edx & 1 << 8) {
    u64 memory = 0x1122334455667788ull;
    u32 eax = 0x55667788, edx = 0x11223344;
    u8 equal_flag;
    __asm__ volatile("cmpxchg8b %0\n\tsetz %1" : "+m"(memory), "=q"(equal_flag), "+a"(eax), "+d"(edx) : "b"(1), "c"(2) : "cc");
    check("cx8", equal_flag && memory == 0x200000001ull);
  }
  if (feature_edx & 1 << 15) {
    u32 value = 1;
    __asm__ volatile("cmp %1, %1\n\tcmovz %2, %0" : "+r"(value) : "r"(0), "r"(7) : "cc");
    equal("cmov", value, 7);
  }
  if (feature_edx & 1 << 24) {
    static u8 area[512] __attribute__((aligned(16)));
    area[0] = 0xff;
    __asm__ volatile("fninit\n\tfxsave %0" : "=m"(area));
    equal("fxsr", area[0] | area[1] << 8, 0x37f);
  }
  PROBE("ud2");
  faulted("ud2", VECTOR_UD, 0);
}

void run(void) {
  equal("id-flag", flip_id(), EFLAGS_ID);
  leaves();
  u32 same = user_cpuid();
  equal("same-in-ring-3", run_user(user_cpuid), same);
  control_bit("cr4-pse", 1 << 4, feature_edx & 1 << 3);
  control_bit("cr4-pae", 1 << 5, feature_edx & 1 << 6);
  control_bit("cr4-pge", 1 << 7, feature_edx & 1 << 13);
  control_bit("cr4-osfxsr", 1 << 9, feature_edx & 1 << 24);
  control_bit("cr4-tsd", 1 << 2, feature_edx & 1 << 4);
  control_bit("cr4-smep", 1 << 20, 0);
  counters();
  instructions();
}
