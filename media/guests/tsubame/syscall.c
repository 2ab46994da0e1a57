/* syscall.c: INT 80h: one function for each system call of abi.h. Pointers from user mode are checked before use. */
#include "kernel.h"

static i32 sys_exit(struct trap *trap) { process_exit(trap->ebx); }

static i32 sys_fork(struct trap *trap) { return process_fork(trap); }

static i32 sys_exec(struct trap *trap) {
  char name[NAME_LENGTH], argument[ARGUMENT_LENGTH];
  if (!user_string(trap->ebx, name, sizeof name)) return -EFAULT;
  if (!user_string(trap->ecx, argument, sizeof argument)) return -EFAULT;
  return process_exec(trap, name, argument);
}

static i32 sys_wait(struct trap *trap) {
  if (!user_range(trap->ebx, sizeof(u32), true)) return -EFAULT;
  return process_wait((u32 *)trap->ebx);
}

static i32 sys_yield(struct trap *trap) {
  (void)trap;
  schedule();
  return 0;
}

static i32 sys_sleep(struct trap *trap) {
  u32 milliseconds = trap->ebx;
  if (milliseconds > 0x7fffffff / TICKS_PER_SECOND) return -EINVAL;
  current->wake_tick = ticks + (milliseconds * TICKS_PER_SECOND + 999) / 1000;
  while ((i32)(ticks - current->wake_tick) < 0) sleep_on((const void *)&ticks);
  return 0;
}

static i32 sys_write(struct trap *trap) {
  if (!user_range(trap->ebx, trap->ecx, false)) return -EFAULT;
  tty_write((const char *)trap->ebx, trap->ecx);
  return trap->ecx;
}

static i32 sys_read(struct trap *trap) {
  if (!user_range(trap->ebx, trap->ecx, true)) return -EFAULT;
  return tty_read((char *)trap->ebx, trap->ecx);
}

/* Only moves the end: the pages come when they are touched. What lies above a lowered end stays until exec or exit. */
static i32 sys_sbrk(struct trap *trap) {
  u32 end = current->heap_end, wanted = end + trap->ebx;
  i32 increment = trap->ebx;
  if (increment > 0 && (wanted < end || wanted > USER_STACK_BOTTOM - PAGE)) return -ENOMEM;
  if (increment < 0 && (wanted > end || wanted < (u32)user_data_end)) return -EINVAL;
  current->heap_end = wanted;
  return end;
}

static i32 sys_getpid(struct trap *trap) {
  (void)trap;
  return current->pid;
}

static i32 sys_processes(struct trap *trap) {
  u32 capacity = trap->ecx < PROCESSES ? trap->ecx : PROCESSES;
  struct process_info *to = (struct process_info *)trap->ebx;
  if (!user_range(trap->ebx, capacity * sizeof *to, true)) return -EFAULT;
  u32 count = 0;
  for (struct process *process = processes; process < processes + PROCESSES && count < capacity; process++) {
    if (process->state == PROCESS_FREE) continue;
    to[count] = (struct process_info){
        .pid = process->pid,
        .parent = process->parent ? process->parent->pid : 0,
        .state = process->state,
        .ticks = process->used_ticks,
        .frames = vm_frames(process->space),
    };
    copy_string(to[count++].name, process->name, NAME_LENGTH);
  }
  return count;
}

static i32 sys_status(struct trap *trap) {
  struct system_status *to = (struct system_status *)trap->ebx;
  if (!user_range(trap->ebx, sizeof *to, true)) return -EFAULT;
  *to = vm_counts;
  to->ticks = ticks;
  to->ticks_per_second = TICKS_PER_SECOND;
  to->idle_ticks = idle_ticks;
  to->switches = switches;
  to->frames_total = frames_total;
  to->frames_free = frames_free;
  return 0;
}

/* An instruction that does not exist, to show what an exception in the kernel looks like. */
static void __attribute__((noinline)) deliberate_panic(void) { __asm__ volatile("ud2"); }

static i32 sys_control(struct trap *trap) {
  switch (trap->ebx) {
    case CONTROL_PANIC:
      deliberate_panic();
      return 0;
    case CONTROL_TRIPLE:
      machine_triple_fault();
    case CONTROL_HALT:
      machine_halt();
    case CONTROL_REBOOT:
      machine_reboot();
    case CONTROL_POWEROFF:
      machine_power_off();
    default:
      return -EINVAL;
  }
}

static i32 (*const calls[SYS_COUNT])(struct trap *) = {
    [SYS_EXIT] = sys_exit,     [SYS_FORK] = sys_fork,   [SYS_EXEC] = sys_exec,           [SYS_WAIT] = sys_wait,
    [SYS_YIELD] = sys_yield,   [SYS_SLEEP] = sys_sleep, [SYS_WRITE] = sys_write,         [SYS_READ] = sys_read,
    [SYS_SBRK] = sys_sbrk,     [SYS_GETPID] = sys_getpid, [SYS_PROCESSES] = sys_processes, [SYS_STATUS] = sys_status,
    [SYS_CONTROL] = sys_control,
};

void syscall(struct trap *trap) {
  u32 number = trap->eax;
  i32 result = number < SYS_COUNT ? calls[number](trap) : -ENOSYS;
  if (number == SYS_EXEC && result == 0) return; /* the registers are the new program's */
  trap->eax = result;
}
