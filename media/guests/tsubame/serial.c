/* serial.c: the first serial port (COM1), a 16550 UART at 115200 baud, 8N1. Sending polls, receiving interrupts (IRQ 4).
 * National Semiconductor PC16550D datasheet, section 8 (registers). */
#include "kernel.h"
#include "x86.h"

#define COM1 0x3f8
#define DATA (COM1 + 0)    /* RBR when read, THR when written; divisor low with DLAB */
#define IER (COM1 + 1)     /* divisor high with DLAB */
#define FCR (COM1 + 2)
#define LCR (COM1 + 3)
#define MCR (COM1 + 4)
#define LSR (COM1 + 5)
#define SCRATCH (COM1 + 7)

#define IER_RECEIVED 0x01
#define FCR_ENABLE_CLEAR 0x07
#define LCR_8N1 0x03
#define LCR_DLAB 0x80
#define MCR_DTR_RTS_OUT2 0x0b /* OUT2 connects the UART to its interrupt line on a PC */
#define LSR_DATA_READY 0x01
#define LSR_THR_EMPTY 0x20
#define FIFO_BYTES 16

static bool present;

static void receive(void) {
  while (inb(LSR) & LSR_DATA_READY) tty_input(inb(DATA));
}

/* False if there is no UART: its scratch register does not remember. */
bool serial_init(void) {
  outb(SCRATCH, 0x5a);
  present = inb(SCRATCH) == 0x5a;
  if (!present) return false;
  outb(IER, 0);
  outb(LCR, LCR_DLAB);
  outb(DATA, 1); /* 115200 / 1 */
  outb(IER, 0);
  outb(LCR, LCR_8N1);
  outb(FCR, FCR_ENABLE_CLEAR);
  outb(MCR, MCR_DTR_RTS_OUT2);
  return true;
}

/* Interrupts wait until the kernel can take them. */
void serial_listen(void) {
  if (!present) return;
  irq_install(4, receive);
  outb(IER, IER_RECEIVED);
}

/* An empty transmitter takes a whole FIFO: one status read for up to 16 bytes, each line feed with its carriage return. */
void serial_write(const char *text, u32 bytes) {
  if (!present) return;
  u32 room = 0;
  for (u32 i = 0; i < bytes; i++) {
    if (room < 2) {
      while (!(inb(LSR) & LSR_THR_EMPTY)) continue;
      room = FIFO_BYTES;
    }
    if (text[i] == '\n') {
      outb(DATA, '\r');
      room--;
    }
    outb(DATA, text[i]);
    room--;
  }
}
