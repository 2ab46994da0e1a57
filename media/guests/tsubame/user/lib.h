/* lib.h: what the programs have instead of a C library: system calls (lib.c) and a few helpers. */
#ifndef LIB_H
#define LIB_H

#include "../abi.h"

void exit(u32 status) __attribute__((noreturn));
i32 fork(void);
i32 exec(const char *name, const char *argument);
i32 wait(u32 *status);
i32 yield(void);
i32 sleep(u32 milliseconds);
i32 write(const char *text, u32 bytes);
i32 read(char *to, u32 bytes);
i32 sbrk(i32 increment);
i32 getpid(void);
i32 processes(struct process_info *to, u32 capacity);
i32 status(struct system_status *to);
i32 control(u32 what);

/* %s %c %d %u %x, as format.c has them. */
void printf(const char *text, ...) __attribute__((format(printf, 1, 2)));

/* The decimal number that the text starts with; `fallback` if it starts with none. */
u32 number(const char *text, u32 fallback);

u32 strlen(const char *text);
int strcmp(const char *a, const char *b);
void copy_string(char *to, const char *from, u32 capacity);

#endif
