/* gdt.c: the segments, flat for kernel and user, and the one task-state segment that tells the processor which stack to
 * use when user code traps. No hardware task switching: switch.S does that. SDM vol. 3A 3.4.5 (descriptors), 7.2.1 (TSS). */
#include "kernel.h"

struct tss {
  u32 previous;
  u32 esp0, ss0;
  u32 unused[22];
  u16 trap, io_map;
} __attribute__((packed));

static struct tss tss;

/* Present, 4 KiB granularity, 32 bits, base 0, limit 4 GiB - 1; they differ in type and privilege. */
#define FLAT(access) (0x00cf00000000ffffull | ((u64)(access) << 40))

static u64 gdt[] = {
    0,          /* the null selector */
    FLAT(0x9a), /* 08: kernel code */
    FLAT(0x92), /* 10: kernel data */
    FLAT(0xfa), /* 18: user code */
    FLAT(0xf2), /* 20: user data */
    0,          /* 28: TSS, its base is not a constant expression */
};

static u64 tss_descriptor(void) {
  u64 base = (u32)&tss;
  u64 limit = sizeof tss - 1;
  return limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24) << 56;
}

void gdt_init(void) {
  gdt[TASK_SEGMENT / 8] = tss_descriptor();
  tss.ss0 = KERNEL_DATA;
  tss.io_map = sizeof tss; /* behind the limit: no port for user code */

  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) gdtr = {sizeof gdt - 1, (u32)gdt};

  __asm__ volatile(
      "lgdt %0\n\t"
      "ljmp %1, $1f\n"
      "1:\n\t"
      "mov %2, %%ds\n\t"
      "mov %2, %%es\n\t"
      "mov %2, %%ss\n\t"
      "mov %3, %%fs\n\t"
      "mov %3, %%gs\n\t"
      "ltr %w4"
      :
      : "m"(gdtr), "i"(KERNEL_CODE), "r"(KERNEL_DATA), "r"(0), "r"(TASK_SEGMENT)
      : "memory");
}

void tss_set_kernel_stack(u32 top) { tss.esp0 = top; }
