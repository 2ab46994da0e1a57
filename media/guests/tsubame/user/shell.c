/* shell.c: reads a line, runs the program it names, waits for it. A line that ends with & is not waited for. */
#include "lib.h"

#define LINE 256

static const char help[] =
    "help          this text\n"
    "ps            processes\n"
    "mem           physical memory and page faults\n"
    "uptime        time since boot, idle time, context switches\n"
    "cpu           what CPUID says\n"
    "echo TEXT     prints TEXT\n"
    "fork N        forks N children, waits for each\n"
    "touch N       touches N fresh pages: a page fault for each\n"
    "primes N      counts the primes up to N\n"
    "sleep MS      sleeps\n"
    "crash         writes to address 0 in user mode: killed\n"
    "panic         invalid opcode in the kernel\n"
    "triple        triple fault\n"
    "hlt           halts with interrupts off\n"
    "reboot        resets the machine\n"
    "poweroff      ends the run with exit status 33\n"
    "COMMAND &     runs COMMAND without waiting for it\n";

static char line[LINE];

/* The next line without its end and without blanks around it. */
static char *read_line(void) {
  i32 length = read(line, LINE - 1);
  if (length < 0) length = 0;
  while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == ' ')) length--;
  line[length] = 0;
  char *start = line;
  while (*start == ' ') start++;
  return start;
}

/* Cuts a trailing & off; whether there was one. */
static bool take_background(char *text) {
  u32 length = strlen(text);
  if (length == 0 || text[length - 1] != '&') return false;
  do {
    text[--length] = 0;
  } while (length > 0 && text[length - 1] == ' ');
  return true;
}

/* Ends the name with a zero; returns what follows it. */
static char *split(char *text) {
  while (*text && *text != ' ') text++;
  if (*text) *text++ = 0;
  while (*text == ' ') text++;
  return text;
}

static void report(i32 pid, u32 result, i32 foreground) {
  if (pid != foreground) printf("[%d] ended with status %u\n", pid, result);
}

static void run(const char *name, const char *argument, bool background) {
  i32 child = fork();
  if (child == 0) {
    exec(name, argument);
    printf("%s: no such command, try help\n", name);
    exit(127);
  }
  if (child < 0) {
    printf("cannot fork: error %d\n", -child);
    return;
  }
  if (background) {
    printf("[%d] started\n", child);
    return;
  }
  u32 result;
  i32 ended;
  do {
    ended = wait(&result);
    if (ended >= 0) report(ended, result, child);
  } while (ended >= 0 && ended != child);
}

int shell_main(const char *argument) {
  (void)argument;
  for (;;) {
    write("tsubame> ", 9);
    char *name = read_line();
    bool background = take_background(name);
    char *rest = split(name);
    if (strlen(rest) >= ARGUMENT_LENGTH || strlen(name) >= NAME_LENGTH) {
      printf("too long\n");
    } else if (strcmp(name, "help") == 0) {
      write(help, sizeof help - 1);
    } else if (strcmp(name, "echo") == 0) {
      printf("%s\n", rest);
    } else if (*name) {
      run(name, rest, background);
    }
  }
}
