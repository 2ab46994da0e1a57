/* machine.c: the ways a run can end: halt, power off, reset, triple fault. */
#include "kernel.h"
#include "x86.h"

#define DEBUG_EXIT 0xf4 /* QEMU's isa-debug-exit: status (value << 1) | 1 */
#define EXIT_VALUE 0x10 /* status 33 */
#define KEYBOARD_COMMAND 0x64
#define PULSE_RESET 0xfe

/* Nothing wakes the processor again: a machine that watches it may take this for a power-off. */
void machine_halt(void) {
  cli();
  print("halted\n");
  for (;;) hlt();
}

void machine_power_off(void) {
  print("power off\n");
  outb(DEBUG_EXIT, EXIT_VALUE);
  print("nothing answers at port f4h\n");
  machine_halt();
}

void machine_reboot(void) {
  print("reset\n");
  outb(KEYBOARD_COMMAND, PULSE_RESET);
  for (u32 i = 0; i < 1000000; i++) inb(KEYBOARD_COMMAND);
  machine_triple_fault();
}

/* Without an IDT the breakpoint becomes #GP, that a double fault, and that a processor shutdown. SDM vol. 3A 6.15, #DF. */
void machine_triple_fault(void) {
  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) empty = {0, 0};
  __asm__ volatile(
      "lidt %0\n\t"
      "int3"
      :
      : "m"(empty));
  machine_halt();
}
