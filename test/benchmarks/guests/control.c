/* control.c: calls, indirect jumps, recursion, data-dependent branches, strided loops. */
#include "bench.h"

/* Small functions, each at the start of a page of its own. */
#define PAGE_FUNCTION(number, body)                                                                 \
  static NOINLINE ALIGNED u32 page_##number(u32 x) {                                                \
    body;                                                                                           \
    return x;                                                                                       \
  }
PAGE_FUNCTION(0, x += 0x9e3779b9u)
PAGE_FUNCTION(1, x ^= x >> 15)
PAGE_FUNCTION(2, x = (x & 1 ? x * 5 : x) + 1)
PAGE_FUNCTION(3, x = page_0(x) ^ 0x55)
PAGE_FUNCTION(4, x = page_1(x) + page_2(x))
PAGE_FUNCTION(5, x -= x << 3)
PAGE_FUNCTION(6, x = page_5(page_3(x)))
PAGE_FUNCTION(7, x = page_4(x) ^ page_6(x))

u32 calls(u32 count) {
  u32 x = 1;
  while (count--) x = page_7(x) + count;
  return x;
}

/* Calls through a table whose next entry depends on the data. */
u32 indirect(u32 count) {
  static u32 (*const functions[8])(u32) = {page_0, page_1, page_2, page_3, page_4, page_5, page_6, page_1};
  u32 x = 88172645;
  while (count--) x = functions[x >> 29](x) + count;
  return x;
}

static NOINLINE u32 fibonacci(u32 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
u32 recursion(u32 count) { return fibonacci(count); }

/* A stack machine with a switch: the program is sum = sum * 3 + (i ^ sum >> 7), for i from n down to 1. */
enum op { PUSH_I, PUSH_SUM, PUSH_BYTE, MULTIPLY, ADD, XOR, SHIFT_RIGHT, POP_SUM, NEXT, JUMP_IF_MORE, STOP };

u32 interpreter(u32 count) {
  static const u8 code[] = {PUSH_SUM, PUSH_BYTE, 3,       MULTIPLY, PUSH_I, PUSH_SUM,     PUSH_BYTE, 7,
                            SHIFT_RIGHT, XOR,    ADD,     POP_SUM,  NEXT,   JUMP_IF_MORE, 0,         STOP};
  u32 values[16], *top = values, sum = 1, i = count / 8 + 1;
  const volatile u8 *at = code;
  for (;;) switch ((enum op)*at++) {
      case PUSH_I: *top++ = i; break;
      case PUSH_SUM: *top++ = sum; break;
      case PUSH_BYTE: *top++ = *at++; break;
      case MULTIPLY: top--; top[-1] *= *top; break;
      case ADD: top--; top[-1] += *top; break;
      case XOR: top--; top[-1] ^= *top; break;
      case SHIFT_RIGHT: top--; top[-1] >>= *top & 31; break;
      case POP_SUM: sum = *--top; break;
      case NEXT: i--; break;
      case JUMP_IF_MORE: at = i ? code + *at : at + 1; break;
      default: return sum;
    }
}

static void sort(u32 *low, u32 *high) {
  while (high - low > 12) {
    u32 pivot = low[(high - low) / 2], *i = low - 1, *j = high;
    for (;;) {
      do i++;
      while (*i < pivot);
      do j--;
      while (*j > pivot);
      if (i >= j) break;
      u32 swap = *i;
      *i = *j;
      *j = swap;
    }
    sort(low, j + 1);
    low = j + 1;
  }
  for (u32 *i = low + 1; i < high; i++) {
    u32 value = *i, *j = i;
    for (; j > low && j[-1] > value; j--) *j = j[-1];
    *j = value;
  }
}

u32 quicksort(u32 count) {
  enum { ITEMS = 200000 };
  u32 *items = HEAP_WORDS, state = 2463534242u, sum = 0;
  while (count--) {
    for (u32 i = 0; i < ITEMS; i++) items[i] = random_next(&state);
    sort(items, items + ITEMS);
    for (u32 i = 0; i < ITEMS; i += 97) sum = mix(sum, items[i]);
  }
  return sum;
}

/* Integer matrices of 192 x 192; the inner loop walks a column. */
u32 matrix(u32 count) {
  enum { N = 192 };
  u32 *a = HEAP_WORDS, *b = a + N * N, *c = b + N * N, sum = 0;
  for (u32 i = 0; i < N * N; i++) {
    a[i] = i * 7 + 1;
    b[i] = i ^ i << 3;
  }
  while (count--) {
    for (u32 i = 0; i < N; i++)
      for (u32 j = 0; j < N; j++) {
        u32 dot = 0;
        for (u32 k = 0; k < N; k++) dot += a[i * N + k] * b[k * N + j];
        c[i * N + j] = dot;
      }
    sum = mix(sum, c[count % (N * N)]);
    a[count % (N * N)] ^= sum;
  }
  return sum;
}
