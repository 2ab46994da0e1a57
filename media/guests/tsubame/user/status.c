/* status.c: ps, mem, uptime: what the kernel says about itself. */
#include "lib.h"

#define MOST 32

static const char *const states[] = {"free", "runnable", "sleeping", "zombie"};

int ps_main(const char *argument) {
  (void)argument;
  struct process_info list[MOST];
  i32 count = processes(list, MOST);
  printf("  PID PARENT STATE       TICKS PAGES NAME\n");
  for (i32 i = 0; i < count; i++) {
    const struct process_info *process = list + i;
    printf("%5u %6u %-9s %7u %5u %s\n", process->pid, process->parent, states[process->state], process->ticks,
           process->frames, process->name);
  }
  return 0;
}

int mem_main(const char *argument) {
  (void)argument;
  struct system_status now;
  status(&now);
  printf("frames: %u of %u free (%u KiB)\n", now.frames_free, now.frames_total, now.frames_free * 4);
  printf("page faults: %u zeroed, %u from the image, %u copied on write\n", now.faults_zero, now.faults_image,
         now.faults_copy);
  return 0;
}

int uptime_main(const char *argument) {
  (void)argument;
  struct system_status now;
  status(&now);
  u32 rest = now.ticks % now.ticks_per_second;
  printf("up %u.%u%u s, %u ticks (%u idle), %u context switches\n", now.ticks / now.ticks_per_second, rest / 10,
         rest % 10, now.ticks, now.idle_ticks, now.switches);
  return 0;
}
