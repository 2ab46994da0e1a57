/* varied.c: what kernels and older compilers execute beside the rest: interrupts let in, per-CPU data, many small functions, bit and byte
 * operations, stack frames of every kind, locked operations, returns to what was pushed. */
#include "bench.h"

/* A loop around some instructions that work on EAX, EDX, ECX, with EBX the heap; EBP counts. */
#define WORK(name, body)                                                                                                       \
  u32 name(u32 count) {                                                                                                        \
    u32 a = 0x13579bdf, d = 0x2468ace0, c = 3;                                                                                 \
    for (u32 i = 0; i < 1024; i++) HEAP_WORDS[i] = i * 0x9e3779b9u;                                                            \
    __asm__ volatile("push %%ebp; mov %[count], %%ebp; 1: " body "; dec %%ebp; jnz 1b; pop %%ebp"                              \
                     : "+a"(a), "+d"(d), "+c"(c), [count] "+S"(count)                                                          \
                     : "b"(HEAP)                                                                                               \
                     : "edi", "cc", "memory");                                                                                 \
    return a ^ d ^ c;                                                                                                          \
  }

/* Interrupts are let in and shut out. */
static WORK(let_in, "sti; nop; cli; pushf; popf; inc %%eax")
u32 sti(u32 count) {
  outb(PIC + 1, 0xff);
  outb(PIC_SLAVE + 1, 0xff);
  return let_in(count);
}

WORK(bits, "bsf %%eax, %%edi; add %%edi, %%edx; bsr %%edx, %%edi; btc %%edi, %%eax; bts $5, (%%ebx); btr %%edi, 4(%%ebx);"
           "bt %%edx, %%eax; adc $3, %%eax; and $0xfff, %%edx; bts %%edx, 64(%%ebx)")
WORK(bytes, "mov %%al, %%dh; add %%ah, %%dl; mov %%dx, %%ax; inc %%ah; rol $4, %%ax; add $0x1234, %%ax; sub %%al, %%dh;"
            "movsbl %%dh, %%edi; movzwl %%dx, %%ecx; imul $77, %%cx, %%cx; add %%edi, %%eax; xor %%cl, %%ch")
WORK(frames, "pusha; popa; enter $16, $0; mov %%eax, -4(%%ebp); leave; pushl (%%ebx); popl 8(%%ebx); push $5; pop %%edx;"
             "pushf; pop %%edi; add %%edx, %%eax")
WORK(locked, "lock incl (%%ebx); lock xadd %%eax, 4(%%ebx); xchg %%edx, 8(%%ebx); lock cmpxchg %%edx, 12(%%ebx);"
             "lock orl $1, 16(%%ebx); lock btsl $3, 20(%%ebx); setc %%dl")
WORK(pushed_returns, "push $2f; ret; 2: push $3f; ret; 3: mov $4f, %%edi; jmp *%%edi; 4: add %%edi, %%eax")

/* Per-CPU data: a segment with a base. */
u32 per_cpu(u32 count) {
  u32 base = (u32)HEAP, sum = 0;
  gdt[SPARE / 8] = 0x00cf92000000ffffull | (u64)(base & 0xffffff) << 16 | (u64)(base >> 24) << 56;
  HEAP_WORDS[4] = HEAP_WORDS[5] = 1;
  __asm__ volatile("mov %[spare], %%fs; 1: mov %%fs:16, %%eax; add %%eax, %[sum]; incl %%fs:20; mov %[sum], %%fs:24(, %[five], 4);"
                   "addl $7, %%fs:16; dec %[count]; jnz 1b; mov %[flat], %%fs"
                   : [sum] "+r"(sum), [count] "+r"(count)
                   : [spare] "r"(SPARE), [flat] "r"(KERNEL_DATA), [five] "r"(5)
                   : "eax", "cc", "memory");
  return sum;
}

/* 512 functions, called in no order that repeats soon. */
#define FUNCTION(n)                                                                                                            \
  static NOINLINE u32 function_##n(u32 x) {                                                                                    \
    x ^= (n + 1) * 0x9e3779b1u;                                                                                                \
    if (x & 1u << n % 31) x = x * 5 + n;                                                                                       \
    for (u32 k = x & 3; k; k--) x += k ^ n;                                                                                    \
    return x << 3 | x >> 29;                                                                                                   \
  }
#define NAME(n) function_##n,
#define EIGHT(m, n) m(n##0) m(n##1) m(n##2) m(n##3) m(n##4) m(n##5) m(n##6) m(n##7)
#define SIXTY_FOUR(m, n) EIGHT(m, n##0) EIGHT(m, n##1) EIGHT(m, n##2) EIGHT(m, n##3) EIGHT(m, n##4) EIGHT(m, n##5) EIGHT(m, n##6) EIGHT(m, n##7)
#define ALL(m) \
  SIXTY_FOUR(m, 1) SIXTY_FOUR(m, 2) SIXTY_FOUR(m, 3) SIXTY_FOUR(m, 4) SIXTY_FOUR(m, 5) SIXTY_FOUR(m, 6) SIXTY_FOUR(m, 7) SIXTY_FOUR(m, 8)
ALL(FUNCTION)
static u32 (*const functions[])(u32) = {ALL(NAME)};

u32 footprint(u32 count) {
  u32 x = 1;
  for (u32 i = 0; i < count; i++) x = functions[(i * 37 + x % 7) & 511](x);
  return x;
}
