// The checks of a VM entry on the VM-execution, VM-exit and VM-entry control fields: a failure is VMfailValid(7).
// SDM vol. 3, 26.2.1.

import type { ActiveControls } from '../active-controls.ts';
import { ExitControl, PinControl, PrimaryControl, SecondaryControl } from '../controls.ts';
import type { ControlWord } from '../controls.ts';
import { Field } from '../fields.ts';
import { EventType, IntrInfo } from '../qualification.ts';
import { has, ifInjecting, pageAddress, read, rows, type EntryCheck, type EntryContext, type Row } from './check.ts';

const msrArea = (c: EntryContext, count: number, address: number): boolean => {
  const entries = read(c, count);
  if (entries === 0) return true;
  const first = read(c, address);
  return read(c, address + 1) === 0 && (first & 15) === 0 && first + entries * 16 <= 0x1_0000_0000;
};

const allowed = (word: ControlWord, name: string, value: (c: ActiveControls) => number): Row[] => [
  [
    `${word}-allowed0`,
    `reserved 1 bits of the ${name} must be 1`,
    (c) => (~value(c.controls) & c.capabilities.controls[word].allowed0) === 0,
  ],
  [
    `${word}-allowed1`,
    `the ${name} must not set a bit that the processor does not allow to be 1`,
    (c) => (value(c.controls) & ~c.capabilities.controls[word].allowed1) === 0,
  ],
];

const whenSecondary = (list: Row[]): Row[] =>
  list.map(([id, rule, holds]) => [
    id,
    rule,
    (c) => !has(c.controls.primary, PrimaryControl.ACTIVATE_SECONDARY_CONTROLS) || holds(c),
  ]);

const EXECUTION_CONTROLS = rows('controls', '26.2.1.1', [
  ...allowed('pin', 'pin-based VM-execution controls', (c) => c.pin),
  ...allowed('primary', 'primary processor-based VM-execution controls', (c) => c.primary),
  ...whenSecondary(allowed('secondary', 'secondary processor-based VM-execution controls', (c) => c.secondary)),
  ['cr3-target-count', 'the CR3-target count must not be greater than 4', (c) => c.controls.cr3TargetCount <= 4],
  [
    'io-bitmap-a',
    'with I/O bitmaps in use, the address of bitmap A must be page-aligned and inside the physical-address width',
    (c) => !has(c.controls.primary, PrimaryControl.USE_IO_BITMAPS) || pageAddress(c, Field.IO_BITMAP_A),
  ],
  [
    'io-bitmap-b',
    'with I/O bitmaps in use, the address of bitmap B must be page-aligned and inside the physical-address width',
    (c) => !has(c.controls.primary, PrimaryControl.USE_IO_BITMAPS) || pageAddress(c, Field.IO_BITMAP_B),
  ],
  [
    'msr-bitmap',
    'with MSR bitmaps in use, their address must be page-aligned and inside the physical-address width',
    (c) => !has(c.controls.primary, PrimaryControl.USE_MSR_BITMAPS) || pageAddress(c, Field.MSR_BITMAP),
  ],
  [
    'virtual-nmis',
    'virtual NMIs require NMI exiting',
    (c) => has(c.controls.pin, PinControl.NMI_EXITING) || !has(c.controls.pin, PinControl.VIRTUAL_NMIS),
  ],
  [
    'nmi-window',
    'NMI-window exiting requires virtual NMIs',
    (c) => has(c.controls.pin, PinControl.VIRTUAL_NMIS) || !has(c.controls.primary, PrimaryControl.NMI_WINDOW_EXITING),
  ],
  [
    'vpid',
    'with VPID enabled, the VPID must not be 0',
    (c) => !has(c.controls.secondary, SecondaryControl.ENABLE_VPID) || read(c, Field.VIRTUAL_PROCESSOR_ID) !== 0,
  ],
]);

const EXIT_CONTROLS = rows('controls', '26.2.1.2', [
  ...allowed('exit', 'VM-exit controls', (c) => c.exit),
  [
    'save-preemption-timer',
    'saving the VMX-preemption timer requires that it is activated',
    (c) =>
      has(c.controls.pin, PinControl.ACTIVATE_PREEMPTION_TIMER) ||
      !has(c.controls.exit, ExitControl.SAVE_PREEMPTION_TIMER),
  ],
  [
    'exit-msr-store',
    'the VM-exit MSR-store area must be 16-byte aligned and inside the physical-address width',
    (c) => msrArea(c, Field.VM_EXIT_MSR_STORE_COUNT, Field.VM_EXIT_MSR_STORE_ADDR),
  ],
  [
    'exit-msr-load',
    'the VM-exit MSR-load area must be 16-byte aligned and inside the physical-address width',
    (c) => msrArea(c, Field.VM_EXIT_MSR_LOAD_COUNT, Field.VM_EXIT_MSR_LOAD_ADDR),
  ],
]);
const softwareEvent = (type: number): boolean =>
  type === EventType.SOFTWARE_INTERRUPT ||
  type === EventType.PRIVILEGED_SOFTWARE_EXCEPTION ||
  type === EventType.SOFTWARE_EXCEPTION;
/** #DF #TS #NP #SS #GP #PF #AC. */
const pushesErrorCode = (info: number): boolean =>
  IntrInfo.type(info) === EventType.HARDWARE_EXCEPTION &&
  IntrInfo.vector(info) < 32 &&
  has(0x0002_7d00, 1 << IntrInfo.vector(info));

const ENTRY_CONTROLS = rows('controls', '26.2.1.3', [
  ...allowed('entry', 'VM-entry controls', (c) => c.entry),
  [
    'entry-msr-load',
    'the VM-entry MSR-load area must be 16-byte aligned and inside the physical-address width',
    (c) => msrArea(c, Field.VM_ENTRY_MSR_LOAD_COUNT, Field.VM_ENTRY_MSR_LOAD_ADDR),
  ],
]);

/** The last of the checks on the controls, on the event that the entry injects; all hold where it injects none. */
export const INJECTION_CHECKS: readonly EntryCheck[] = rows('controls', '26.2.1.3', [
  [
    'injection-type',
    'the type of the injected event must not be a reserved one',
    ifInjecting((info, c) => {
      const type = IntrInfo.type(info);
      if (type === EventType.OTHER_EVENT)
        return has(c.capabilities.controls.primary.allowed1, PrimaryControl.MONITOR_TRAP_FLAG);
      return type !== 1;
    }),
  ],
  [
    'injection-vector',
    'the vector of the injected event must fit its type: 2 for an NMI, 31 at most for a hardware exception, 0 for another event',
    ifInjecting((info) => {
      const vector = IntrInfo.vector(info);
      switch (IntrInfo.type(info)) {
        case EventType.NMI:
          return vector === 2;
        case EventType.HARDWARE_EXCEPTION:
          return vector <= 31;
        case EventType.OTHER_EVENT:
          return vector === 0;
        default:
          return true;
      }
    }),
  ],
  [
    'injection-error-code-bit',
    'an error code must be delivered with the exceptions that have one, and with nothing else',
    ifInjecting((info) => IntrInfo.hasErrorCode(info) === pushesErrorCode(info)),
  ],
  [
    'injection-reserved',
    'bits 30:12 of the VM-entry interruption-information field must be 0',
    ifInjecting((info) => (info & 0x7fff_f000) === 0),
  ],
  [
    'injection-error-code',
    // Early SDMs say 31:15, but processors take the error code of a selector with index bit 12 set, as later ones say.
    'bits 31:16 of the VM-entry exception error code must be 0',
    ifInjecting((info, c) => !IntrInfo.hasErrorCode(info) || read(c, Field.VM_ENTRY_EXCEPTION_ERROR_CODE) <= 0xffff),
  ],
  [
    'injection-instruction-length',
    'the VM-entry instruction length of a software event must be 1 to 15',
    ifInjecting((info, c) => {
      if (!softwareEvent(IntrInfo.type(info))) return true;
      const length = read(c, Field.VM_ENTRY_INSTRUCTION_LEN);
      return length >= 1 && length <= 15;
    }),
  ],
]);

/** In the SDM's order; INJECTION_CHECKS follow. */
export const CONTROL_CHECKS: readonly EntryCheck[] = [...EXECUTION_CONTROLS, ...EXIT_CONTROLS, ...ENTRY_CONTROLS];
