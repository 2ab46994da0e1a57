/* integer.c: integer work in registers and small tables. */
#include "bench.h"

/* Six dependent instructions an iteration. */
u32 arithmetic(u32 count) {
  u32 a = 0x12345678, b = 7, c = 1;
  __asm__ volatile("1: add %3, %0; xor %0, %1; lea (%0, %1, 2), %2; ror $7, %0; dec %3; jnz 1b"
                   : "+r"(a), "+r"(b), "+r"(c), "+r"(count)
                   :
                   : "cc");
  return a ^ b ^ c;
}

/* One megabyte an iteration, a byte at a time through a table of 1 KiB. */
u32 crc32(u32 count) {
  static u32 table[256];
  for (u32 i = 0; i < 256; i++) {
    u32 value = i;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0xedb88320u : value >> 1;
    table[i] = value;
  }
  for (u32 i = 0; i < 1 << 20; i++) HEAP[i] = (u8)(i ^ i >> 9);
  u32 sum = ~0u;
  while (count--)
    for (const u8 *at = HEAP; at < HEAP + (1 << 20); at++) sum = sum >> 8 ^ table[(sum ^ *at) & 0xff];
  return ~sum;
}

/* SHA-256 compressions (FIPS 180-4). The round constants are the cube roots of the first 64 primes, computed. */
static u32 constants[64];

static u32 cube_root_fraction(u32 prime) {
  /* floor(2^32 * cbrt(p)) by bisection in 64 bits: r^3 <= p * 2^96 compared in pieces of 32 bits. */
  u64 low = 0, high = (u64)8 << 32;
  while (high - low > 1) {
    u64 middle = (low + high) >> 1;
    u32 x[2] = {(u32)middle, (u32)(middle >> 32)}, square[4] = {0}, cube[6] = {0};
    for (int i = 0; i < 2; i++) {
      u64 carry = 0;
      for (int j = 0; j < 2; j++) {
        carry += (u64)x[i] * x[j] + square[i + j];
        square[i + j] = (u32)carry;
        carry >>= 32;
      }
      square[i + 2] = (u32)carry;
    }
    for (int i = 0; i < 4; i++) {
      u64 carry = 0;
      for (int j = 0; j < 2; j++) {
        carry += (u64)square[i] * x[j] + cube[i + j];
        cube[i + j] = (u32)carry;
        carry >>= 32;
      }
      cube[i + 2] += (u32)carry;
    }
    if (cube[3] >= prime) {
      high = middle;
    } else {
      low = middle;
    }
  }
  return (u32)low;
}

#define ROTATE(value, bits) ((value) >> (bits) | (value) << (32 - (bits)))

static NOINLINE void compress(u32 *state, const u32 *block) {
  u32 w[64], s[8];
  for (int i = 0; i < 16; i++) w[i] = block[i];
  for (int i = 16; i < 64; i++) {
    u32 near = w[i - 2], far = w[i - 15];
    w[i] = (ROTATE(near, 17) ^ ROTATE(near, 19) ^ near >> 10) + w[i - 7] + (ROTATE(far, 7) ^ ROTATE(far, 18) ^ far >> 3) + w[i - 16];
  }
  for (int i = 0; i < 8; i++) s[i] = state[i];
  for (int i = 0; i < 64; i++) {
    u32 e = s[4], a = s[0];
    u32 one = s[7] + (ROTATE(e, 6) ^ ROTATE(e, 11) ^ ROTATE(e, 25)) + (s[6] ^ (e & (s[5] ^ s[6]))) + constants[i] + w[i];
    u32 two = (ROTATE(a, 2) ^ ROTATE(a, 13) ^ ROTATE(a, 22)) + ((a & s[1]) | (s[2] & (a | s[1])));
    for (int j = 7; j > 0; j--) s[j] = s[j - 1];
    s[4] += one;
    s[0] = one + two;
  }
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

u32 sha256(u32 count) {
  u32 state[8], block[16], number = 2;
  for (int i = 0; i < 64; number++) {
    int prime = 1;
    for (u32 factor = 2; factor * factor <= number; factor++)
      if (number % factor == 0) prime = 0;
    if (prime) constants[i++] = cube_root_fraction(number);
  }
  for (int i = 0; i < 8; i++) state[i] = constants[i];
  for (u32 i = 0; i < 16; i++) block[i] = i * 0x01020408u;
  while (count--) {
    compress(state, block);
    block[count & 15] += state[3];
  }
  return state[0] ^ state[7];
}

/* Multiply and accumulate over 1024 bits, as RSA does it: MUL and chains of ADC. */
u32 bignum(u32 count) {
  enum { WORDS = 32 };
  static u32 x[WORDS], y[WORDS], product[2 * WORDS + 1];
  for (u32 i = 0; i < WORDS; i++) {
    x[i] = (i + 1) * 0x9e3779b9u;
    y[i] = (i + 3) * 0x85ebca6bu;
  }
  u32 sum = 0;
  while (count--) {
    for (u32 i = 0; i < 2 * WORDS; i++) product[i] = 0;
    for (u32 i = 0; i < WORDS; i++) {
      u32 *to = product + i, words = WORDS, carry = 0;
      const u32 *from = x;
      __asm__ volatile(
          "1: mov (%[from]), %%eax; mull %[factor]; add %[carry], %%eax; adc $0, %%edx; add %%eax, (%[to]); adc $0, %%edx;"
          "mov %%edx, %[carry]; lea 4(%[from]), %[from]; lea 4(%[to]), %[to]; decl %[words]; jnz 1b"
          : [from] "+r"(from), [to] "+r"(to), [words] "+m"(words), [carry] "+r"(carry)
          : [factor] "m"(y[i])
          : "eax", "edx", "cc", "memory");
      product[i + WORDS] = carry;
    }
    sum = mix(sum, product[WORDS]);
    for (u32 i = 0; i < WORDS; i++) x[i] = product[i + WORDS / 2] ^ i;
  }
  return sum;
}

/* DIV, IDIV and IMUL. */
u32 division(u32 count) {
  u32 state = 2463534242u, sum = 0;
  while (count--) {
    u32 a = random_next(&state), b = (state >> 20) | 1;
    int quotient = (int)a / (int)b;
    sum += a / b * 31 + a % b;
    sum ^= (u32)(quotient * (int)b);
  }
  return sum;
}

/* Flags that are no compare and branch: SETcc, CMOVcc, SBB masks, RCL, BT, SHRD, parity. */
u32 flags(u32 count) {
  u32 a = 0x13579bdf, b = 0x2468ace0, c = 1;
  __asm__ volatile("1: add %1, %0; setc %b2; rcl $1, %1; sbb %2, %2; cmp %0, %1; cmovb %0, %2; bt $3, %0; adc %2, %1;"
                   "shrd $5, %1, %0; test %1, %1; setp %b2; cmovs %1, %2; xor %2, %0; dec %3; jnz 1b"
                   : "+q"(a), "+q"(b), "+q"(c), "+r"(count)
                   :
                   : "cc");
  return a ^ b ^ c;
}

/* Bytes in tables: RC4's key stream. */
u32 rc4(u32 count) {
  u8 *s = HEAP;
  for (u32 i = 0; i < 256; i++) s[i] = (u8)i;
  u8 i = 0, j = 0;
  for (u32 k = 0; k < 256; k++) {
    j += s[k] + (u8)(k * 7);
    u8 swap = s[k];
    s[k] = s[j];
    s[j] = swap;
  }
  u32 sum = 0;
  while (count--) {
    u8 a = s[++i];
    j += a;
    u8 b = s[j];
    s[i] = b;
    s[j] = a;
    sum = sum * 3 + s[(u8)(a + b)];
  }
  return sum;
}
