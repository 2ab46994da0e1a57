/* paging-pae.c: PAE paging, checked by itself: 64-bit entries, the four page-directory-pointer entries, 2 MiB pages, reserved
 * bits, no-execute where the processor has it. SDM vol. 3A 4.4, 4.6, 4.7. Word `strict` on the command line: also what QEMU
 * 7.2 does not do (P in the error code of a reserved bit; page-directory-pointer entries loaded and
 * checked with CR3, where it reads them on every walk). */
#include "guest.h"

#define P 0x001ull
#define RW 0x002ull
#define US 0x004ull
#define A 0x020ull
#define D 0x040ull
#define PS 0x080ull
#define XD (1ull << 63)

#define CR0_WP (1u << 16)
#define CR0_PG (1u << 31)
#define CR4_PAE (1u << 5)
#define MSR_EFER 0xc0000080u
#define EFER_NXE (1u << 11)

#define ERROR_P 1u
#define ERROR_W 2u
#define ERROR_U 4u
#define ERROR_RSVD 8u
#define ERROR_ID 16u

#define WINDOW 0x40000000u /* pointer entry 1 */
#define ABSENT 0x80000000u /* pointer entry 2 */
#define LARGE 0x40200000u  /* directory 1, entry 1 */
#define LARGE_FRAME 0x800000u

#define ALIGNED __attribute__((aligned(4096)))

static u64 pointers[4] __attribute__((aligned(32))), pointers_2[4] __attribute__((aligned(32)));
static u64 low_directory[512] ALIGNED, window_directory[512] ALIGNED, window_directory_2[512] ALIGNED;
static u64 low_table[512] ALIGNED, low_table_2[512] ALIGNED, window_table[512] ALIGNED;
static u32 frame_a[1024] ALIGNED, frame_b[1024] ALIGNED;

#define WORD(address) (*(volatile u32 *)(address))

static void set(u64 *entry, u64 value) { *(volatile u64 *)entry = value; }
static u64 get(u64 *entry) { return *(volatile u64 *)entry; }
static void reload(void) { write_cr3(read_cr3()); }

static void map(u32 page, u32 *frame, u64 flags) {
  set(window_table + page, (u32)frame | flags);
  invlpg(WINDOW + page * 4096);
}

static int strict;
static u32 user_address;
static u32 user_read(void) { return WORD(user_address); }
static u32 user_write(void) {
  WORD(user_address) = 0x1234;
  return 1;
}

static void setup(void) {
  for (u32 i = 0; i < 512; i++) {
    low_table[i] = (u64)i << 12 | P | RW | US;
    low_table_2[i] = (u64)(i + 512) << 12 | P | RW | US;
  }
  low_directory[0] = (u32)low_table | P | RW | US;
  low_directory[1] = (u32)low_table_2 | P | RW | US;
  window_directory[0] = (u32)window_table | P | RW | US;
  window_directory_2[0] = (u32)low_table | P | RW | US;
  pointers[0] = pointers_2[0] = (u32)low_directory | P;
  pointers[1] = (u32)window_directory | P;
  pointers_2[1] = (u32)window_directory_2 | P;
  frame_a[0] = 0xaaaaaaaa;
  frame_b[0] = 0xbbbbbbbb;
  write_cr4(read_cr4() | CR4_PAE);
  write_cr3((u32)pointers);
  write_cr0(read_cr0() | CR0_PG | CR0_WP);
  check("pae-on", 1);
}

static void mapping(void) {
  map(0, frame_a, P | RW);
  equal("map", WORD(WINDOW), 0xaaaaaaaa);
  map(0, frame_b, P | RW);
  equal("remap-invlpg", WORD(WINDOW), 0xbbbbbbbb);
  map(511, frame_a, P | RW);
  equal("last-entry", WORD(WINDOW + 511 * 4096), 0xaaaaaaaa);
  map(1, frame_a, 0);
  PROBE("movl (%0), %%eax", "r"(WINDOW + 4096));
  faulted("unmapped-read", VECTOR_PF, 0);
  PROBE("movl $1, (%0)", "r"(WINDOW + 4104));
  faulted("unmapped-write", VECTOR_PF, ERROR_W);
  equal("cr2", fault.cr2, WINDOW + 4104);
  PROBE("movl (%0), %%eax", "r"(ABSENT));
  faulted("absent-pointer", VECTOR_PF, 0);
  PROBE("movl (%0), %%eax", "r"(LARGE));
  faulted("absent-directory-entry", VECTOR_PF, 0);
  map(2, frame_a, P);
  PROBE("movl $1, (%0)", "r"(WINDOW + 0x2000));
  faulted("wp-write", VECTOR_PF, ERROR_P | ERROR_W);
}

static void user_rights(void) {
  user_address = WINDOW + 0x3000;
  map(3, frame_b, P | RW | US);
  equal("user-read", run_user(user_read), 0xbbbbbbbb);
  map(3, frame_b, P | RW);
  run_user(user_read);
  faulted("user-supervisor-read", VECTOR_PF, ERROR_P | ERROR_U);
  map(3, frame_b, P | US);
  run_user(user_write);
  faulted("user-read-only-write", VECTOR_PF, ERROR_P | ERROR_W | ERROR_U);
  map(3, frame_b, 0);
  run_user(user_write);
  faulted("user-absent-write", VECTOR_PF, ERROR_W | ERROR_U);
}

static void accessed_dirty(void) {
  set(window_directory, get(window_directory) & ~A);
  map(4, frame_a, P | RW);
  reload();
  (void)WORD(WINDOW + 0x4000);
  equal("read-sets-a", get(window_table + 4) & (A | D), A);
  equal("directory-a", get(window_directory) & A, A);
  WORD(WINDOW + 0x4010) = 1;
  equal("write-sets-d", get(window_table + 4) & (A | D), A | D);
  equal("entry-high-untouched", get(window_table + 4) >> 32, 0);
}

static void large_pages(void) {
  set(window_directory + 1, LARGE_FRAME | P | RW | PS); /* CR4.PSE is not needed */
  WORD(LARGE + 0x123450) = 0xcafe;
  WORD(LARGE + 0x1ffffc) = 0xf00d;
  equal("large-a-d", get(window_directory + 1) & (A | D), A | D);
  map(5, (u32 *)(LARGE_FRAME + 0x123000), P | RW);
  equal("large-seen-small", WORD(WINDOW + 0x5450), 0xcafe);
  map(5, (u32 *)(LARGE_FRAME + 0x1ff000), P | RW);
  equal("large-end", WORD(WINDOW + 0x5ffc), 0xf00d);
  set(window_directory + 1, LARGE_FRAME | P | PS);
  invlpg(LARGE);
  PROBE("movl $1, (%0)", "r"(LARGE));
  faulted("large-read-only", VECTOR_PF, ERROR_P | ERROR_W);
  set(window_directory + 1, LARGE_FRAME | P | RW | PS | 1 << 13);
  reload();
  PROBE("movl (%0), %%eax", "r"(LARGE));
  fault.error |= strict ? 0 : ERROR_P;
  faulted("large-reserved-bit", VECTOR_PF, ERROR_P | ERROR_RSVD);
  set(window_directory + 1, 0);
  reload();
}

static void reserved_bits(void) {
  map(6, frame_a, P | RW | 1ull << 51);
  PROBE("movl (%0), %%eax", "r"(WINDOW + 0x6000));
  fault.error |= strict ? 0 : ERROR_P;
  faulted("reserved-address-bit", VECTOR_PF, ERROR_P | ERROR_RSVD);
  map(6, frame_a, P | RW | XD); /* EFER.NXE is 0 */
  PROBE("movl $1, (%0)", "r"(WINDOW + 0x6000));
  fault.error |= strict ? 0 : ERROR_P;
  faulted("reserved-xd", VECTOR_PF, ERROR_P | ERROR_W | ERROR_RSVD);
  map(6, frame_a, 1ull << 51); /* not present: nothing is reserved */
  PROBE("movl (%0), %%eax", "r"(WINDOW + 0x6000));
  faulted("reserved-not-present", VECTOR_PF, 0);
}

static void no_execute(void) {
  u32 eax, ebx, ecx, edx;
  cpuid(0x80000000, &eax, &ebx, &ecx, &edx);
  if (eax < 0x80000001) return;
  cpuid(0x80000001, &eax, &ebx, &ecx, &edx);
  if (!(edx & 1u << 20)) return;
  __asm__ volatile("rdmsr; or %2, %%eax; wrmsr" : : "c"(MSR_EFER), "a"(0), "i"(EFER_NXE) : "edx", "memory");
  map(7, frame_a, P | RW | XD);
  equal("xd-read", WORD(WINDOW + 0x7000), 0xaaaaaaaa);
  PROBE("call *%0", "r"(WINDOW + 0x7000));
  faulted("xd-fetch", VECTOR_PF, ERROR_P | ERROR_ID);
  map(7, frame_a, 0);
  PROBE("call *%0", "r"(WINDOW + 0x7000));
  faulted("absent-fetch", VECTOR_PF, ERROR_ID);
}

static void address_spaces(void) {
  map(8, frame_a, P | RW);
  int good = 1;
  for (u32 i = 0; i < 100; i++) {
    write_cr3((u32)pointers_2); /* there, WINDOW shows low memory */
    good &= WORD(WINDOW + ((u32)frame_b & 0x1fffff)) == WORD((u32)frame_b & 0x1fffff);
    write_cr3((u32)pointers);
    good &= WORD(WINDOW + 0x8000) == 0xaaaaaaaa;
  }
  check("cr3-switch", good);
  set(pointers + 2, (u32)window_directory | P);
  reload();
  equal("pointer-after-reload", WORD(ABSENT + 0x8000), 0xaaaaaaaa);
  set(pointers + 2, 0);
  reload();
  PROBE("movl (%0), %%eax", "r"(ABSENT));
  faulted("pointer-removed", VECTOR_PF, 0);
}

/* Loaded with CR3, not read by walks; reserved bits are found then. */
static void pointer_registers(void) {
  (void)WORD(WINDOW + 0x8000);
  set(pointers + 1, 0);
  invlpg(WINDOW + 0x8000);
  PROBE("movl (%0), %%eax", "r"(WINDOW + 0x8000));
  equal("pointer-registers", fault.vector, FAULT_NONE);
  set(pointers + 1, (u32)window_directory | P);
  set(pointers + 3, (u32)window_directory | P | RW);
  PROBE("movl %0, %%cr3", "r"(pointers));
  faulted("pointer-reserved", VECTOR_GP, 0);
  set(pointers + 3, 0);
}

void run(void) {
  strict = has_word("strict");
  u32 eax, ebx, ecx, edx;
  cpuid(1, &eax, &ebx, &ecx, &edx);
  if (!(edx & 1u << 6)) {
    print("skip: no PAE\n");
    return;
  }
  setup();
  mapping();
  user_rights();
  accessed_dirty();
  large_pages();
  reserved_bits();
  no_execute();
  address_spaces();
  if (strict) pointer_registers();
}
