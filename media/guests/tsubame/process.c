/* process.c: the process table, round-robin scheduling, sleep and wake-up, fork, exit and wait. Not exec (exec.c).
 * User code can lose the processor at any instruction; the kernel never does, except where it calls schedule() itself. */
#include "kernel.h"
#include "x86.h"

struct process processes[PROCESSES]; /* 0 is idle, 1 the shell */
struct process *current = processes;
u32 switches, idle_ticks;

static struct process *const idle_process = processes;
static struct process *const shell = processes + 1;
static u32 next_pid = 1;
static bool due; /* somebody else should run as soon as that is possible */

void process_init(void) {
  copy_string(idle_process->name, "idle", NAME_LENGTH);
  idle_process->state = PROCESS_RUNNABLE;
}

/* A process without address space that does not run yet; NULL if the table or memory is full. */
struct process *process_create(const char *name, struct process *parent) {
  for (struct process *process = processes + 1; process < processes + PROCESSES; process++) {
    if (process->state != PROCESS_FREE) continue;
    u32 stack = frame_allocate();
    if (!stack) return NULL;
    *process = (struct process){.pid = next_pid++, .state = PROCESS_SLEEPING, .parent = parent, .stack = stack};
    copy_string(process->name, name, NAME_LENGTH);
    return process;
  }
  return NULL;
}

/* Builds the stack that switch_stacks and trap_return will take down. */
void process_start(struct process *process, const struct trap *registers) {
  struct {
    u32 edi, esi, ebx, ebp, eip;
    struct trap trap;
  } *frame = (void *)(process->stack + PAGE - sizeof *frame);
  memset(frame, 0, sizeof *frame);
  frame->eip = (u32)trap_return;
  frame->trap = *registers;
  process->stack_pointer = (u32)frame;
  process->state = PROCESS_RUNNABLE;
}

static void discard(struct process *process) {
  frame_release(process->stack);
  process->state = PROCESS_FREE;
}

static struct process *next_runnable(void) {
  u32 start = current - processes;
  for (u32 i = 1; i <= PROCESSES; i++) {
    struct process *process = processes + (start + i) % PROCESSES;
    if (process != idle_process && process->state == PROCESS_RUNNABLE) return process;
  }
  return idle_process;
}

void schedule(void) {
  due = false;
  struct process *previous = current, *next = next_runnable();
  if (next == previous) return;
  current = next;
  switches++;
  tss_set_kernel_stack(next->stack + PAGE);
  vm_activate(next->space);
  switch_stacks(&previous->stack_pointer, next->stack_pointer);
}

/* On the way back from a trap: user code and the idle loop may be interrupted, other kernel code not. */
void schedule_if_due(const struct trap *trap) {
  if (due && (from_user(trap) || current == idle_process)) schedule();
}

void idle(void) {
  for (;;) sti_hlt();
}

void sleep_on(const void *channel) {
  current->channel = channel;
  current->state = PROCESS_SLEEPING;
  schedule();
}

void wake(const void *channel) {
  for (struct process *process = processes; process < processes + PROCESSES; process++) {
    if (process->state != PROCESS_SLEEPING || process->channel != channel) continue;
    process->channel = NULL;
    process->state = PROCESS_RUNNABLE;
    due = true;
  }
}

/* Sleepers on `ticks` wait for their own time, so they look again each time one of them is woken. */
void clock_tick(void) {
  current->used_ticks++;
  if (current == idle_process) idle_ticks++;
  for (struct process *process = processes; process < processes + PROCESSES; process++) {
    if (process->state != PROCESS_SLEEPING || process->channel != (const void *)&ticks) continue;
    if ((i32)(ticks - process->wake_tick) < 0) continue;
    process->channel = NULL;
    process->state = PROCESS_RUNNABLE;
  }
  due = true;
}

i32 process_fork(const struct trap *trap) {
  struct process *child = process_create(current->name, current);
  if (!child) return -EAGAIN;
  child->space = vm_clone(current->space);
  if (!child->space) {
    discard(child);
    return -ENOMEM;
  }
  child->heap_end = current->heap_end;
  struct trap registers = *trap;
  registers.eax = 0; /* what fork returns in the child */
  process_start(child, &registers);
  return child->pid;
}

void process_exit(u32 status) {
  if (current == shell) panic(NULL, "the shell ended with status %u", status);
  for (struct process *process = processes; process < processes + PROCESSES; process++) {
    if (process->parent != current || process->state == PROCESS_FREE) continue;
    process->parent = shell;
    if (process->state == PROCESS_ZOMBIE) wake(shell);
  }
  u32 space = current->space;
  current->space = 0;
  vm_activate(0);
  vm_destroy(space);
  current->status = status;
  current->state = PROCESS_ZOMBIE; /* its stack is still in use: the parent frees it */
  wake(current->parent);
  schedule();
  panic(NULL, "process %u ran after its end", current->pid);
}

i32 process_wait(u32 *status) {
  for (;;) {
    bool children = false;
    for (struct process *process = processes; process < processes + PROCESSES; process++) {
      if (process->parent != current || process->state == PROCESS_FREE) continue;
      children = true;
      if (process->state != PROCESS_ZOMBIE) continue;
      *status = process->status;
      discard(process);
      return process->pid;
    }
    if (!children) return -ECHILD;
    sleep_on(current);
  }
}

void kill_current(const struct trap *trap, const char *why, u32 address) {
  print("%s[%u]: %s, address %x, eip %x: killed\n", current->name, current->pid, why, address, trap->eip);
  process_exit(STATUS_KILLED);
}
