/* pic.c: the two cascaded 8259A interrupt controllers. Their lines are moved to vectors 32 to 47, away from the
 * processor's exceptions. Intel 8259A datasheet: ICW1-4 (initialisation), OCW1-3 (operation). */
#include "kernel.h"
#include "x86.h"

#define MASTER 0x20
#define SLAVE 0xa0
#define DATA 1 /* offset of ICW2-4 and the mask register */

#define ICW1_INIT 0x11 /* edge-triggered, cascaded, ICW4 follows */
#define ICW4_8086 0x01
#define OCW2_EOI 0x20
#define OCW3_READ_ISR 0x0b
#define CASCADE 2 /* the master's line that the slave sits on */

void pic_init(void) {
  outb(MASTER, ICW1_INIT);
  outb(SLAVE, ICW1_INIT);
  outb(MASTER + DATA, VECTOR_IRQ);
  outb(SLAVE + DATA, VECTOR_IRQ + 8);
  outb(MASTER + DATA, 1 << CASCADE);
  outb(SLAVE + DATA, CASCADE);
  outb(MASTER + DATA, ICW4_8086);
  outb(SLAVE + DATA, ICW4_8086);
  outb(MASTER + DATA, 0xff & ~(1 << CASCADE));
  outb(SLAVE + DATA, 0xff);
}

void pic_unmask(u32 line) {
  u16 port = (line < 8 ? MASTER : SLAVE) + DATA;
  outb(port, inb(port) & ~(1 << (line & 7)));
}

/* A line that fell before it was acknowledged gives the lowest-priority vector without a bit in service. */
bool pic_is_spurious(u32 line) {
  if ((line & 7) != 7) return false;
  u16 port = line < 8 ? MASTER : SLAVE;
  outb(port, OCW3_READ_ISR);
  if (inb(port) & 0x80) return false;
  if (line >= 8) outb(MASTER, OCW2_EOI); /* the master did see its cascade line */
  return true;
}

void pic_end_of_interrupt(u32 line) {
  if (line >= 8) outb(SLAVE, OCW2_EOI);
  outb(MASTER, OCW2_EOI);
}
