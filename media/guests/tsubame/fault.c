/* fault.c: page faults: demand loading of the image, demand-zero heap and stack, copy on write, and the end of a process
 * that touches what is not its own. SDM vol. 3A 4.7 (page-fault error code). */
#include "vm.h"
#include "x86.h"

#define ERROR_WRITE 0x2u

static u32 page_up(u32 address) { return (address + PAGE - 1) & ~(PAGE - 1); }

static bool is_text(u32 page) { return page >= (u32)user_text_start && page < (u32)user_text_end; }

static bool is_data(u32 page) { return page >= (u32)user_data_start && page < (u32)user_data_end; }

static bool is_heap_or_stack(u32 page) {
  return (page >= page_up((u32)user_data_end) && page < page_up(current->heap_end)) ||
         (page >= USER_STACK_BOTTOM && page < USER_TOP);
}

/* A new frame with a copy of `from`, or with zeroes if that is NULL. */
static u32 filled_frame(const void *from) {
  u32 frame = frame_allocate();
  if (!frame) return 0;
  if (from) {
    memcpy((void *)frame, from, PAGE);
  } else {
    memset((void *)frame, 0, PAGE);
  }
  return frame;
}

static bool first_touch(u32 *entry, u32 page, bool write) {
  u32 frame;
  if (is_text(page)) {
    if (write) return false;
    frame = (u32)user_text_load + (page - (u32)user_text_start);
    frame_share(frame);
    *entry = frame | PTE_PRESENT | PTE_USER;
    vm_counts.faults_image++;
    return true;
  }
  if (is_data(page)) {
    frame = filled_frame(user_data_load + (page - (u32)user_data_start));
    vm_counts.faults_image++;
  } else if (is_heap_or_stack(page)) {
    frame = filled_frame(NULL);
    vm_counts.faults_zero++;
  } else {
    return false;
  }
  if (!frame) return false;
  *entry = frame | PTE_PRESENT | PTE_WRITABLE | PTE_USER;
  return true;
}

static bool copy_on_write(u32 *entry, u32 page) {
  u32 frame = *entry & PTE_FRAME;
  if (frame_shares(frame) > 1) {
    u32 copy = filled_frame((const void *)frame);
    if (!copy) return false;
    frame_release(frame);
    frame = copy;
    vm_counts.faults_copy++;
  }
  *entry = frame | PTE_PRESENT | PTE_WRITABLE | PTE_USER;
  invlpg(page);
  return true;
}

/* Makes an address of the current process usable. False: it has no right to it, or memory is used up. */
bool vm_fault(u32 address, bool write) {
  u32 page = address & ~(PAGE - 1);
  if (page < USER_BASE || page >= USER_TOP) return false;
  if (!is_text(page) && !is_data(page) && !is_heap_or_stack(page)) return false; /* before a table is made for it */
  u32 *entry = vm_entry(current->space, page, true);
  if (!entry) return false;
  if (!(*entry & PTE_PRESENT)) return first_touch(entry, page, write);
  if (!write || (*entry & PTE_WRITABLE)) return true;
  return (*entry & PTE_COPY) && copy_on_write(entry, page);
}

void page_fault(struct trap *trap) {
  u32 address = read_cr2();
  bool write = trap->error & ERROR_WRITE;
  if (from_user(trap)) {
    if (vm_fault(address, write)) return;
    const char *why = write ? "page fault: bad write" : "page fault: bad read";
    kill_current(trap, frames_free ? why : "out of memory", address);
  }
  panic(trap, "page fault in the kernel, address %x, error code %x", address, trap->error);
}

/* Whether a system call may touch these bytes; makes them present, so that the kernel itself never faults on them. */
bool user_range(u32 address, u32 bytes, bool write) {
  if (bytes == 0) return true;
  u32 last = address + bytes - 1;
  if (last < address) return false;
  for (u32 page = address & ~(PAGE - 1); page <= last; page += PAGE) {
    if (!vm_fault(page, write)) return false;
  }
  return true;
}

bool user_string(u32 address, char *to, u32 capacity) {
  for (u32 i = 0; i < capacity; i++) {
    if (!user_range(address + i, 1, false)) return false;
    to[i] = ((const char *)address)[i];
    if (!to[i]) return true;
  }
  return false;
}
