/* keyboard.c: the PS/2 keyboard behind the 8042 controller, scan code set 1 (the controller translates set 2), IRQ 1.
 * Only keys that give a character; arrows, function keys and the numeric pad are ignored. IBM PS/2 Technical Reference. */
#include "kernel.h"
#include "x86.h"

#define DATA 0x60
#define STATUS 0x64
#define COMMAND 0x64
#define STATUS_OUTPUT_FULL 0x01
#define STATUS_INPUT_FULL 0x02
#define COMMAND_READ_CONFIGURATION 0x20
#define COMMAND_WRITE_CONFIGURATION 0x60
#define CONFIGURATION_IRQ1 0x01
#define CONFIGURATION_DISABLED 0x10
#define CONFIGURATION_TRANSLATE 0x40

#define RELEASED 0x80
#define EXTENDED 0xe0
#define KEY_CONTROL 0x1d
#define KEY_LEFT_SHIFT 0x2a
#define KEY_RIGHT_SHIFT 0x36
#define KEY_CAPS_LOCK 0x3a

static const char plain[] = "\0\0331234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

static bool shift, control, caps_lock, extended;

static char character_of(u8 key) {
  if (key >= sizeof plain - 1) return 0;
  char character = shift ? shifted[key] : plain[key];
  bool letter = plain[key] >= 'a' && plain[key] <= 'z';
  if (letter && caps_lock) character ^= 0x20;
  if (letter && control) character &= 0x1f;
  return character;
}

static void scan_code(u8 code) {
  bool pressed = !(code & RELEASED);
  u8 key = code & ~RELEASED;
  if (key == KEY_LEFT_SHIFT || key == KEY_RIGHT_SHIFT) {
    shift = pressed;
  } else if (key == KEY_CONTROL) {
    control = pressed;
  } else if (key == KEY_CAPS_LOCK) {
    if (pressed) caps_lock = !caps_lock;
  } else if (pressed) {
    char character = character_of(key);
    if (character) tty_input(character);
  }
}

static void interrupt(void) {
  while (inb(STATUS) & STATUS_OUTPUT_FULL) {
    u8 code = inb(DATA);
    if (code == EXTENDED) {
      extended = true; /* the next code is an arrow or the like */
    } else {
      if (!extended) scan_code(code);
      extended = false;
    }
  }
}

static bool wait_status(u8 mask, u8 wanted) {
  for (u32 i = 0; i < 10000; i++) {
    if ((inb(STATUS) & mask) == wanted) return true;
  }
  return false;
}

/* False if no controller answers. */
bool keyboard_init(void) {
  if (inb(STATUS) == 0xff) return false;
  while (inb(STATUS) & STATUS_OUTPUT_FULL) inb(DATA);
  if (!wait_status(STATUS_INPUT_FULL, 0)) return false;
  outb(COMMAND, COMMAND_READ_CONFIGURATION);
  if (!wait_status(STATUS_OUTPUT_FULL, STATUS_OUTPUT_FULL)) return false;
  u8 configuration = inb(DATA);
  configuration |= CONFIGURATION_IRQ1 | CONFIGURATION_TRANSLATE;
  configuration &= ~CONFIGURATION_DISABLED;
  outb(COMMAND, COMMAND_WRITE_CONFIGURATION);
  if (!wait_status(STATUS_INPUT_FULL, 0)) return false;
  outb(DATA, configuration);
  irq_install(1, interrupt);
  return true;
}
