/* landing.h: where the transfers of a guest arrive. `landing` notes what it finds and leaves the ring; its selectors and stores go by
 * SS, the one segment that is certain to be usable. */
#ifndef LANDING_H
#define LANDING_H

#include "guest.h"

extern volatile struct {
  u32 cs, ss, esp, eflags, ds, es, fs, gs, count;
} landed;
extern volatile u32 landed_stack[48]; /* from ESP upward */
extern char landing[];

/* Its segment has this base, so that an offset of 16 bits does. */
#define LANDING_BASE ((u32)landing & 0xffff0000)
#define LANDING_OFFSET ((u32)landing & 0xffff)

#define DEFINE_LANDING                                                                            \
  volatile __typeof__(landed) landed;                                                             \
  volatile u32 landed_stack[48];                                                                  \
  __asm__(                                                                                        \
      ".text\n"                                                                                   \
      "landing:\n\t"                                                                              \
      "movl %esp, %ss:landed + 8\n\t"                                                             \
      "pushf\n\tpopl %ss:landed + 12\n\t"                                                         \
      "movl $0, %eax\n\t"                                                                         \
      "movw %cs, %ax\n\tmovl %eax, %ss:landed\n\t"                                                \
      "movw %ss, %ax\n\tmovl %eax, %ss:landed + 4\n\t"                                            \
      "movw %ds, %ax\n\tmovl %eax, %ss:landed + 16\n\t"                                           \
      "movw %es, %ax\n\tmovl %eax, %ss:landed + 20\n\t"                                           \
      "movw %fs, %ax\n\tmovl %eax, %ss:landed + 24\n\t"                                           \
      "movw %gs, %ax\n\tmovl %eax, %ss:landed + 28\n\t"                                           \
      "incl %ss:landed + 32\n\t"                                                                  \
      "movl $0, %ecx\n"                                                                           \
      "1:\tmovl (%esp,%ecx,4), %eax\n\t"                                                          \
      "movl %eax, %ss:landed_stack(,%ecx,4)\n\t"                                                  \
      "incl %ecx\n\tcmpl $48, %ecx\n\tjb 1b\n\t"                                                  \
      "movl $1, %eax\n\t"                                                                         \
      "int $0x81\n")

#endif
