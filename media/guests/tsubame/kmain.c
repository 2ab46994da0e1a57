/* kmain.c: the order in which the kernel comes up, a line on the console for each step. Called by boot.S with what the
 * Multiboot loader left in EAX and EBX. */
#include "kernel.h"
#include "x86.h"

static void step(const char *what, bool done) { print("[ %s ] %s\n", done ? "ok" : "--", what); }

void kmain(u32 magic, u32 info) {
  vga_init();
  bool serial = serial_init();
  print("\ntsubame " VERSION ", a small preemptive kernel\n");
  multiboot_read(magic, info);
  print("memory: %u KiB usable up to %x, kernel at %x to %x\n", memory_end() / 1024, memory_end(), (u32)kernel_start,
        (u32)kernel_end);
  print("command line: %s\n", command_line);
  step("console on screen and serial line COM1", serial);

  gdt_init();
  step("gdt: flat segments and a task-state segment", true);
  idt_init();
  step("idt: 32 exceptions, 16 interrupts, INT 80h", true);
  pic_init();
  step("pic: IRQ 0 to 15 at vectors 32 to 47", true);
  frame_init();
  print("[ ok ] frames: %u of 4 KiB, %u free\n", frames_total, frames_free);
  vm_init();
  step("paging: kernel at physical addresses, user space at 40000000", true);
  pit_init();
  step("pit: 100 ticks a second", true);
  step("keyboard: PS/2, scan code set 1", keyboard_init());
  serial_listen();
  process_init();
  process_run_shell();
  step("shell: process 1, user mode", true);
  print("type help\n");
  idle();
}
