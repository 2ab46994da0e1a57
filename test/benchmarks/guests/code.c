/* code.c: code that changes while it runs. */
#include "bench.h"

typedef u32 (*function)(void);

static const u8 loop[] = {
    0xb9, 24, 0, 0, 0,   /* mov ecx, 24 */
    0x31, 0xc0,          /* xor eax, eax */
    0x2d, 0, 0, 0, 0,    /* 1: sub eax, imm32 at offset 8 */
    0xc1, 0xc8, 9,       /* ror eax, 9 */
    0x49,                /* dec ecx */
    0x75, 0xf5,          /* jnz 1b */
    0xc3,                /* ret */
};

static u8 *place_loop(void) {
  u8 *code = HEAP + (3 << 20);
  for (u32 i = 0; i < sizeof loop; i++) code[i] = loop[i];
  return code;
}

/* The operand of a loop's instruction is patched before each call. */
u32 patch(u32 count) {
  u8 *code = place_loop();
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) {
    *(volatile u32 *)(code + 8) = i * 0x01000193u;
    sum = sum * 31 + ((function)code)();
  }
  return sum;
}

/* A new function of 40 instructions that is called 100 times, as a compiler at run time would make it. */
u32 generate(u32 count) {
  u8 *start = HEAP + (3 << 20);
  u32 sum = 1, state = 2463534242u;
  for (u32 i = 0; i < count; i++) {
    u8 *at = start + (i & 15) * 512;
    function made = (function)at;
    *at++ = 0xb8; /* mov eax, imm32 */
    *(u32 *)at = sum;
    at += 4;
    for (int k = 0; k < 38; k++) {
      u32 choice = random_next(&state);
      static const u8 forms[4][2] = {{0x05, 5}, {0x35, 5}, {0x2d, 5}, {0xc1, 3}}; /* add, xor, sub eax, imm32; rol eax, imm8 */
      const u8 *form = forms[choice & 3];
      *at++ = form[0];
      if (form[1] == 3) {
        *at++ = 0xc0;
        *at++ = (u8)(choice >> 8 & 31);
      } else {
        *(u32 *)at = choice;
        at += 4;
      }
    }
    *at = 0xc3; /* ret */
    __asm__ volatile("" : : : "memory");
    for (int k = 0; k < 100; k++) sum = sum * 3 + made();
  }
  return sum;
}

/* Running code increments a counter that lies in its own page. */
u32 beside(u32 count) {
  static const u8 counting[] = {
      0xff, 0x05, 0, 0, 0, 0, /* inc dword [address at offset 2] */
      0x8b, 0x44, 0x24, 4,    /* mov eax, [esp+4] */
      0xd1, 0xc0,             /* rol eax, 1 */
      0xc3,                   /* ret */
  };
  u8 *code = HEAP + (3 << 20) + 4096;
  for (u32 i = 0; i < sizeof counting; i++) code[i] = counting[i];
  volatile u32 *counter = (volatile u32 *)(code + 2048);
  *(u32 *)(code + 2) = (u32)counter;
  *counter = 0;
  __asm__ volatile("" : : : "memory");
  u32 sum = 0;
  while (count--) sum ^= ((u32(*)(u32))code)(count);
  return sum ^ *counter;
}
