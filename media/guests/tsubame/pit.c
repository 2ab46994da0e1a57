/* pit.c: channel 0 of the 8254 timer as the clock: 100 ticks a second on IRQ 0.
 * Intel 8254 datasheet, control word and mode 2 (rate generator). */
#include "kernel.h"
#include "x86.h"

#define CHANNEL_0 0x40
#define CONTROL 0x43
#define RATE_GENERATOR 0x34 /* channel 0, low byte then high byte, mode 2, binary */
#define INPUT_HZ 1193182u

volatile u32 ticks;

static void tick(void) {
  ticks++;
  clock_tick();
}

void pit_init(void) {
  u32 divisor = (INPUT_HZ + TICKS_PER_SECOND / 2) / TICKS_PER_SECOND;
  outb(CONTROL, RATE_GENERATOR);
  outb(CHANNEL_0, divisor & 0xff);
  outb(CHANNEL_0, divisor >> 8);
  irq_install(0, tick);
}
