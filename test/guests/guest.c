/* guest.c: traps, reports and the end of a test guest (guest.h). */
#include "guest.h"

#define COM1 0x3f8
#define STATUS_PASSED 0x10 /* (value << 1) | 1 = 33 */
#define STATUS_FAILED 0x11 /* 35 */

volatile struct fault fault;
volatile u32 resume_eip, resume_esp;
handler handlers[256];
u64 idt[256];
struct tss tss;
const char *command_line = "";

volatile u32 in_ring; /* run_ring is at work */

static int passed, failed;

/* gcc may call these on its own. */
void *memset(void *to, int value, u32 bytes) {
  void *at = to;
  __asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(value) : "memory");
  return to;
}

void *memcpy(void *to, const void *from, u32 bytes) {
  void *at = to;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(bytes) : : "memory");
  return to;
}

static void put(char character) {
  while (!(inb(COM1 + 5) & 0x20)) continue;
  outb(COM1, character);
}

void print(const char *text) {
  for (; *text; text++) {
    if (*text == '\n') put('\r');
    put(*text);
  }
}

void print_hex(u32 value) {
  for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}

void print_decimal(int value) {
  char digits[12], *at = digits + sizeof digits - 1;
  u32 rest = value < 0 ? -(u32)value : (u32)value;
  *at = 0;
  do {
    *--at = '0' + rest % 10;
    rest /= 10;
  } while (rest);
  if (value < 0) *--at = '-';
  print(at);
}

void check(const char *name, int good) {
  print(good ? "ok " : "FAIL ");
  print(name);
  print("\n");
  if (good) {
    passed++;
  } else {
    failed++;
  }
}

void equal(const char *name, u32 got, u32 wanted) {
  if (got == wanted) {
    check(name, 1);
    return;
  }
  failed++;
  print("FAIL ");
  print(name);
  print(": ");
  print_hex(got);
  print(" instead of ");
  print_hex(wanted);
  print("\n");
}

void faulted(const char *name, u32 vector, u32 error) {
  if (fault.vector == vector && fault.error == error) {
    check(name, 1);
    return;
  }
  failed++;
  print("FAIL ");
  print(name);
  if (fault.vector == FAULT_NONE) {
    print(": no exception\n");
    return;
  }
  print(": exception ");
  print_decimal(fault.vector);
  print(" error ");
  print_hex(fault.error);
  print(" at ");
  print_hex(fault.eip);
  print("\n");
}

void finish(void) {
  print("done: ");
  print_decimal(passed);
  print(" ok, ");
  print_decimal(failed);
  print(" failed\n");
  outb(0xf4, failed ? STATUS_FAILED : STATUS_PASSED);
  for (;;) __asm__ volatile("cli; hlt");
}

int has_word(const char *word) {
  const char *at = command_line;
  while (*at) {
    while (*at == ' ') at++;
    const char *wanted = word;
    while (*at && *at != ' ' && *at == *wanted) {
      at++;
      wanted++;
    }
    if (!*wanted && (!*at || *at == ' ')) return 1;
    while (*at && *at != ' ') at++;
  }
  return 0;
}

void pic_init(u8 master, u8 slave) {
  outb(PIC, 0x11);
  outb(PIC_SLAVE, 0x11);
  outb(PIC + 1, IRQ);
  outb(PIC_SLAVE + 1, IRQ + 8);
  outb(PIC + 1, 4);
  outb(PIC_SLAVE + 1, 2);
  outb(PIC + 1, 1);
  outb(PIC_SLAVE + 1, 1);
  outb(PIC + 1, master);
  outb(PIC_SLAVE + 1, slave);
}

void set_gate(u32 vector, u32 offset, u16 selector, u8 type) {
  idt[vector] = (offset & 0xffff) | (u32)selector << 16 | (u64)(type << 8 | (offset & 0xffff0000)) << 32;
}

/* `flags` is the high nibble of byte 6: G, D/B, 0, AVL; the limit is in the unit that G says. */
void set_descriptor(u16 selector, u32 base, u32 limit, u8 access, u8 flags) {
  u64 value = (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40;
  value |= (u64)(limit >> 16 & 15) << 48 | (u64)(flags & 15) << 52 | (u64)(base >> 24) << 56;
  gdt[selector / 8] = value;
}

void extend_gdt(void) {
  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) gdtr = {BEYOND - 1, (u32)gdt};
  __asm__ volatile("lgdt %0" : : "m"(gdtr) : "memory");
}

static void unexpected(const struct trap *trap) {
  print("FAIL unexpected trap ");
  print_decimal(trap->vector);
  print(" error ");
  print_hex(trap->error);
  print(" at ");
  print_hex(trap->cs);
  print(":");
  print_hex(trap->eip);
  print(" cr2 ");
  print_hex(read_cr2());
  print("\n");
  failed++;
  finish();
}

void trap_dispatch(struct trap *trap) {
  if (trap->vector == 0x81) leave_ring(trap->eax);
  if (handlers[trap->vector]) {
    handlers[trap->vector](trap);
    return;
  }
  if (!in_ring && !resume_eip) unexpected(trap);
  fault.vector = trap->vector;
  fault.error = trap->error;
  fault.eip = trap->eip;
  fault.cr2 = read_cr2();
  fault.eflags = trap->eflags;
  fault.cs = trap->cs;
  fault.count++;
  fault.esp = trap->cs & 3 || trap->eflags & 0x20000 ? trap->esp : (u32)&trap->esp;
  if (in_ring) leave_ring(0);
  trap->eip = resume_eip;
  trap->eflags &= ~0x100; /* TF */
  resume_eip = 0;
}

void guest_main(const u32 *info) {
  if (info[0] & 4) command_line = (const char *)info[4];
  outb(COM1 + 1, 0);
  outb(COM1 + 3, 3);
  outb(COM1 + 2, 7);

  for (u32 vector = 0; vector < 256; vector++) set_gate(vector, (u32)isr_stubs + 16 * vector, KERNEL_CODE, 0x8e);
  set_gate(0x81, (u32)isr_stubs + 16 * 0x81, KERNEL_CODE, 0xee);
  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) idtr = {sizeof idt - 1, (u32)idt};
  __asm__ volatile("lidt %0" : : "m"(idtr) : "memory");

  tss.ss0 = KERNEL_DATA;
  tss.io_map = sizeof tss;
  set_descriptor(TASK, (u32)&tss, sizeof tss - 1, 0x89, 0);
  __asm__ volatile("ltr %w0" : : "r"(TASK));
  run();
  finish();
}
