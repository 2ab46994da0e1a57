/* panic.c: the end of the kernel after an error of its own: what happened, the registers, and how it got there.
 * The backtrace follows the saved EBPs: every function keeps a frame pointer (Makefile). */
#include "kernel.h"
#include "x86.h"

#define DEPTH 16

static void print_registers(const struct trap *trap) {
  u32 esp = from_user(trap) ? trap->esp : (u32)&trap->esp; /* a trap inside the kernel pushes no ESP */
  print("eax %x  ebx %x  ecx %x  edx %x\n", trap->eax, trap->ebx, trap->ecx, trap->edx);
  print("esi %x  edi %x  ebp %x  esp %x\n", trap->esi, trap->edi, trap->ebp, esp);
  print("eip %x  cs  %x  eflags %x\n", trap->eip, trap->cs & 0xffff, trap->eflags);
}

static bool plausible(u32 frame, u32 previous) {
  return frame % 4 == 0 && frame > previous && frame < memory_end() - 8;
}

static void print_backtrace(u32 eip, u32 ebp) {
  print("backtrace:\n");
  u32 previous = PAGE;
  for (u32 depth = 0; depth < DEPTH && eip; depth++) {
    print("  #%u %x\n", depth, eip);
    if (!plausible(ebp, previous)) return;
    const u32 *frame = (const u32 *)ebp; /* [0] the caller's EBP, [1] the return address */
    previous = ebp;
    ebp = frame[0];
    eip = frame[1];
  }
}

static void put(char character) { tty_write(&character, 1); }

/* `trap` is the exception that led here, NULL if the kernel found the error itself. */
void panic(const struct trap *trap, const char *why, ...) {
  cli();
  va_list arguments;
  va_start(arguments, why);
  print("\nKERNEL PANIC: ");
  format(put, why, arguments);
  va_end(arguments);
  print("\nprocess %s[%u], tick %u\n", current->name, current->pid, ticks);
  if (trap) print_registers(trap);
  print("cr0 %x  cr2 %x  cr3 %x  cr4 %x\n", read_cr0(), read_cr2(), read_cr3(), read_cr4());
  if (trap) {
    print_backtrace(trap->eip, trap->ebp);
  } else {
    print_backtrace((u32)__builtin_return_address(0), *(u32 *)__builtin_frame_address(0));
  }
  machine_halt();
}
