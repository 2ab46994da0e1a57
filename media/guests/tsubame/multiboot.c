/* multiboot.c: what the boot loader tells us: command line and usable memory, copied before anything can overwrite it.
 * Multiboot Specification 0.6.96, 3.3 (boot information format). */
#include "kernel.h"

#define LOADER_MAGIC 0x2badb002
#define INFO_MEMORY (1 << 0)
#define INFO_COMMAND_LINE (1 << 2)
#define INFO_MEMORY_MAP (1 << 6)
#define REGION_AVAILABLE 1
#define MEGABYTE 0x100000u

/* More than this is left alone, which bounds the kernel's tables. */
#define MEMORY_LIMIT (256 * MEGABYTE)

struct info {
  u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
};

struct map_entry {
  u32 size; /* of what follows */
  u64 base, length;
  u32 type;
} __attribute__((packed));

char command_line[256];

static struct region {
  u32 start, end;
} regions[16];
static u32 region_count;

static void add_region(u64 start, u64 end) {
  if (end > MEMORY_LIMIT) end = MEMORY_LIMIT;
  if (start >= end || region_count == sizeof regions / sizeof *regions) return;
  regions[region_count++] = (struct region){start, end};
}

void multiboot_read(u32 magic, u32 address) {
  const struct info *info = (const struct info *)address;
  if (magic != LOADER_MAGIC) panic(NULL, "not started by a Multiboot loader: EAX is %x, not %x", magic, LOADER_MAGIC);
  if (info->flags & INFO_COMMAND_LINE) copy_string(command_line, (const char *)info->cmdline, sizeof command_line);

  if (info->flags & INFO_MEMORY_MAP) {
    u32 at = info->mmap_addr;
    while (at < info->mmap_addr + info->mmap_length) {
      const struct map_entry *entry = (const struct map_entry *)at;
      if (entry->type == REGION_AVAILABLE) add_region(entry->base, entry->base + entry->length);
      at += entry->size + sizeof entry->size;
    }
  } else if (info->flags & INFO_MEMORY) {
    add_region(0, info->mem_lower * 1024ull);
    add_region(MEGABYTE, MEGABYTE + info->mem_upper * 1024ull);
  }
  if (memory_end() < 4 * MEGABYTE) panic(NULL, "the loader reports no memory above 4 MiB");
}

/* End of the highest usable region. */
u32 memory_end(void) {
  u32 end = 0;
  for (u32 i = 0; i < region_count; i++) {
    if (regions[i].end > end) end = regions[i].end;
  }
  return end & ~(PAGE - 1);
}

bool memory_usable(u32 frame) {
  for (u32 i = 0; i < region_count; i++) {
    if (frame >= regions[i].start && frame + PAGE <= regions[i].end) return true;
  }
  return false;
}
