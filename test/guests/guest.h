/* guest.h: what every test guest has: traps that can be expected, a serial line to report on, and an end by port F4h.
 * A guest defines run(); it checks with check() and friends, which print `ok NAME` or `FAIL NAME: ...`. Not an operating
 * system: flat segments, no paging unless the guest turns it on, interrupts off until it turns them on. */
#ifndef GUEST_H
#define GUEST_H

#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* Selectors of start.S; SPARE and the two after it are for the guest, after extend_gdt those from EXTENDED to BEYOND too. */
#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_CODE 0x1b
#define USER_DATA 0x23
#define TASK 0x28
#define TASK_2 0x30
#define SPARE 0x38
#define EXTENDED 0x70
#define BEYOND 0x200

#define PIC 0x20
#define PIC_SLAVE 0xa0
/* Vector of IRQ 0 behind pic_init. */
#define IRQ 0x20

#define FAULT_NONE 0xffffffffu
#define VECTOR_DE 0
#define VECTOR_DB 1
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_BR 5
#define VECTOR_UD 6
#define VECTOR_NM 7
#define VECTOR_DF 8
#define VECTOR_TS 10
#define VECTOR_NP 11
#define VECTOR_SS 12
#define VECTOR_GP 13
#define VECTOR_PF 14

/* As start.S pushes it; esp and ss only if the trap came from ring 3. */
struct trap {
  u32 gs, fs, es, ds;
  u32 edi, esi, ebp, esp_unused, ebx, edx, ecx, eax;
  u32 vector, error;
  u32 eip, cs, eflags, esp, ss;
};

struct tss {
  u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
  u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
  u32 es, cs, ss, ds, fs, gs, ldt;
  u16 debug, io_map;
  u8 io_bitmap[8192 + 1];
} __attribute__((packed));

/* The last exception that was expected. */
struct fault {
  u32 vector, error, eip, cr2, eflags, cs, count, esp;
};

extern volatile struct fault fault;
extern volatile u32 resume_eip, resume_esp;
typedef void (*handler)(struct trap *trap);
extern handler handlers[256]; /* NULL: exceptions must be expected, interrupts are an error */
extern u64 gdt[];
extern u64 idt[256];
extern struct tss tss;
extern const char *command_line;
extern char isr_stubs[]; /* 16 bytes for each vector */

void run(void);
void print(const char *text);
void print_decimal(int value);
void print_hex(u32 value);
void check(const char *name, int good);
void equal(const char *name, u32 got, u32 wanted);
/* The last expected exception was this one, with this error code. */
void faulted(const char *name, u32 vector, u32 error);
void finish(void) __attribute__((noreturn));
int has_word(const char *word);
/* Sets the pair of 8259A up, with vectors from IRQ on, and masks. */
void pic_init(u8 master, u8 slave);
void set_gate(u32 vector, u32 offset, u16 selector, u8 type);
void set_descriptor(u16 selector, u32 base, u32 limit, u8 access, u8 flags);
/* The GDT gets its full length, with code and data segments of rings 1 and 2. */
void extend_gdt(void);
extern const u32 ring_code[4], ring_data[4];
/* Runs a function in a ring (1 and 2 need extend_gdt) with interrupts as they are; returns its result, or 0 with `fault` set if it
 * trapped. INT 81h leaves the ring from anywhere, with EAX as the result. */
u32 run_ring(u32 ring, u32 (*function)(void));
static inline u32 run_user(u32 (*function)(void)) { return run_ring(3, function); }
void leave_ring(u32 result) __attribute__((noreturn));

/* Runs `code`; if it raises an exception, execution goes on behind it and `fault` says which it was. */
#define PROBE(code, ...)                                                                    \
  do {                                                                                      \
    fault.vector = FAULT_NONE;                                                              \
    __asm__ volatile("movl $.Lresume%=, resume_eip\n\tmovl %%esp, resume_esp\n\t" code      \
                     "\n.Lresume%=:\n\tmovl resume_esp, %%esp\n\tmovl $0, resume_eip"        \
                     :                                                                      \
                     : __VA_ARGS__                                                          \
                     : "memory", "cc", "eax");                                              \
  } while (0)

static inline void outb(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline void outw(u16 port, u16 value) { __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
static inline void outl(u16 port, u32 value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }

static inline u8 inb(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline u16 inw(u16 port) {
  u16 value;
  __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline u32 inl(u16 port) {
  u32 value;
  __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

#define CONTROL_REGISTER(name)                                                                  \
  static inline u32 read_##name(void) {                                                         \
    u32 value;                                                                                  \
    __asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory");                         \
    return value;                                                                               \
  }                                                                                             \
  static inline void write_##name(u32 value) { __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory"); }

CONTROL_REGISTER(cr0)
CONTROL_REGISTER(cr2)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)

static inline void invlpg(u32 address) { __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory"); }

static inline void cpuid(u32 leaf, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx) {
  __asm__ volatile("cpuid" : "=a"(*eax), "=b"(*ebx), "=c"(*ecx), "=d"(*edx) : "a"(leaf), "c"(0));
}

#endif
