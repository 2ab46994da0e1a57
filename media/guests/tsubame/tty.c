/* tty.c: the one terminal: keyboard and serial line type into it, its output goes to the screen and the serial line.
 * Input is edited here a line at a time; a reader gets whole lines. */
#include "kernel.h"

#define LINE 256
#define QUEUE 1024

#define CONTROL_U 0x15
#define BACKSPACE 0x08
#define DELETE 0x7f

static char line[LINE]; /* being typed */
static u32 line_length;
static char queue[QUEUE]; /* typed, not yet read; the indices run freely, modulo QUEUE where used */
static u32 queue_read, queue_written;

void tty_write(const char *text, u32 bytes) {
  serial_write(text, bytes);
  vga_write(text, bytes);
}

static void rub_out(void) {
  line_length--;
  tty_write("\b \b", 3);
}

static void commit_line(void) {
  tty_write("\n", 1);
  line[line_length++] = '\n';
  if (QUEUE - (queue_written - queue_read) >= line_length) {
    for (u32 i = 0; i < line_length; i++) queue[queue_written++ % QUEUE] = line[i];
    wake(queue);
  }
  line_length = 0;
}

/* Called by the drivers' interrupt handlers. */
void tty_input(u8 character) {
  if (character == '\r' || character == '\n') {
    commit_line();
  } else if (character == BACKSPACE || character == DELETE) {
    if (line_length > 0) rub_out();
  } else if (character == CONTROL_U) {
    while (line_length > 0) rub_out();
  } else if (character >= ' ' && line_length < LINE - 1) {
    line[line_length++] = character;
    tty_write((char *)&character, 1);
  }
}

/* Bytes of at most one line; blocks until there is one. */
u32 tty_read(char *to, u32 capacity) {
  while (queue_read == queue_written) sleep_on(queue);
  u32 bytes = 0;
  while (bytes < capacity && queue_read != queue_written) {
    char character = queue[queue_read++ % QUEUE];
    to[bytes++] = character;
    if (character == '\n') break;
  }
  return bytes;
}

/* print() gathers its characters, so that the UART's FIFO and the cursor are served once for many of them. */
static char pending[64];
static u32 pending_length;

static void flush(void) {
  tty_write(pending, pending_length);
  pending_length = 0;
}

static void put(char character) {
  pending[pending_length++] = character;
  if (pending_length == sizeof pending) flush();
}

void print(const char *text, ...) {
  va_list arguments;
  va_start(arguments, text);
  format(put, text, arguments);
  va_end(arguments);
  flush();
}
