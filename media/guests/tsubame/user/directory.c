/* directory.c: the programs that exec knows; link.ld puts this at the start of the image. */
#include "lib.h"

int shell_main(const char *argument);
int ps_main(const char *argument);
int mem_main(const char *argument);
int uptime_main(const char *argument);
int cpu_main(const char *argument);
int fork_main(const char *argument);
int touch_main(const char *argument);
int primes_main(const char *argument);
int sleep_main(const char *argument);
int crash_main(const char *argument);
int panic_main(const char *argument);
int triple_main(const char *argument);
int hlt_main(const char *argument);
int reboot_main(const char *argument);
int poweroff_main(const char *argument);

__attribute__((section(".user.directory"), used)) const struct program user_directory[] = {
    {"shell", shell_main}, {"ps", ps_main},         {"mem", mem_main},     {"uptime", uptime_main},
    {"cpu", cpu_main},     {"fork", fork_main},     {"touch", touch_main}, {"primes", primes_main},
    {"sleep", sleep_main}, {"crash", crash_main},   {"panic", panic_main}, {"triple", triple_main},
    {"hlt", hlt_main},     {"reboot", reboot_main}, {"poweroff", poweroff_main}, {"", 0},
};
