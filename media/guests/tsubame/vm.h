/* vm.h: page-table entries, shared by vm.c (which builds tables) and fault.c (which fills them on demand).
 * SDM vol. 3A 4.3 (32-bit paging). */
#ifndef VM_H
#define VM_H

#include "kernel.h"

#define PTE_PRESENT 0x001u
#define PTE_WRITABLE 0x002u
#define PTE_USER 0x004u
#define PTE_GLOBAL 0x100u
#define PTE_COPY 0x200u /* ours: writable once it is copied */
#define PTE_FRAME 0xfffff000u

/* The entry for an address; its table is made if need be and wanted. NULL: no table, or no memory for one. */
u32 *vm_entry(u32 space, u32 address, bool make);

#endif
