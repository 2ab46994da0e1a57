/* frame.c: who uses which 4 KiB frame of physical memory: a count of users for each. Not page tables (vm.c).
 * The lowest free frame is handed out first, so a run uses little memory and every run the same. */
#include "kernel.h"

#define FRAMES (256u * 1024 * 1024 / PAGE)
#define LOW_MEMORY 0x100000u /* left to the firmware and the VGA */

u32 frames_total, frames_free;
static u16 users[FRAMES]; /* 0: free */
static u32 lowest;        /* no free frame has a number below this */

void frame_init(void) {
  u32 end = memory_end();
  for (u32 frame = 0; frame < FRAMES * PAGE; frame += PAGE) {
    bool kernel = frame < ((u32)kernel_end + PAGE - 1) / PAGE * PAGE;
    bool free = frame >= LOW_MEMORY && frame < end && !kernel && memory_usable(frame);
    users[frame / PAGE] = free ? 0 : 1;
    if (free) frames_total++;
  }
  frames_free = frames_total;
}

/* A frame with unknown contents and one user, or 0 if memory is used up. */
u32 frame_allocate(void) {
  while (lowest < FRAMES && users[lowest]) lowest++;
  if (lowest == FRAMES) return 0;
  users[lowest] = 1;
  frames_free--;
  return lowest * PAGE;
}

void frame_share(u32 frame) { users[frame / PAGE]++; }

u32 frame_shares(u32 frame) { return users[frame / PAGE]; }

void frame_release(u32 frame) {
  u32 number = frame / PAGE;
  if (users[number] == 0) panic(NULL, "frame %x released twice", frame);
  if (--users[number] > 0) return;
  frames_free++;
  if (number < lowest) lowest = number;
}
