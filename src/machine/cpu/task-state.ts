// The task-state segment as data: where its fields are in the 16- and 32-bit form, and which bits of EFLAGS a task switch loads.
// Shared by the processor's task switch (task-switch.ts) and the hypervisor's. SDM vol. 3, 7.2.1, 7.6 and table 7-1.

/** What initiated the switch, numbered as in the exit qualification (SDM vol. 3, table 27-2). */
export const TaskSource = { CALL: 0, IRET: 1, JMP: 2, GATE: 3 } as const;
export type TaskSource = (typeof TaskSource)[keyof typeof TaskSource];

/** Field offsets (SDM vol. 3, figures 7-2 and 7-10). Registers and segments follow each other in encoding order. */
export const TSS32 = {
  minimum: 0x67,
  cr3: 0x1c,
  eip: 0x20,
  eflags: 0x24,
  gpr: 0x28,
  sreg: 0x48,
  ldt: 0x60,
  trap: 0x64,
} as const;
export const TSS16 = { minimum: 0x2b, eip: 0x0e, eflags: 0x10, gpr: 0x12, sreg: 0x22, ldt: 0x2a } as const;
/** What the upper halves of general registers hold after a switch to a 16-bit TSS, as processors since the 386 leave them. */
export const TSS16_FILLER = 0xffff_0000;

/** The bits of EFLAGS that exist. */
export const TSS_EFLAGS = 0x3f7fd5;
