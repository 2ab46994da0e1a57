/* format.c: a small printf: %s %c %d %u %x (8 digits) %%, with a width for %s, %d and %u ("-" pads on the right).
 * Compiled twice, for the kernel and for the programs; each gives its own place to put the characters. */
#include "kernel.h"

static void pad(sink put, u32 length, u32 width) {
  for (; length < width; length++) put(' ');
}

static void put_text(sink put, const char *text, u32 width, bool left) {
  u32 length = strlen(text);
  if (!left) pad(put, length, width);
  for (const char *at = text; *at; at++) put(*at);
  if (left) pad(put, length, width);
}

static void put_decimal(sink put, u32 value, bool negative, u32 width, bool left) {
  char digits[12];
  char *at = digits + sizeof digits - 1;
  *at = 0;
  do {
    *--at = '0' + value % 10;
    value /= 10;
  } while (value);
  if (negative) *--at = '-';
  put_text(put, at, width, left);
}

static void put_hexadecimal(sink put, u32 value) {
  for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}

void format(sink put, const char *text, va_list arguments) {
  for (; *text; text++) {
    if (*text != '%') {
      put(*text);
      continue;
    }
    text++;
    bool left = *text == '-';
    if (left) text++;
    u32 width = 0;
    while (*text >= '0' && *text <= '9') width = width * 10 + (*text++ - '0');
    switch (*text) {
      case 's':
        put_text(put, va_arg(arguments, const char *), width, left);
        break;
      case 'c':
        put((char)va_arg(arguments, int));
        break;
      case 'd': {
        int value = va_arg(arguments, int);
        put_decimal(put, value < 0 ? -(u32)value : (u32)value, value < 0, width, left);
        break;
      }
      case 'u':
        put_decimal(put, va_arg(arguments, u32), false, width, left);
        break;
      case 'x':
        put_hexadecimal(put, va_arg(arguments, u32));
        break;
      default:
        put(*text);
    }
  }
}
