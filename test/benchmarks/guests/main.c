/* main.c: runs the guests that the command line names (`crc32`, `crc32:5` with a count, `all`; none: all) in that order, and reports on
 * COM1. Other words are passed over: boot loaders put the kernel's path first.
 *     @B NAME COUNT
 *     @E NAME COUNT sum=XXXXXXXX tsc=HHHHHHHHLLLLLLLL
 *     @DONE
 * Then it writes 10h to port F4h. Paging is on, with pages of 4 KiB that map memory to itself. */
#include "bench.h"

#define CR0_MP 0x2u
#define CR0_EM 0x4u
#define CR0_TS 0x8u
#define CR0_NE 0x20u
#define CR0_WP 0x10000u
#define CR0_PG 0x80000000u
#define CR4_OSFXSR 0x200u
#define CR4_OSXMMEXCPT 0x400u

u32 directory[1024] ALIGNED, directory_2[1024] ALIGNED;
static u32 tables[MAPPED_BYTES >> 22][1024] ALIGNED;

/* Counts make a run take from 0.1 to some seconds on the machines of docs/performance.md. */
const struct bench benches[] = {
    {"integer", arithmetic, 100000000, 0},
    {"crc32", crc32, 40, 0},
    {"sha256", sha256, 80000, 0},
    {"bignum", bignum, 25000, 0},
    {"division", division, 20000000, 0},
    {"flags", flags, 16000000, 0},
    {"rc4", rc4, 20000000, 0},
    {"calls", calls, 3000000, 0},
    {"indirect", indirect, 8000000, 0},
    {"recursion", recursion, 34, 0},
    {"interpreter", interpreter, 8000000, 0},
    {"quicksort", quicksort, 8, 0},
    {"matrix", matrix, 8, 0},
    {"stream", stream, 4, 0},
    {"memrand", random_access, 5000000, 0},
    {"list", list, 4000000, 0},
    {"stack", stack, 16000000, 0},
    {"movs", movs, 200000, 0},
    {"movs-short", movs_short, 3000000, 0},
    {"stos", stos, 200000, 0},
    {"scas", scas, 15000, 0},
    {"cmps", cmps, 20000, 0},
    {"x87", x87, 20000, 0},
    {"x87-functions", x87_functions, 200000, 0},
    {"sse2", sse2, 120000, 0},
    {"sse-packed", sse_packed, 150000, 0},
    {"smc-patch", patch, 20000, 0},
    {"smc-generate", generate, 3000, 0},
    {"smc-beside", beside, 100000, 0},
    {"cr3", cr3, 200000, 0},
    {"invlpg", invalidate, 1000000, 0},
    {"page-fault", page_fault, 200000, 0},
    {"int80", system_call, 500000, 0},
    {"sysenter", sysenter, 1000000, 0},
    {"int-iret", software_interrupt, 1000000, 0},
    {"timer", timer, 24, 0},
    {"interrupt-flag", interrupt_flag, 10000000, 0},
    {"segments", segments, 2000000, 0},
    {"sti", sti, 3000000, 0},
    {"bits", bits, 5000000, 0},
    {"bytes", bytes, 5000000, 0},
    {"frames", frames, 2000000, 0},
    {"locked", locked, 3000000, 0},
    {"pushed-returns", pushed_returns, 3000000, 0},
    {"per-cpu", per_cpu, 10000000, 0},
    {"footprint", footprint, 3000000, 0},
    {"port-io", port_io, 600000, 0},
    {"mmio", mmio, 200, 0},
    {"cpuid", cpuid_exit, 300000, 1},
    {"vmcall", hypercall, 300000, 1},
    {"tick", tick, 20000, 1},
    {0, 0, 0, 0},
};

static void paging_on(void) {
  for (u32 page = 0; page < MAPPED_BYTES >> 12; page++) tables[page >> 10][page & 1023] = page << 12 | MAP_ALL;
  for (u32 i = 0; i < MAPPED_BYTES >> 22; i++) directory[i] = directory_2[i] = (u32)tables[i] | MAP_ALL;
  write_cr3((u32)directory);
  write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_PG | CR0_WP | CR0_NE | CR0_MP);
  write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
  __asm__ volatile("fninit");
}

static u64 read_tsc(void) {
  u64 value;
  __asm__ volatile("rdtsc" : "=A"(value));
  return value;
}

static void measure(const struct bench *bench, u32 count) {
  print("@B ");
  print(bench->name);
  print(" ");
  print_decimal((int)count);
  print("\n");
  u64 start = read_tsc();
  u32 sum = bench->run(count);
  u64 cycles = read_tsc() - start;
  print("@E ");
  print(bench->name);
  print(" ");
  print_decimal((int)count);
  print(" sum=");
  print_hex(sum);
  print(" tsc=");
  print_hex((u32)(cycles >> 32));
  print_hex((u32)cycles);
  print("\n");
}

static int is_word(const char *word, const char *at, u32 length) {
  for (u32 i = 0; i < length; i++)
    if (word[i] != at[i]) return 0;
  return word[length] == 0;
}

void run(void) {
  paging_on();
  const char *at = command_line;
  int found = 0;
  while (*at) {
    while (*at == ' ') at++;
    const char *word = at;
    while (*at && *at != ' ' && *at != ':') at++;
    u32 length = (u32)(at - word), count = 0;
    if (*at == ':')
      for (at++; *at >= '0' && *at <= '9'; at++) count = count * 10 + (u32)(*at - '0');
    for (const struct bench *bench = benches; bench->name; bench++) {
      if (!(is_word("all", word, length) && !bench->on_name) && !is_word(bench->name, word, length)) continue;
      found = 1;
      measure(bench, count ? count : bench->count);
    }
  }
  for (const struct bench *bench = benches; !found && bench->name; bench++)
    if (!bench->on_name) measure(bench, bench->count);
  print("@DONE\n");
  outb(0xf4, 0x10);
  for (;;) __asm__ volatile("cli; hlt");
}
