/* idt.c: the interrupt descriptor table, and where every trap goes: exceptions, device interrupts, system calls.
 * All gates are interrupt gates: the kernel runs with interrupts off, so its data need no locks. SDM vol. 3A 6.10, 6.11. */
#include "kernel.h"
#include "x86.h"

#define GATE_KERNEL 0x8e
#define GATE_USER 0xee /* INT n from user mode may use it */

struct gate {
  u16 offset_low, selector;
  u8 zero, type;
  u16 offset_high;
};

extern const u32 isr_table[];

static struct gate idt[VECTOR_SYSCALL + 1];
static irq_handler irq_handlers[16];

static const char *const exception_names[32] = {
    [0] = "divide error",
    [1] = "debug exception",
    [2] = "non-maskable interrupt",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [6] = "invalid opcode",
    [7] = "device not available",
    [8] = "double fault",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack-segment fault",
    [13] = "general protection",
    [14] = "page fault",
    [16] = "x87 floating-point error",
    [17] = "alignment check",
    [18] = "machine check",
    [19] = "SIMD floating-point exception",
};

static void set_gate(u32 vector, u32 handler, u8 type) {
  idt[vector] = (struct gate){handler & 0xffff, KERNEL_CODE, 0, type, handler >> 16};
}

void idt_init(void) {
  for (u32 vector = 0; vector < 48; vector++) set_gate(vector, isr_table[vector], GATE_KERNEL);
  set_gate(VECTOR_SYSCALL, isr_table[48], GATE_USER);

  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) idtr = {sizeof idt - 1, (u32)idt};
  __asm__ volatile("lidt %0" : : "m"(idtr) : "memory");
}

void irq_install(u32 line, irq_handler handler) {
  irq_handlers[line] = handler;
  pic_unmask(line);
}

static void device_interrupt(u32 line) {
  if (pic_is_spurious(line)) return;
  if (irq_handlers[line]) irq_handlers[line]();
  pic_end_of_interrupt(line);
}

static void exception(struct trap *trap) {
  const char *name = exception_names[trap->vector];
  if (!name) name = "reserved exception";
  if (from_user(trap)) kill_current(trap, name, trap->eip);
  panic(trap, "%s, error code %x", name, trap->error);
}

/* Called by isr.S. */
void trap_dispatch(struct trap *trap) {
  if (trap->vector == VECTOR_SYSCALL) {
    syscall(trap);
  } else if (trap->vector >= VECTOR_IRQ) {
    device_interrupt(trap->vector - VECTOR_IRQ);
  } else if (trap->vector == VECTOR_PAGE_FAULT) {
    page_fault(trap);
  } else {
    exception(trap);
  }
  schedule_if_due(trap);
}
