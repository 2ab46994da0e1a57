/* vga.c: the 80x25 text screen: a character and an attribute byte for each cell at B8000h, the cursor in the CRT controller.
 * IBM VGA Technical Reference, "CRT Controller Registers" 0Eh and 0Fh. */
#include "kernel.h"
#include "x86.h"

#define COLUMNS 80
#define ROWS 25
#define ATTRIBUTE 0x0700 /* light grey on black */
#define CRTC_INDEX 0x3d4
#define CRTC_DATA 0x3d5
#define CURSOR_HIGH 0x0e
#define CURSOR_LOW 0x0f

static u16 *const screen = (u16 *)0xb8000;
static u32 cursor;

static void blank(u32 from, u32 to) {
  for (u32 i = from; i < to; i++) screen[i] = ATTRIBUTE | ' ';
}

static void show_cursor(void) {
  outb(CRTC_INDEX, CURSOR_HIGH);
  outb(CRTC_DATA, cursor >> 8);
  outb(CRTC_INDEX, CURSOR_LOW);
  outb(CRTC_DATA, cursor & 0xff);
}

static void put(char character) {
  if (character == '\n') {
    cursor += COLUMNS - cursor % COLUMNS;
  } else if (character == '\r') {
    cursor -= cursor % COLUMNS;
  } else if (character == '\b') {
    if (cursor > 0) cursor--;
  } else if ((u8)character >= ' ') {
    screen[cursor++] = ATTRIBUTE | (u8)character;
  }
  if (cursor >= COLUMNS * ROWS) {
    memmove(screen, screen + COLUMNS, COLUMNS * (ROWS - 1) * sizeof *screen);
    blank(COLUMNS * (ROWS - 1), COLUMNS * ROWS);
    cursor -= COLUMNS;
  }
}

void vga_init(void) {
  blank(0, COLUMNS * ROWS);
  cursor = 0;
  show_cursor();
}

void vga_write(const char *text, u32 bytes) {
  for (u32 i = 0; i < bytes; i++) put(text[i]);
  show_cursor();
}
