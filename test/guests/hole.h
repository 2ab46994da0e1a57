/* hole.h: paging for guests that need a page which is not present: 4 MiB pages onto themselves, but AREA in 4 KiB pages with a hole at HOLE,
 * which the guest defines. */
#ifndef HOLE_H
#define HOLE_H

#include "rules.h"

static u32 directory[1024] __attribute__((aligned(4096)));
static u32 table[1024] __attribute__((aligned(4096)));

static void paging(void) {
  for (u32 i = 0; i < 16; i++) directory[i] = i << 22 | 0x87;
  for (u32 i = 0; i < 1024; i++) table[i] = (AREA + i * 4096) | 7;
  table[(HOLE - AREA) / 4096] = 0;
  directory[AREA >> 22] = (u32)table | 7;
  write_cr4(read_cr4() | 0x10);
  write_cr3((u32)directory);
  write_cr0(read_cr0() | 0x80000000);
}

#endif
