/* x86.h: the instructions that C has no words for, one inline function each, and the bits they need.
 * SDM vol. 2 (instructions), vol. 3A 2.5 (control registers), vol. 1 3.4.3 (EFLAGS). */
#ifndef X86_H
#define X86_H

#include "types.h"

#define CR0_WP (1u << 16)
#define CR0_PG (1u << 31)
#define CR4_PGE (1u << 7)
#define EFLAGS_IF (1u << 9)
#define CPUID_EDX_PGE (1u << 13)

static inline void outb(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

static inline u8 inb(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline void cli(void) { __asm__ volatile("cli" : : : "memory"); }

/* STI holds interrupts off for one more instruction: none can slip in between it and HLT and leave us asleep. */
static inline void sti_hlt(void) { __asm__ volatile("sti\n\thlt" : : : "memory"); }

static inline void hlt(void) { __asm__ volatile("hlt" : : : "memory"); }

static inline u32 read_cr0(void) {
  u32 value;
  __asm__ volatile("mov %%cr0, %0" : "=r"(value));
  return value;
}

static inline void write_cr0(u32 value) { __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory"); }

static inline u32 read_cr2(void) {
  u32 value;
  __asm__ volatile("mov %%cr2, %0" : "=r"(value));
  return value;
}

static inline u32 read_cr3(void) {
  u32 value;
  __asm__ volatile("mov %%cr3, %0" : "=r"(value));
  return value;
}

static inline void write_cr3(u32 value) { __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory"); }

static inline u32 read_cr4(void) {
  u32 value;
  __asm__ volatile("mov %%cr4, %0" : "=r"(value));
  return value;
}

static inline void write_cr4(u32 value) { __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory"); }

static inline void invlpg(u32 address) { __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory"); }

static inline void cpuid(u32 leaf, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx) {
  __asm__ volatile("cpuid" : "=a"(*eax), "=b"(*ebx), "=c"(*ecx), "=d"(*edx) : "a"(leaf), "c"(0));
}

#endif
