/* endings.c: crash, panic, triple, hlt, reboot, poweroff: the ways in which a program or the whole system can end. */
#include "lib.h"

int crash_main(const char *argument) {
  (void)argument;
  volatile u32 *nowhere = (volatile u32 *)0;
  __asm__("" : "+r"(nowhere)); /* or the compiler, seeing a null pointer, would write UD2 instead */
  *nowhere = 1;
  printf("crash: still alive\n");
  return 1;
}

int panic_main(const char *argument) {
  (void)argument;
  return control(CONTROL_PANIC);
}

int triple_main(const char *argument) {
  (void)argument;
  return control(CONTROL_TRIPLE);
}

int hlt_main(const char *argument) {
  (void)argument;
  return control(CONTROL_HALT);
}

int reboot_main(const char *argument) {
  (void)argument;
  return control(CONTROL_REBOOT);
}

int poweroff_main(const char *argument) {
  (void)argument;
  return control(CONTROL_POWEROFF);
}
