/* string.c: memory and strings. gcc may call memset, memcpy and memmove on its own; the others are for us.
 * Compiled twice, for the kernel and for the programs. */
#include "kernel.h"

void *memset(void *to, int value, u32 bytes) {
  void *at = to;
  __asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(value) : "memory");
  return to;
}

void *memcpy(void *to, const void *from, u32 bytes) {
  void *at = to;
  u32 words = bytes / 4;
  __asm__ volatile("rep movsl" : "+D"(at), "+S"(from), "+c"(words) : : "memory");
  bytes &= 3;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(bytes) : : "memory");
  return to;
}

void *memmove(void *to, const void *from, u32 bytes) {
  if ((u32)to <= (u32)from || (u32)to >= (u32)from + bytes) return memcpy(to, from, bytes);
  u8 *end = (u8 *)to + bytes - 1;
  const u8 *source = (const u8 *)from + bytes - 1;
  __asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(end), "+S"(source), "+c"(bytes) : : "memory");
  return to;
}

u32 strlen(const char *text) {
  u32 length = 0;
  while (text[length]) length++;
  return length;
}

int strcmp(const char *a, const char *b) {
  while (*a && *a == *b) {
    a++;
    b++;
  }
  return (u8)*a - (u8)*b;
}

/* Cuts what does not fit; the result always ends with a zero. */
void copy_string(char *to, const char *from, u32 capacity) {
  u32 i = 0;
  for (; i + 1 < capacity && from[i]; i++) to[i] = from[i];
  to[i] = 0;
}
