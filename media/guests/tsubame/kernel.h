/* kernel.h: what the kernel's files offer each other, one block a file. Programs include abi.h instead. */
#ifndef KERNEL_H
#define KERNEL_H

#include "abi.h"
#include "types.h"

#define VERSION "1.0"
#define PAGE 4096u
#define TICKS_PER_SECOND 100u

/* link.ld */
extern char kernel_start[], kernel_text_end[], kernel_end[];
extern char user_text_start[], user_text_end[], user_data_start[], user_data_end[];
extern char user_text_load[], user_data_load[];

/* Registers as isr.S pushes them; esp and ss only if the trap came from user mode. */
struct trap {
  u32 gs, fs, es, ds;
  u32 edi, esi, ebp, esp_unused, ebx, edx, ecx, eax;
  u32 vector, error;
  u32 eip, cs, eflags, esp, ss;
};

static inline bool from_user(const struct trap *trap) { return (trap->cs & 3) == 3; }

/* format.c, string.c: compiled twice, for the kernel and for the programs */
typedef void (*sink)(char character);
void format(sink put, const char *text, va_list arguments);
void *memset(void *to, int value, u32 bytes);
void *memcpy(void *to, const void *from, u32 bytes);
void *memmove(void *to, const void *from, u32 bytes);
u32 strlen(const char *text);
int strcmp(const char *a, const char *b);
void copy_string(char *to, const char *from, u32 capacity);

/* gdt.c */
#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_CODE 0x1b
#define USER_DATA 0x23
#define TASK_SEGMENT 0x28
void gdt_init(void);
void tss_set_kernel_stack(u32 top);

/* idt.c */
#define VECTOR_PAGE_FAULT 14
#define VECTOR_IRQ 32
#define VECTOR_SYSCALL 0x80
typedef void (*irq_handler)(void);
void idt_init(void);
void irq_install(u32 line, irq_handler handler);

/* pic.c */
void pic_init(void);
void pic_unmask(u32 line);
bool pic_is_spurious(u32 line);
void pic_end_of_interrupt(u32 line);

/* pit.c */
extern volatile u32 ticks;
void pit_init(void);

/* serial.c, keyboard.c, vga.c */
bool serial_init(void);
void serial_listen(void);
void serial_write(const char *text, u32 bytes);
bool keyboard_init(void);
void vga_init(void);
void vga_write(const char *text, u32 bytes);

/* tty.c */
void tty_input(u8 character);
void tty_write(const char *text, u32 bytes);
u32 tty_read(char *to, u32 capacity);
void print(const char *text, ...) __attribute__((format(printf, 1, 2)));

/* multiboot.c */
extern char command_line[256];
void multiboot_read(u32 magic, u32 info);
u32 memory_end(void);
bool memory_usable(u32 frame);

/* frame.c: physical memory; a frame is its physical address, 0 is none */
extern u32 frames_total, frames_free;
void frame_init(void);
u32 frame_allocate(void);
void frame_share(u32 frame);
u32 frame_shares(u32 frame);
void frame_release(u32 frame);

/* vm.c: address spaces; a space is the physical address of its page directory */
extern struct system_status vm_counts;
void vm_init(void);
u32 vm_create(void);
u32 vm_clone(u32 from);
void vm_destroy(u32 space);
void vm_activate(u32 space);
u32 vm_frames(u32 space);

/* fault.c */
bool vm_fault(u32 address, bool write);
void page_fault(struct trap *trap);
bool user_range(u32 address, u32 bytes, bool write);
bool user_string(u32 address, char *to, u32 capacity);

/* process.c, exec.c, switch.S */
#define PROCESSES 32
struct process {
  u32 pid;
  enum process_state state;
  struct process *parent;
  u32 stack_pointer; /* of the kernel stack, while another process runs */
  u32 stack;         /* frame of the kernel stack */
  u32 space;
  u32 heap_end;
  const void *channel; /* what it sleeps on */
  u32 wake_tick;       /* end of a timed sleep */
  u32 status;
  u32 used_ticks;
  char name[NAME_LENGTH];
};
extern struct process processes[PROCESSES];
extern struct process *current;
extern u32 switches, idle_ticks;
void process_init(void);
struct process *process_create(const char *name, struct process *parent);
void process_start(struct process *process, const struct trap *registers);
i32 process_fork(const struct trap *trap);
i32 process_exec(struct trap *trap, const char *name, const char *argument);
void process_exit(u32 status) __attribute__((noreturn));
i32 process_wait(u32 *status);
void process_run_shell(void);
void kill_current(const struct trap *trap, const char *why, u32 address) __attribute__((noreturn));
void sleep_on(const void *channel);
void wake(const void *channel);
void clock_tick(void);
void schedule(void);
void schedule_if_due(const struct trap *trap);
void idle(void) __attribute__((noreturn));
void switch_stacks(u32 *save, u32 load);
extern char trap_return[];

/* syscall.c */
void syscall(struct trap *trap);

/* machine.c */
void machine_triple_fault(void) __attribute__((noreturn));
void machine_halt(void) __attribute__((noreturn));
void machine_reboot(void) __attribute__((noreturn));
void machine_power_off(void) __attribute__((noreturn));

/* panic.c */
void panic(const struct trap *trap, const char *why, ...) __attribute__((noreturn, format(printf, 2, 3)));

#endif
