/* lib.c: system calls as C functions, and printf. */
#include "lib.h"

typedef void (*sink)(char character);
void format(sink put, const char *text, va_list arguments);

static i32 call(u32 number, u32 a, u32 b) {
  i32 result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b) : "memory");
  return result;
}

void exit(u32 status) {
  call(SYS_EXIT, status, 0);
  __builtin_unreachable();
}

i32 fork(void) { return call(SYS_FORK, 0, 0); }
i32 exec(const char *name, const char *argument) { return call(SYS_EXEC, (u32)name, (u32)argument); }
i32 wait(u32 *status) { return call(SYS_WAIT, (u32)status, 0); }
i32 yield(void) { return call(SYS_YIELD, 0, 0); }
i32 sleep(u32 milliseconds) { return call(SYS_SLEEP, milliseconds, 0); }
i32 write(const char *text, u32 bytes) { return call(SYS_WRITE, (u32)text, bytes); }
i32 read(char *to, u32 bytes) { return call(SYS_READ, (u32)to, bytes); }
i32 sbrk(i32 increment) { return call(SYS_SBRK, increment, 0); }
i32 getpid(void) { return call(SYS_GETPID, 0, 0); }
i32 processes(struct process_info *to, u32 capacity) { return call(SYS_PROCESSES, (u32)to, capacity); }
i32 status(struct system_status *to) { return call(SYS_STATUS, (u32)to, 0); }
i32 control(u32 what) { return call(SYS_CONTROL, what, 0); }

static char pending[128];
static u32 pending_length;

static void flush(void) {
  write(pending, pending_length);
  pending_length = 0;
}

static void put(char character) {
  pending[pending_length++] = character;
  if (pending_length == sizeof pending) flush();
}

void printf(const char *text, ...) {
  va_list arguments;
  va_start(arguments, text);
  format(put, text, arguments);
  va_end(arguments);
  flush();
}

u32 number(const char *text, u32 fallback) {
  if (*text < '0' || *text > '9') return fallback;
  u32 value = 0;
  while (*text >= '0' && *text <= '9') value = value * 10 + (*text++ - '0');
  return value;
}
