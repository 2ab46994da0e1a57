/* memory.c: streams, random and dependent accesses, the stack, string instructions. */
#include "bench.h"

/* 16 MiB copied with a change, then summed. */
u32 stream(u32 count) {
  enum { WORDS = 4 << 20 };
  u32 *from = HEAP_WORDS, *to = from + WORDS, sum = 0;
  for (u32 i = 0; i < WORDS; i++) from[i] = i * 3;
  while (count--) {
    for (u32 i = 0; i < WORDS; i++) to[i] = from[i] ^ count;
    for (u32 i = 0; i < WORDS; i++) sum += to[i];
  }
  return sum;
}

/* Read-modify-write of random words of 64 MiB: 16,384 pages. */
u32 random_access(u32 count) {
  u32 x = 1, sum = 0;
  for (u32 i = 0; i < 16 << 20; i += 1024) HEAP_WORDS[i] = i;
  while (count--) {
    x = x * 1664525u + 1013904223u;
    u32 *word = HEAP_WORDS + (x >> 8);
    *word += x;
    sum ^= *word;
  }
  return sum;
}

/* One cycle through 32,768 cache lines in a scattered order: each address comes from the load before. */
u32 list(u32 count) {
  enum { NODES = 1 << 15, STEP = 12345 };
  for (u32 i = 0; i < NODES; i++) {
    u32 *node = HEAP_WORDS + i * 16;
    node[0] = (u32)(HEAP_WORDS + (i + STEP) % NODES * 16);
    node[1] = i;
  }
  u32 *node = HEAP_WORDS, sum = 0;
  while (count--) {
    sum = sum * 5 + node[1];
    node = (u32 *)node[0];
  }
  return sum;
}

/* PUSH, POP, CALL, RET and LEAVE as compiled code uses them. */
u32 stack(u32 count) {
  u32 a = 1, b = 2;
  __asm__ volatile("jmp 2f; 1: push %%ebp; mov %%esp, %%ebp; push %0; push %1; add 8(%%ebp), %0; pop %1; pop %0; xor 8(%%ebp), %0; leave; ret;"
                   "2: push %2; call 1b; pop %1; add %1, %0; dec %2; jnz 2b"
                   : "+r"(a), "+r"(b), "+r"(count)
                   :
                   : "cc", "memory");
  return a ^ b;
}

static void copy_words(void *to, const void *from, u32 words) {
  __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}
static void copy_bytes(void *to, const void *from, u32 bytes) {
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}
static void fill_heap(void) {
  for (u32 i = 0; i < 1 << 20; i++) HEAP[i] = (u8)(i * 11 + 5) | 1;
}
static u32 heap_sum(u32 offset) {
  u32 sum = 0;
  for (u32 i = 0; i < 4096; i++) sum = mix(sum, HEAP_WORDS[(offset >> 2) + i * 32]);
  return sum;
}

/* REP MOVSD of a page. */
u32 movs(u32 count) {
  fill_heap();
  for (u32 i = 0; i < count; i++) copy_words(HEAP + (2 << 20) + (i & 127) * 4096, HEAP + (i * 3 & 127) * 4096, 1024);
  return heap_sum(2 << 20);
}

/* REP MOVSB of 1 to 31 bytes at odd addresses. */
u32 movs_short(u32 count) {
  fill_heap();
  for (u32 i = 0; i < count; i++) copy_bytes(HEAP + (1 << 20) + (i * 37 & 0xffff), HEAP + (i * 29 & 0xffff), (i & 30) + 1);
  return heap_sum(1 << 20);
}

/* REP STOSD of a page. */
u32 stos(u32 count) {
  for (u32 i = 0; i < count; i++) {
    void *to = HEAP + (i & 127) * 4096;
    u32 words = 1024;
    __asm__ volatile("rep stosl" : "+D"(to), "+c"(words) : "a"(i) : "memory");
  }
  return heap_sum(0);
}

/* REPNE SCASB: the length of strings of some 4000 bytes. */
u32 scas(u32 count) {
  fill_heap();
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) {
    u8 *from = HEAP + (i & 63) * 4096, *at = from;
    u32 left = ~0u;
    from[4000 + (i & 31)] = 0;
    __asm__ volatile("repne scasb" : "+D"(at), "+c"(left) : "a"(0) : "cc", "memory");
    sum += (u32)(at - from) * (i | 1);
  }
  return sum;
}

/* REPE CMPSD of pages that differ near the end. */
u32 cmps(u32 count) {
  for (u32 i = 0; i < 1 << 19; i++) HEAP[i] = HEAP[i + (1 << 20)] = (u8)(i * 7);
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) {
    u8 *a = HEAP + (i & 63) * 4096, *b = a + (1 << 20);
    u32 left = 1024;
    ((u32 *)a)[1000 + (i & 15)] = i;
    __asm__ volatile("repe cmpsl" : "+S"(a), "+D"(b), "+c"(left) : : "cc", "memory");
    sum += left * (i | 1);
  }
  return sum;
}
