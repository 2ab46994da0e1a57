/* io.c: port accesses of every size and kind, checked by itself on a 16550 UART (scratch register, loopback, interrupt
 * identification), the RTC's index and data ports, and the PIT's channel 2; the TSS's I/O permission bitmap from ring 3.
 * SDM vol. 1 chapter 19 (I/O), PC16550D and 8254 datasheets. */
#include "guest.h"

#define COM1 0x3f8
#define COM2 0x2f8
#define RBR 0
#define THR 0
#define IER 1
#define IIR 2
#define FCR 2
#define LCR 3
#define MCR 4
#define LSR 5
#define MSR 6
#define SCR 7

#define MCR_LOOP 0x10
#define LSR_DR 0x01
#define LSR_OE 0x02
#define LSR_EMPTY 0x60

static void sizes(void) {
  outb(COM1 + SCR, 0x5a);
  equal("out-in-byte", inb(COM1 + SCR), 0x5a);
  outw(COM1 + MSR, 0xc300); /* two registers at once: MSR ignores its half */
  equal("out-word", inb(COM1 + SCR), 0xc3);
  equal("in-word", inw(COM1 + MSR) >> 8, 0xc3);
  outl(COM1 + MCR, 0x96000000 | inb(COM1 + MCR));
  equal("out-long", inb(COM1 + SCR), 0x96);
  equal("in-long", inl(COM1 + MCR) >> 24, 0x96);

  u32 eax = 0x11223344;
  __asm__ volatile("inb %%dx, %%al" : "+a"(eax) : "d"(COM1 + SCR));
  equal("in-byte-keeps-eax", eax, 0x11223396);
  eax = 0x11223344;
  __asm__ volatile("inw %%dx, %%ax" : "+a"(eax) : "d"(COM1 + MSR));
  equal("in-word-keeps-eax", eax & 0xffffff00, 0x11229600);
  eax = 0x11223344;
  __asm__ volatile("outb %%al, $0x80\n\tinb $0x71, %%al" : "+a"(eax)); /* the immediate forms */
  equal("in-immediate-keeps-eax", eax & 0xffffff00, 0x11223300);
  equal("nobody-byte", inb(0x2e4), 0xff);
  equal("nobody-word", inw(0x2e4), 0xffff);
  equal("nobody-long", inl(0x2e4), 0xffffffff);
}

static void strings(void) {
  u8 bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  const void *from = bytes;
  u32 count = 5;
  __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(COM1 + SCR) : "memory");
  equal("outsb-last", inb(COM1 + SCR), 5);
  equal("outsb-count", count, 0);
  equal("outsb-pointer", (u32)from, (u32)bytes + 5);

  void *to = bytes;
  count = 3;
  __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(COM1 + SCR) : "memory");
  equal("insb", bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (u32)bytes[3] << 24, 0x04050505);
  equal("insb-pointer", (u32)to, (u32)bytes + 3);

  u16 words[4] = {0x1100, 0x2200, 0x3300, 0x4400};
  from = words + 3;
  count = 2;
  __asm__ volatile("std\n\trep outsw\n\tcld" : "+S"(from), "+c"(count) : "d"(COM1 + MSR) : "memory");
  equal("outsw-down", inb(COM1 + SCR), 0x33);
  equal("outsw-down-pointer", (u32)from, (u32)(words + 1));
  to = words;
  count = 2;
  __asm__ volatile("rep insw" : "+D"(to), "+c"(count) : "d"(COM1 + MSR) : "memory");
  equal("insw", words[0] >> 8 | words[1] >> 8 << 8, 0x3333);
  u32 longs[3] = {0, 0, 0x12345678};
  to = longs;
  count = 2;
  __asm__ volatile("rep insl" : "+D"(to), "+c"(count) : "d"(COM1 + MCR) : "memory");
  equal("insl", (longs[0] >> 24) | (longs[1] >> 24) << 8, 0x3333);
  equal("insl-end", longs[2], 0x12345678);
  longs[0] = 0x77000000 | inb(COM1 + MCR);
  from = longs;
  __asm__ volatile("outsl" : "+S"(from) : "d"(COM1 + MCR) : "memory");
  equal("outsl", inb(COM1 + SCR), 0x77);
  to = bytes;
  count = 0;
  __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(COM1 + SCR) : "memory");
  equal("rep-zero", (u32)to, (u32)bytes);
}

static int wait_lsr(u16 uart, u8 mask) {
  for (u32 i = 0; i < 1000000; i++) {
    if ((inb(uart + LSR) & mask) == mask) return 1;
  }
  return 0;
}

/* What is printed leaves through COM1: it is in loopback for a few instructions only, between two reports. */
static void uart_loopback(void) {
  wait_lsr(COM1, LSR_EMPTY);
  u8 saved = inb(COM1 + MCR);
  outb(COM1 + FCR, 0x07);
  outb(COM1 + MCR, MCR_LOOP | 0x0f);
  u8 msr_all = inb(COM1 + MSR);
  outb(COM1 + MCR, MCR_LOOP | 0x05); /* DTR and OUT1 come back as DSR and RI */
  u8 msr_some = inb(COM1 + MSR);
  u8 msr_again = inb(COM1 + MSR);
  u32 received = 0;
  int arrived = 1;
  for (u32 i = 0; i < 4; i++) {
    outb(COM1 + THR, 0x41 + i);
    arrived &= wait_lsr(COM1, LSR_EMPTY);
  }
  arrived &= wait_lsr(COM1, LSR_DR);
  outb(COM1 + IER, 0x01);
  u8 iir_received = inb(COM1 + IIR);
  for (u32 i = 0; i < 4; i++) received |= (u32)inb(COM1 + RBR) << (8 * i);
  u8 lsr_after = inb(COM1 + LSR);
  outb(COM1 + IER, 0x02);
  u8 iir_empty = inb(COM1 + IIR);
  u8 iir_then = inb(COM1 + IIR);
  outb(COM1 + IER, 0);
  outb(COM1 + FCR, 0x07);
  outb(COM1 + MCR, saved);

  equal("loop-modem", msr_all & 0xf0, 0xf0);
  equal("loop-modem-some", msr_some & 0xf0, 0x60);
  equal("loop-modem-delta", msr_again & 0x0f, 0);
  check("loop-arrived", arrived);
  equal("loop-bytes", received, 0x44434241);
  equal("iir-received", iir_received & 0x07, 0x04); /* bit 3: the time-out */
  equal("loop-drained", lsr_after & LSR_DR, 0);
  equal("iir-thr-empty", iir_empty & 0x0f, 0x02);
  equal("iir-read-clears", iir_then & 0x0f, 0x01);
}

static void uart_registers(void) {
  wait_lsr(COM1, LSR_EMPTY);
  u8 lcr = inb(COM1 + LCR);
  outb(COM1 + LCR, lcr | 0x80);
  u8 low = inb(COM1 + 0), high = inb(COM1 + 1);
  outb(COM1 + 0, 0x34);
  outb(COM1 + 1, 0x12);
  u32 divisor = inb(COM1 + 0) | inb(COM1 + 1) << 8;
  outb(COM1 + 0, low);
  outb(COM1 + 1, high);
  outb(COM1 + LCR, lcr);
  equal("divisor", divisor, 0x1234);
  equal("lcr", inb(COM1 + LCR), lcr);
  outb(COM1 + IER, 0xf0);
  equal("ier-high-bits", inb(COM1 + IER), 0);
  equal("iir-fifo-bits", inb(COM1 + IIR) & 0xc0, 0xc0);
  equal("iir-none", inb(COM1 + IIR) & 0x0f, 0x01);
}

static void timer(void) {
  outb(0x61, inb(0x61) & ~3); /* gate closed, speaker off */
  outb(0x43, 0xb0);           /* channel 2, mode 0 */
  outb(0x42, 0x20);
  outb(0x42, 0x00);
  equal("pit-out-low", inb(0x61) & 0x20, 0);
  outb(0x61, inb(0x61) | 1);
  int rose = 0;
  for (u32 i = 0; i < 10000000 && !rose; i++) rose = inb(0x61) & 0x20;
  check("pit-out-rises", rose);

  outb(0x43, 0xb4); /* channel 2, mode 2 */
  outb(0x42, 0x00);
  outb(0x42, 0x80);
  outb(0x43, 0xe8); /* read-back: status of channel 2 */
  equal("pit-read-back", inb(0x42) & 0x3f, 0x34);
  outb(0x43, 0x80); /* latch */
  u32 first = inb(0x42);
  first |= inb(0x42) << 8;
  u32 next = first;
  for (u32 i = 0; i < 1000000 && next == first; i++) {
    outb(0x43, 0x80);
    next = inb(0x42);
    next |= inb(0x42) << 8;
  }
  check("pit-counts", next != first && first <= 0x8000 && next <= 0x8000);
}

static u32 user_in_allowed(void) { return inb(COM1 + SCR); }
static u32 user_in_denied(void) { return inb(COM1 + LSR); }
static u32 user_word_half_denied(void) { return inw(COM1 + LSR); }
static u32 user_word_allowed(void) { return inw(COM1 + MSR); }
static u32 user_out_denied(void) {
  outb(0xf4, 1);
  return 1;
}
static u32 user_beyond(void) { return inb(0xffff); }

static void permissions(void) {
  __builtin_memset(tss.io_bitmap, 0xff, sizeof tss.io_bitmap);
  tss.io_bitmap[COM1 / 8] &= ~(1 << MSR | 1 << SCR); /* COM1 is a multiple of 8 */
  tss.io_map = (u32)tss.io_bitmap - (u32)&tss;
  outb(COM1 + SCR, 0x3c);
  equal("bitmap-allowed", run_user(user_in_allowed), 0x3c);
  equal("bitmap-word-allowed", run_user(user_word_allowed) >> 8, 0x3c);
  run_user(user_in_denied);
  faulted("bitmap-denied", VECTOR_GP, 0);
  run_user(user_word_half_denied);
  faulted("bitmap-half-denied", VECTOR_GP, 0);
  run_user(user_out_denied);
  faulted("bitmap-out-denied", VECTOR_GP, 0);
  tss.io_bitmap[8191] = 0;
  run_user(user_beyond);
  equal("bitmap-last-port", fault.vector, FAULT_NONE);
  tss.io_map = sizeof tss;
  run_user(user_in_allowed);
  faulted("no-bitmap", VECTOR_GP, 0);
}

/* Index and data port of the RTC in one 16-bit access, split by the bus into its two bytes. */
static void split(void) {
  outb(0x70, 0x0e); /* a byte of CMOS RAM that the machine does not need after boot */
  u8 saved = inb(0x71);
  outw(0x70, 0xa50e);
  outb(0x70, 0x0e);
  equal("cmos-split", inb(0x71), 0xa5);
  outw(0x70, saved << 8 | 0x0e);
}

void run(void) {
  sizes();
  strings();
  uart_registers();
  uart_loopback();
  timer();
  permissions();
  split();
}
