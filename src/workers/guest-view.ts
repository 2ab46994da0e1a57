// What panels and reports see of a vCPU: registers, mode, VMCS fields. Reads only. Not the session (engine-session.ts).

import type { GuestRegisters } from '../debugger/guest-registers.ts';
import { registerNamed } from '../debugger/registers.ts';
import { Flag } from '../machine/cpu/state.ts';
import { describeControls, type ControlWord } from '../machine/vmx/controls.ts';
import { describeExit } from '../machine/vmx/exit-reasons.ts';
import { Field, FIELDS, type FieldInfo } from '../machine/vmx/fields.ts';
import { describeIntrInfo, formatField } from '../machine/vmx/qualification.ts';
import type { Vmx } from '../machine/vmx/vmx.ts';
import type { RegistersView, VmcsFieldView } from './session.ts';

const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;

/** The registers that panels and reports show. */
export const registersView = (registers: GuestRegisters): RegistersView => {
  const read = (name: string): number => registers.read(registerNamed(name)!);
  const table = (name: string): RegistersView['gdtr'] => ({ base: read(`${name}_base`), limit: read(`${name}_limit`) });
  const general = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
  return {
    general: Object.fromEntries(general.map((name) => [name, read(name)])) as RegistersView['general'],
    eip: read('eip'),
    eflags: read('eflags'),
    cr0: read('cr0'),
    cr2: read('cr2'),
    cr3: read('cr3'),
    cr4: read('cr4'),
    segments: SEGMENTS.map((name) => ({
      name: name.toUpperCase(),
      selector: read(name),
      base: read(`${name}_base`),
      limit: read(`${name}_limit`),
      access: read(`${name}_access`),
    })),
    gdtr: table('gdtr'),
    idtr: table('idtr'),
  };
};

/** "protected, paging (PAE), CPL 3": from CR0, CR4, EFLAGS and SS. */
export const describeMode = (r: RegistersView): string => {
  if ((r.cr0 & 1) === 0) return 'real';
  const virtual = (r.eflags & Flag.VM) !== 0;
  const paging = (r.cr0 & 0x80000000) === 0 ? 'no paging' : (r.cr4 & 0x20) === 0 ? 'paging' : 'paging (PAE)';
  return `${virtual ? 'virtual-8086' : 'protected'}, ${paging}, CPL ${cplOf(r)}`;
};
export const cplOf = (r: RegistersView): number => (r.segments[2]!.access >> 5) & 3;

const GROUP_NAMES = {
  control: 'Control',
  'exit-info': 'Exit information',
  guest: 'Guest state',
  host: 'Host state',
} as const;
/** Fields that are control words, by encoding. */
const CONTROL_FIELDS = new Map<number, ControlWord>([
  [Field.PIN_BASED_VM_EXEC_CONTROL, 'pin'],
  [Field.CPU_BASED_VM_EXEC_CONTROL, 'primary'],
  [Field.SECONDARY_VM_EXEC_CONTROL, 'secondary'],
  [Field.VM_EXIT_CONTROLS, 'exit'],
  [Field.VM_ENTRY_CONTROLS, 'entry'],
]);

const decode = (field: FieldInfo, low: number, high: number, vmx: Vmx): string => {
  const word = CONTROL_FIELDS.get(field.encoding);
  if (word !== undefined) return describeControls(word, low).join(', ');
  switch (field.encoding) {
    case Field.VM_EXIT_REASON:
      return describeExit(low, vmx.vmread(Field.EXIT_QUALIFICATION), vmx.vmread(Field.VM_EXIT_INTR_INFO));
    case Field.EXIT_QUALIFICATION:
      return '';
    case Field.VM_EXIT_INTR_INFO:
    case Field.IDT_VECTORING_INFO:
    case Field.VM_ENTRY_INTR_INFO:
      return describeIntrInfo(low);
    default:
      return high !== 0 ? formatField(field.width, low, high) : '';
  }
};

/** Every field this processor has, decoded. `changed`: between the last two VM exits. */
export const vmcsView = (vmx: Vmx, changed: (encoding: number, wide: boolean) => boolean): VmcsFieldView[] =>
  FIELDS.filter((field) => vmx.fieldKind(field.encoding) !== 0).map((field) => {
    const wide = field.width === 64;
    const low = vmx.vmread(field.encoding);
    const high = wide ? vmx.vmread(field.encoding + 1) : 0;
    return {
      name: field.name,
      encoding: field.encoding,
      group: GROUP_NAMES[field.group],
      low,
      high,
      width: field.width === 'natural' ? 32 : field.width,
      decoded: decode(field, low, high, vmx),
      changed: changed(field.encoding, wide),
    };
  });
