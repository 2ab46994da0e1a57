/* exec.c: runs a built-in program in the current process. All programs share one image (link.ld) that opens with a
 * directory of names and entries; a new address space is empty, and page faults bring the image in (fault.c). */
#include "kernel.h"
#include "x86.h"

extern const struct program user_directory[]; /* where programs see it */
extern char user_start[];

static const struct program *find_program(const char *name) {
  u32 offset = (u32)user_directory - (u32)user_text_start;
  const struct program *program = (const struct program *)(user_text_load + offset);
  for (; program->name[0]; program++) {
    if (strcmp(program->name, name) == 0) return program;
  }
  return NULL;
}

/* Fills the registers that the program starts with. `name` and `argument` are the kernel's copies. */
i32 process_exec(struct trap *trap, const char *name, const char *argument) {
  const struct program *program = find_program(name);
  if (!program) return -ENOENT;
  u32 space = vm_create();
  if (!space) return -ENOMEM;

  u32 old = current->space;
  current->space = space;
  current->heap_end = (u32)user_data_end;
  vm_activate(space);
  u32 argument_address = USER_TOP - ARGUMENT_LENGTH;
  if (!user_range(argument_address, ARGUMENT_LENGTH, true)) {
    current->space = old;
    vm_activate(old);
    vm_destroy(space);
    return -ENOMEM;
  }
  if (old) vm_destroy(old);
  copy_string((char *)argument_address, argument, ARGUMENT_LENGTH);
  copy_string(current->name, name, NAME_LENGTH);

  *trap = (struct trap){
      .eax = (u32)program->entry,
      .ebx = argument_address,
      .eip = (u32)user_start,
      .cs = USER_CODE,
      .ds = USER_DATA,
      .es = USER_DATA,
      .ss = USER_DATA,
      .esp = argument_address,
      .eflags = EFLAGS_IF,
  };
  return 0;
}

/* The first process: there is nothing to fork from, so its registers are made here. */
void process_run_shell(void) {
  struct process *boot = current;
  struct process *shell = process_create("shell", NULL);
  if (!shell) panic(NULL, "no memory for the first process");
  struct trap registers;
  current = shell;
  if (process_exec(&registers, "shell", "") < 0) panic(NULL, "no shell in the image");
  current = boot;
  vm_activate(0);
  process_start(shell, &registers);
}
