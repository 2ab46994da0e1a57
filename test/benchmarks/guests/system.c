/* system.c: what only a kernel does: address spaces, faults, system calls, interrupts, ports, devices in memory. */
#include "bench.h"

#define WINDOW 0x20000000u
#define WINDOW_PAGES 1024u
#define PIT_HERTZ 1193182u
#define IA32_SYSENTER_CS 0x174
#define IA32_SYSENTER_ESP 0x175
#define IA32_SYSENTER_EIP 0x176

static u32 window[WINDOW_PAGES] ALIGNED, window_2[WINDOW_PAGES] ALIGNED;

/* stubs.S */
extern char fault_entry[], call_entry[], sysenter_entry[], nothing_entry[], tick_entry[];
extern u8 user_code[], user_sysenter_code[];
extern u32 sysenter_stack[];
u32 *const window_table = window;
volatile u32 faults, ticks, system_calls, user_count;

static volatile u32 *word_of(u32 page) { return (volatile u32 *)(WINDOW + page * 4096); }

/* Two address spaces that differ in what the window shows. */
static void open_window(void) {
  for (u32 i = 0; i < WINDOW_PAGES; i++) {
    u32 frame = (u32)HEAP + i * 4096;
    ((volatile u32 *)window)[i] = frame | MAP_ALL;
    ((volatile u32 *)window_2)[i] = (frame + (WINDOW_PAGES << 12)) | MAP_ALL;
    *(u32 *)frame = i;
    *(u32 *)(frame + (WINDOW_PAGES << 12)) = i * 5;
  }
  ((volatile u32 *)directory)[WINDOW >> 22] = (u32)window | MAP_ALL;
  ((volatile u32 *)directory_2)[WINDOW >> 22] = (u32)window_2 | MAP_ALL;
  write_cr3((u32)directory);
}

/* Two loads of CR3 and 16 pages touched an iteration. */
u32 cr3(u32 count) {
  open_window();
  u32 sum = 0;
  while (count--) {
    write_cr3((u32)directory_2);
    for (u32 i = 0; i < 8; i++) sum += *word_of(i);
    write_cr3((u32)directory);
    for (u32 i = 0; i < 8; i++) sum ^= *word_of(i) + count;
  }
  return sum;
}

/* A page is mapped to another frame, invalidated and read. */
u32 invalidate(u32 count) {
  open_window();
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) {
    u32 page = i & 15;
    ((volatile u32 *)window)[page] = ((u32)HEAP + (i * 7 & (WINDOW_PAGES - 1)) * 4096) | MAP_ALL;
    invlpg((u32)word_of(page));
    sum = sum * 3 + *word_of(page);
  }
  return sum;
}

/* Each access faults, and the handler maps the page. */
u32 page_fault(u32 count) {
  open_window();
  set_gate(VECTOR_PF, (u32)fault_entry, KERNEL_CODE, 0x8e);
  faults = 0;
  u32 sum = 0, page = WINDOW_PAGES;
  while (count--) {
    if (page == WINDOW_PAGES) {
      for (page = 0; page < WINDOW_PAGES; page++) ((volatile u32 *)window)[page] &= ~MAP_P;
      write_cr3((u32)directory);
      page = 0;
    }
    sum = sum * 5 + *word_of(page++);
  }
  set_gate(VECTOR_PF, (u32)isr_stubs + 16 * VECTOR_PF, KERNEL_CODE, 0x8e);
  return sum ^ faults;
}

static u32 in_user(u8 *code, u32 count) {
  system_calls = 0;
  user_count = count;
  u32 result = run_user((u32(*)(void))code);
  return result ^ system_calls;
}

/* INT 80h from ring 3, with the segments saved and loaded as kernels do. */
u32 system_call(u32 count) {
  set_gate(0x80, (u32)call_entry, KERNEL_CODE, 0xee);
  return in_user(user_code, count);
}

static void write_msr(u32 msr, u32 value) { __asm__ volatile("wrmsr" : : "c"(msr), "a"(value), "d"(0)); }

/* SYSENTER and SYSEXIT. */
u32 sysenter(u32 count) {
  write_msr(IA32_SYSENTER_CS, KERNEL_CODE);
  write_msr(IA32_SYSENTER_ESP, (u32)sysenter_stack);
  write_msr(IA32_SYSENTER_EIP, (u32)sysenter_entry);
  return in_user(user_sysenter_code, count);
}

/* INT n and IRET in ring 0: the delivery of an interrupt and nothing else. */
u32 software_interrupt(u32 count) {
  set_gate(0x90, (u32)nothing_entry, KERNEL_CODE, 0x8e);
  u32 left = count;
  __asm__ volatile("1: int $0x90; dec %0; jnz 1b" : "+r"(left) : : "cc", "memory");
  return count;
}

static void timer_on(u32 hertz) {
  u32 divisor = PIT_HERTZ / hertz;
  set_gate(IRQ, (u32)tick_entry, KERNEL_CODE, 0x8e);
  for (u32 line = 1; line < 16; line++) set_gate(IRQ + line, (u32)nothing_entry, KERNEL_CODE, 0x8e);
  pic_init(0xfe, 0xff);
  outb(0x43, 0x34);
  outb(0x40, (u8)divisor);
  outb(0x40, (u8)(divisor >> 8));
}

/* CRC-32 while IRQ 0 comes a thousand times a second of the guest's time. */
u32 timer(u32 count) {
  timer_on(1000);
  __asm__ volatile("sti");
  u32 sum = crc32(count);
  __asm__ volatile("cli");
  outb(PIC + 1, 0xff);
  return sum;
}

/* HLT until IRQ 0, COUNT times. */
u32 tick(u32 count) {
  timer_on(10000);
  ticks = 0;
  while (ticks < count) __asm__ volatile("sti; hlt; cli" : : : "memory");
  outb(PIC + 1, 0xff);
  return count;
}

/* Flags saved, interrupts off, some work, flags restored. */
u32 interrupt_flag(u32 count) {
  u32 sum = 1;
  while (count--) {
    u32 saved;
    __asm__ volatile("pushf; pop %0; cli" : "=r"(saved) : : "memory");
    sum = sum * 5 + (count ^ (saved & 0x200));
    __asm__ volatile("push %0; popf" : : "r"(saved) : "memory", "cc");
  }
  return sum;
}

/* Segment registers saved, loaded and restored. */
u32 segments(u32 count) {
  u32 sum = 0;
  while (count--) {
    __asm__ volatile("push %%es; mov %1, %%es; mov %1, %%fs; addl %%es:4(%2), %0; pop %%es"
                     : "+r"(sum)
                     : "r"(KERNEL_DATA), "r"(gdt)
                     : "memory");
    sum = sum * 3 ^ count;
  }
  return sum;
}

/* A write that nobody takes, a read of the interrupt mask, a read of the UART's line status. */
u32 port_io(u32 count) {
  u32 sum = 0;
  outb(PIC + 1, 0xff);
  while (count--) {
    outb(0x80, (u8)count);
    sum += inb(PIC + 1);
    sum ^= inb(0x3fd) & 0x20;
  }
  return sum;
}

/* A screen of text written to the VGA's memory. */
u32 mmio(u32 count) {
  volatile u16 *screen = (volatile u16 *)0xb8000;
  u32 sum = 0;
  while (count--) {
    for (u32 i = 0; i < 2000; i++) screen[i] = (u16)(0x0700 | ((i + count) & 0x3f) | 0x40);
    sum = sum * 3 + screen[count % 2000];
  }
  return sum;
}

/* CPUID: one unconditional VM exit under a hypervisor. */
u32 cpuid_exit(u32 count) {
  u32 left = count;
  __asm__ volatile("1: push %0; xor %%eax, %%eax; cpuid; pop %0; dec %0; jnz 1b" : "+S"(left) : : "eax", "ebx", "ecx", "edx", "cc", "memory");
  return count;
}

/* VMCALL with a number that is no hypercall's: the way there and back. #UD on a machine without a hypervisor. */
u32 hypercall(u32 count) {
  u32 sum = 0;
  while (count--) {
    u32 result;
    __asm__ volatile("vmcall" : "=a"(result) : "a"(0x1234), "b"(0), "c"(0) : "memory");
    sum += result;
  }
  return sum;
}
