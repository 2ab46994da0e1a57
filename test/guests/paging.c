/* paging.c: 32-bit paging, checked by itself: mapping and unmapping, INVLPG, faults and their error codes, WP, user and
 * supervisor, accessed and dirty bits, 4 MiB and global pages, CR3 switches. SDM vol. 3A 4.3, 4.6-4.8, 4.10.
 * Word `strict` on the command line: also what QEMU 7.2 does not do (P in the error code of a reserved bit; #GP for
 * reserved bits of CR4 and for CR0.PG without CR0.PE). */
#include "guest.h"

#define P 0x001u
#define RW 0x002u
#define US 0x004u
#define A 0x020u
#define D 0x040u
#define PS 0x080u
#define G 0x100u
#define FRAME 0xfffff000u

#define CR0_WP (1u << 16)
#define CR0_PG (1u << 31)
#define CR4_PSE (1u << 4)
#define CR4_PGE (1u << 7)

#define ERROR_P 1u
#define ERROR_W 2u
#define ERROR_U 4u
#define ERROR_RSVD 8u

#define WINDOW 0x40000000u /* its own table */
#define LARGE 0x50000000u
#define NOWHERE 0x60000000u /* no table */
#define LARGE_FRAME 0x800000u

#define ALIGNED __attribute__((aligned(4096)))

static u32 directory[1024] ALIGNED, directory_2[1024] ALIGNED;
static u32 low_table[1024] ALIGNED, window_table[1024] ALIGNED, window_table_2[1024] ALIGNED;
static u32 frame_a[1024] ALIGNED, frame_b[1024] ALIGNED, frame_code[1024] ALIGNED;
static u32 arena[64][1024] ALIGNED;

#define WINDOW_ENTRY directory[WINDOW >> 22]
#define WORD(address) (*(volatile u32 *)(address))

/* The compiler cannot see that the processor reads and writes tables. */
static void set(u32 *entry, u32 value) { *(volatile u32 *)entry = value; }
static u32 get(u32 *entry) { return *(volatile u32 *)entry; }

static void map(u32 page, u32 *frame, u32 flags) {
  set(window_table + page, (u32)frame | flags);
  invlpg(WINDOW + page * 4096);
}

static void reload(void) { write_cr3(read_cr3()); }

static int strict;
static u32 user_address;
static u32 user_read(void) { return WORD(user_address); }
static u32 user_write(void) {
  WORD(user_address) = 0x1234;
  return 1;
}

static void setup(void) {
  for (u32 i = 0; i < 1024; i++) low_table[i] = i << 12 | P | RW | US;
  directory[0] = (u32)low_table | P | RW | US;
  directory[LARGE_FRAME >> 22] = 0;
  directory[WINDOW >> 22] = (u32)window_table | P | RW | US;
  for (u32 i = 0; i < 1024; i++) directory_2[i] = directory[i];
  directory_2[WINDOW >> 22] = (u32)window_table_2 | P | RW | US;
  frame_a[0] = 0xaaaaaaaa;
  frame_b[0] = 0xbbbbbbbb;
  write_cr3((u32)directory);
  write_cr0(read_cr0() | CR0_PG | CR0_WP);
  check("paging-on", 1);
}

static void mapping(void) {
  map(0, frame_a, P | RW);
  equal("map", WORD(WINDOW), 0xaaaaaaaa);
  WORD(WINDOW + 4) = 0x11223344;
  equal("write-through-window", frame_a[1], 0x11223344);
  map(0, frame_b, P | RW);
  equal("remap-invlpg", WORD(WINDOW), 0xbbbbbbbb);
  set(window_table, (u32)frame_a | P | RW);
  reload();
  equal("remap-cr3", WORD(WINDOW), 0xaaaaaaaa);

  map(1, frame_a, 0);
  PROBE("movl (%0), %%eax", "r"(WINDOW + 4096));
  faulted("unmapped-read", VECTOR_PF, 0);
  set(window_table + 1, (u32)frame_a | P | RW); /* no INVLPG: entries that are not present are never cached */
  equal("present-without-invlpg", WORD(WINDOW + 4096), 0xaaaaaaaa);
  map(1, frame_a, 0);
  PROBE("movl $1, (%0)", "r"(WINDOW + 4100));
  faulted("unmapped-write", VECTOR_PF, ERROR_W);
  equal("cr2", fault.cr2, WINDOW + 4100);
  PROBE("movl (%0), %%eax", "r"(NOWHERE));
  faulted("no-table", VECTOR_PF, 0);
  PROBE("call *%0", "r"(NOWHERE));
  faulted("fetch", VECTOR_PF, 0);
  equal("fetch-cr2", fault.cr2, NOWHERE);
  equal("fetch-eip", fault.eip, NOWHERE);
}

static void page_crossing(void) {
  map(0, frame_a, P | RW);
  map(1, frame_b, 0);
  frame_a[1023] = 0x55555555;
  PROBE("movl $-1, (%0)", "r"(WINDOW + 4094));
  faulted("crossing-write", VECTOR_PF, ERROR_W);
  equal("crossing-cr2", fault.cr2, WINDOW + 4096);
  equal("crossing-no-partial-write", *(volatile u32 *)(frame_a + 1023), 0x55555555);
  map(1, frame_b, P | RW);
  WORD(WINDOW + 4094) = 0x88776655;
  equal("crossing-low", *(volatile u32 *)(frame_a + 1023), 0x66555555);
  equal("crossing-high", *(volatile u32 *)frame_b, 0xbbbb8877);
  frame_b[0] = 0xbbbbbbbb;
}

static void write_protect(void) {
  map(2, frame_a, P);
  PROBE("movl $1, (%0)", "r"(WINDOW + 0x2008));
  faulted("wp-write", VECTOR_PF, ERROR_P | ERROR_W);
  PROBE("lock incl (%0)", "r"(WINDOW + 0x2008));
  faulted("wp-locked-write", VECTOR_PF, ERROR_P | ERROR_W);
  write_cr0(read_cr0() & ~CR0_WP);
  fault.count = 0;
  WORD(WINDOW + 0x2008) = 0x77;
  equal("no-wp-write", frame_a[2], 0x77);
  write_cr0(read_cr0() | CR0_WP);
  PROBE("movl $1, (%0)", "r"(WINDOW + 0x2008));
  faulted("wp-again", VECTOR_PF, ERROR_P | ERROR_W);
  set(&WINDOW_ENTRY, get(&WINDOW_ENTRY) & ~RW); /* the directory's bit counts too */
  reload();
  map(2, frame_a, P | RW);
  PROBE("movl $1, (%0)", "r"(WINDOW + 0x2008));
  faulted("wp-directory", VECTOR_PF, ERROR_P | ERROR_W);
  set(&WINDOW_ENTRY, get(&WINDOW_ENTRY) | RW);
  reload();
}

static void user_access(const char *name, u32 (*function)(void), u32 flags, u32 vector, u32 error) {
  map(3, frame_a, flags);
  user_address = WINDOW + 0x3000;
  run_user(function);
  if (vector == FAULT_NONE) {
    equal(name, fault.vector, FAULT_NONE);
  } else {
    faulted(name, vector, error);
  }
}

static void user_rights(void) {
  user_access("user-read", user_read, P | RW | US, FAULT_NONE, 0);
  user_access("user-write", user_write, P | RW | US, FAULT_NONE, 0);
  equal("user-wrote", *(volatile u32 *)frame_a, 0x1234);
  user_access("user-supervisor-read", user_read, P | RW, VECTOR_PF, ERROR_P | ERROR_U);
  user_access("user-supervisor-write", user_write, P | RW, VECTOR_PF, ERROR_P | ERROR_W | ERROR_U);
  user_access("user-read-only-read", user_read, P | US, FAULT_NONE, 0);
  user_access("user-read-only-write", user_write, P | US, VECTOR_PF, ERROR_P | ERROR_W | ERROR_U);
  user_access("user-absent-read", user_read, 0, VECTOR_PF, ERROR_U);
  user_access("user-absent-write", user_write, RW | US, VECTOR_PF, ERROR_W | ERROR_U);
  write_cr0(read_cr0() & ~CR0_WP);
  user_access("user-ignores-wp", user_write, P | US, VECTOR_PF, ERROR_P | ERROR_W | ERROR_U);
  write_cr0(read_cr0() | CR0_WP);
  set(&WINDOW_ENTRY, get(&WINDOW_ENTRY) & ~US);
  reload();
  user_access("user-supervisor-directory", user_read, P | RW | US, VECTOR_PF, ERROR_P | ERROR_U);
  set(&WINDOW_ENTRY, get(&WINDOW_ENTRY) | US);
  reload();
  frame_a[0] = 0xaaaaaaaa;
}

static void accessed_dirty(void) {
  set(&WINDOW_ENTRY, get(&WINDOW_ENTRY) & ~A);
  map(4, frame_a, P | RW);
  reload();
  equal("clear", get(window_table + 4) & (A | D), 0);
  (void)WORD(WINDOW + 0x4000);
  equal("read-sets-a", get(window_table + 4) & (A | D), A);
  equal("directory-a", get(&WINDOW_ENTRY) & A, A);
  WORD(WINDOW + 0x4010) = 1;
  equal("write-sets-d", get(window_table + 4) & (A | D), A | D);
  map(4, frame_a, P | RW);
  WORD(WINDOW + 0x4010) = 2;
  equal("first-write-sets-both", get(window_table + 4) & (A | D), A | D);
  map(4, frame_a, P);
  PROBE("movl $1, (%0)", "r"(WINDOW + 0x4000));
  equal("faulting-write-leaves-d", get(window_table + 4) & D, 0);
  set(window_table + 4, (u32)frame_a | P | RW | A); /* D cleared behind the TLB's back, then flushed */
  reload();
  WORD(WINDOW + 0x4010) = 3;
  equal("d-after-flush", get(window_table + 4) & D, D);
}

static void large_pages(void) {
  set(directory + (LARGE >> 22), (u32)window_table | P | RW | PS);
  reload();
  equal("ps-ignored-without-pse", WORD(LARGE), WORD(WINDOW));

  write_cr4(read_cr4() | CR4_PSE);
  set(directory + (LARGE >> 22), LARGE_FRAME | P | RW | PS);
  set(directory + (LARGE_FRAME >> 22), 0);
  reload();
  WORD(LARGE + 0x123450) = 0xcafe;
  WORD(LARGE + 0x3ffffc) = 0xf00d;
  equal("large-a-d", get(directory + (LARGE >> 22)) & (A | D), A | D);
  map(5, (u32 *)(LARGE_FRAME + 0x123000), P | RW);
  equal("large-seen-small", WORD(WINDOW + 0x5450), 0xcafe);
  map(5, (u32 *)(LARGE_FRAME + 0x3ff000), P | RW);
  equal("large-end", WORD(WINDOW + 0x5ffc), 0xf00d);

  set(directory + (LARGE >> 22), LARGE_FRAME | P | PS);
  invlpg(LARGE);
  PROBE("movl $1, (%0)", "r"(LARGE + 0x200000));
  faulted("large-read-only", VECTOR_PF, ERROR_P | ERROR_W);
  equal("large-read-sets-no-d", get(directory + (LARGE >> 22)) & D, 0);
  set(directory + (LARGE >> 22), LARGE_FRAME | P | RW | PS);
  invlpg(LARGE + 0x123000); /* any address in it */
  WORD(LARGE) = 7;
  user_address = LARGE;
  run_user(user_read);
  faulted("large-supervisor", VECTOR_PF, ERROR_P | ERROR_U);
  set(directory + (LARGE >> 22), LARGE_FRAME | P | RW | PS | 1u << 21);
  reload();
  PROBE("movl (%0), %%eax", "r"(LARGE));
  fault.error |= strict ? 0 : ERROR_P;
  faulted("large-reserved-bit", VECTOR_PF, ERROR_P | ERROR_RSVD);
  set(directory + (LARGE >> 22), (u32)window_table | P | RW); /* from large to small */
  reload();
  equal("large-to-small", WORD(LARGE), WORD(WINDOW));
  set(directory + (LARGE >> 22), 0);
  reload();
}

static void global_pages(void) {
  write_cr4(read_cr4() | CR4_PGE);
  map(6, frame_a, P | RW | G);
  equal("global", WORD(WINDOW + 0x6000), 0xaaaaaaaa);
  map(6, frame_b, P | RW | G);
  equal("global-invlpg", WORD(WINDOW + 0x6000), 0xbbbbbbbb);
  set(window_table + 6, (u32)frame_a | P | RW | G);
  write_cr4(read_cr4() & ~CR4_PGE);
  equal("global-pge-flush", WORD(WINDOW + 0x6000), 0xaaaaaaaa);
  map(6, frame_b, P | RW | G); /* without PGE, G is ignored */
  (void)WORD(WINDOW + 0x6000);
  set(window_table + 6, (u32)frame_a | P | RW | G);
  reload();
  equal("global-off", WORD(WINDOW + 0x6000), 0xaaaaaaaa);
}

static void address_spaces(void) {
  map(7, frame_a, P | RW);
  set(window_table_2 + 7, (u32)frame_b | P | RW);
  int good = 1;
  for (u32 i = 0; i < 100; i++) {
    write_cr3((u32)directory_2);
    good &= WORD(WINDOW + 0x7000) == 0xbbbbbbbb;
    write_cr3((u32)directory);
    good &= WORD(WINDOW + 0x7000) == 0xaaaaaaaa;
  }
  check("cr3-switch", good);

  write_cr0(read_cr0() & ~CR0_PG);
  u32 off = WORD(frame_a);
  write_cr0(read_cr0() | CR0_PG);
  equal("paging-off", off, 0xaaaaaaaa);
  equal("paging-on-again", WORD(WINDOW + 0x7000), 0xaaaaaaaa);

  /* The tables may map themselves: a write there is a change of the mapping. */
  map(8, window_table, P | RW);
  WORD(WINDOW + 0x8000 + 4 * 9) = (u32)frame_b | P | RW;
  invlpg(WINDOW + 0x9000);
  equal("table-through-itself", WORD(WINDOW + 0x9000), 0xbbbbbbbb);
  WORD(WINDOW + 0x8000 + 4 * 9) = (u32)frame_a | P | RW;
  invlpg(WINDOW + 0x9000);
  equal("table-through-itself-again", WORD(WINDOW + 0x9000), 0xaaaaaaaa);

  /* A table that becomes a data page and another that takes its place. */
  for (u32 i = 0; i < 1024; i++) window_table_2[i] = 0;
  window_table_2[0] = (u32)frame_b | P | RW;
  set(&WINDOW_ENTRY, (u32)window_table_2 | P | RW | US);
  reload();
  equal("new-table", WORD(WINDOW), 0xbbbbbbbb);
  set(&WINDOW_ENTRY, (u32)window_table | P | RW | US);
  reload();
  equal("old-table", WORD(WINDOW), frame_a[0]);
}

/* Code that runs from one frame, then from another at the same address. */
static void code_pages(void) {
  static const u8 return_1[] = {0xb8, 1, 0, 0, 0, 0xc3}; /* mov $1, %eax; ret */
  u8 *a = (u8 *)frame_code, *b = (u8 *)arena[0];
  for (u32 i = 0; i < sizeof return_1; i++) a[i] = b[i] = return_1[i];
  b[1] = 2;
  u32 (*function)(void) = (u32 (*)(void))(WINDOW + 0xa000);
  map(10, frame_code, P | RW);
  equal("code-first", function(), 1);
  map(10, arena[0], P | RW);
  equal("code-remapped", function(), 2);
  *(volatile u8 *)(WINDOW + 0xa001) = 3;
  equal("code-modified", function(), 3);
  ((volatile u8 *)arena[0])[1] = 4; /* by another name */
  equal("code-modified-alias", function(), 4);
}

static void on_demand(struct trap *trap) {
  (void)trap;
  u32 page = (read_cr2() - WINDOW) >> 12;
  set(window_table + page, (u32)arena[page % 64] | P | RW);
  fault.count++;
}

static void demand(void) {
  for (u32 i = 100; i < 164; i++) map(i, 0, 0);
  fault.count = 0;
  handlers[VECTOR_PF] = on_demand;
  for (u32 round = 0; round < 2; round++) {
    for (u32 i = 100; i < 164; i++) WORD(WINDOW + i * 4096) = i;
  }
  equal("demand-faults", fault.count, 64);
  int good = 1;
  for (u32 i = 100; i < 164; i++) good &= arena[i % 64][0] == i;
  check("demand-contents", good);

  /* A string that runs into missing pages stops and goes on, once for each. */
  for (u32 i = 100; i < 104; i++) map(i, 0, 0);
  fault.count = 0;
  u32 address = WINDOW + 100 * 4096, bytes = 4 * 4096;
  __asm__ volatile("rep stosb" : "+D"(address), "+c"(bytes) : "a"(0x5a) : "memory");
  handlers[VECTOR_PF] = 0;
  equal("string-faults", fault.count, 4);
  equal("string-end", address, WINDOW + 104 * 4096);
  equal("string-contents", arena[103 % 64][1023], 0x5a5a5a5a);
}

static u32 user_invlpg(void) {
  invlpg(WINDOW);
  return 1;
}

static u32 user_cr3(void) { return read_cr3(); }

static void privileges(void) {
  run_user(user_invlpg);
  faulted("user-invlpg", VECTOR_GP, 0);
  run_user(user_cr3);
  faulted("user-cr3", VECTOR_GP, 0);
  if (!strict) return;
  PROBE("movl %0, %%cr4", "r"(read_cr4() | 1u << 31));
  faulted("cr4-reserved", VECTOR_GP, 0);
  PROBE("movl %0, %%cr0", "r"(CR0_PG));
  faulted("pg-without-pe", VECTOR_GP, 0);
}

void run(void) {
  strict = has_word("strict");
  setup();
  mapping();
  page_crossing();
  write_protect();
  user_rights();
  accessed_dirty();
  large_pages();
  global_pages();
  address_spaces();
  code_pages();
  demand();
  privileges();
}
