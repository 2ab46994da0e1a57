/* abi.h: what kernel and programs agree on: system call numbers, error numbers, structures, and the address space.
 * A system call is INT 80h with EAX = number and EBX, ECX, EDX = arguments; EAX returns the result or -error.
 * User space, 1 GiB to 3 GiB: the image with all programs at its bottom, the heap behind it, the stack at its top. */
#ifndef ABI_H
#define ABI_H

#include "types.h"

#define USER_BASE 0x40000000u
#define USER_TOP 0xc0000000u
#define USER_STACK_BYTES 0x40000u
#define USER_STACK_BOTTOM (USER_TOP - USER_STACK_BYTES)

enum {
  SYS_EXIT,      /* (status): does not return */
  SYS_FORK,      /* (): 0 in the child, its pid in the parent */
  SYS_EXEC,      /* (name, argument): does not return if it succeeds */
  SYS_WAIT,      /* (status *): pid of a child that ended; blocks */
  SYS_YIELD,     /* () */
  SYS_SLEEP,     /* (milliseconds) */
  SYS_WRITE,     /* (buffer, bytes): bytes written to the console */
  SYS_READ,      /* (buffer, bytes): bytes of at most one line; blocks */
  SYS_SBRK,      /* (increment): previous end of the heap */
  SYS_GETPID,    /* () */
  SYS_PROCESSES, /* (struct process_info *, capacity): number filled in */
  SYS_STATUS,    /* (struct system_status *) */
  SYS_CONTROL,   /* (CONTROL_...): does not return */
  SYS_COUNT,
};

enum { CONTROL_PANIC, CONTROL_TRIPLE, CONTROL_HALT, CONTROL_REBOOT, CONTROL_POWEROFF };

#define ENOENT 2
#define ESRCH 3
#define ECHILD 10
#define EAGAIN 11
#define ENOMEM 12
#define EFAULT 14
#define EINVAL 22
#define ENOSYS 38

/* Status of a process that the kernel killed. */
#define STATUS_KILLED 139

#define NAME_LENGTH 12
#define ARGUMENT_LENGTH 128

/* The image opens with an array of these, ended by an empty name: the "file system" of exec. */
struct program {
  char name[NAME_LENGTH];
  int (*entry)(const char *argument);
};

enum process_state { PROCESS_FREE, PROCESS_RUNNABLE, PROCESS_SLEEPING, PROCESS_ZOMBIE };

struct process_info {
  u32 pid;
  u32 parent;
  u32 state;
  u32 ticks;  /* clock ticks that found it running */
  u32 frames; /* physical frames mapped in its user space, shared ones included */
  char name[NAME_LENGTH];
};

struct system_status {
  u32 ticks; /* since boot */
  u32 ticks_per_second;
  u32 idle_ticks;
  u32 switches;
  u32 frames_total;
  u32 frames_free;
  u32 faults_zero;  /* pages allocated because something touched them */
  u32 faults_image; /* pages of the image mapped or copied */
  u32 faults_copy;  /* pages copied because a fork's side wrote to them */
};

#endif
