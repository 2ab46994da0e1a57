/* vm.c: address spaces. The first gigabyte of each is the kernel's: physical memory at its own addresses, supervisor only.
 * The rest is the process's and starts empty; fault.c fills it. SDM vol. 3A 4.3 (32-bit paging), 4.10 (TLB). */
#include "vm.h"
#include "x86.h"

#define DIRECTORY_ENTRIES 1024u
#define TABLE_SPAN (PAGE * 1024u)
#define USER_FIRST (USER_BASE / TABLE_SPAN)
#define USER_LAST (USER_TOP / TABLE_SPAN)

struct system_status vm_counts; /* only its fault counters are used */
static u32 kernel_space;

static u32 zeroed_frame(void) {
  u32 frame = frame_allocate();
  if (frame) memset((void *)frame, 0, PAGE);
  return frame;
}

u32 *vm_entry(u32 space, u32 address, bool make) {
  u32 *directory_entry = (u32 *)space + address / TABLE_SPAN;
  if (!(*directory_entry & PTE_PRESENT)) {
    u32 table = make ? zeroed_frame() : 0;
    if (!table) return NULL;
    *directory_entry = table | PTE_PRESENT | PTE_WRITABLE | PTE_USER; /* the table's entries decide */
  }
  u32 *table = (u32 *)(*directory_entry & PTE_FRAME);
  return table + address / PAGE % 1024;
}

/* Page 0 stays unmapped to catch null pointers; kernel text and the programs' image are read-only, even for the kernel. */
static void map_kernel(void) {
  for (u32 address = PAGE; address < memory_end(); address += PAGE) {
    u32 *entry = vm_entry(kernel_space, address, true);
    if (!entry) panic(NULL, "no memory for the kernel's page tables");
    bool text = address >= (u32)kernel_start && address < (u32)kernel_text_end;
    *entry = address | PTE_PRESENT | PTE_GLOBAL | (text ? 0 : PTE_WRITABLE);
  }
}

void vm_init(void) {
  kernel_space = zeroed_frame();
  map_kernel();

  u32 eax, ebx, ecx, edx;
  cpuid(1, &eax, &ebx, &ecx, &edx);
  write_cr3(kernel_space);
  write_cr0(read_cr0() | CR0_PG | CR0_WP);
  if (edx & CPUID_EDX_PGE) write_cr4(read_cr4() | CR4_PGE); /* the kernel's pages survive a change of CR3 in the TLB */
}

/* The kernel's page tables are shared: its part of the directory is copied and never changes. 0: no memory. */
u32 vm_create(void) {
  u32 space = zeroed_frame();
  if (space) memcpy((void *)space, (void *)kernel_space, USER_FIRST * sizeof(u32));
  return space;
}

/* Frees the user part; the caller runs in another space. */
void vm_destroy(u32 space) {
  u32 *directory = (u32 *)space;
  for (u32 i = USER_FIRST; i < USER_LAST; i++) {
    if (!(directory[i] & PTE_PRESENT)) continue;
    u32 *table = (u32 *)(directory[i] & PTE_FRAME);
    for (u32 j = 0; j < 1024; j++) {
      if (table[j] & PTE_PRESENT) frame_release(table[j] & PTE_FRAME);
    }
    frame_release((u32)table);
  }
  frame_release(space);
}

/* Both sides share every frame; what was writable becomes "copy on write" in both. 0: no memory. */
u32 vm_clone(u32 from) {
  u32 space = vm_create();
  if (!space) return 0;
  u32 *directory = (u32 *)from;
  for (u32 i = USER_FIRST; i < USER_LAST; i++) {
    if (!(directory[i] & PTE_PRESENT)) continue;
    u32 *table = (u32 *)(directory[i] & PTE_FRAME);
    for (u32 j = 0; j < 1024; j++) {
      if (!(table[j] & PTE_PRESENT)) continue;
      u32 *entry = vm_entry(space, i * TABLE_SPAN + j * PAGE, true);
      if (!entry) {
        vm_destroy(space);
        return 0;
      }
      if (table[j] & PTE_WRITABLE) table[j] = (table[j] & ~PTE_WRITABLE) | PTE_COPY;
      *entry = table[j];
      frame_share(table[j] & PTE_FRAME);
    }
  }
  write_cr3(read_cr3()); /* the parent's writable entries may still be in the TLB */
  return space;
}

/* 0 stands for the kernel's own space. */
void vm_activate(u32 space) { write_cr3(space ? space : kernel_space); }

u32 vm_frames(u32 space) {
  u32 count = 0;
  if (!space) return 0;
  for (u32 i = USER_FIRST; i < USER_LAST; i++) {
    u32 directory_entry = ((u32 *)space)[i];
    if (!(directory_entry & PTE_PRESENT)) continue;
    u32 *table = (u32 *)(directory_entry & PTE_FRAME);
    for (u32 j = 0; j < 1024; j++) count += table[j] & PTE_PRESENT;
  }
  return count;
}
