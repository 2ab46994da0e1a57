// What panels and reports see of a vCPU: registers, mode, VMCS fields. Reads only. Not the session (engine-session.ts).

import type { Vcpu } from '../hypervisor/vcpu.ts';
import type { CpuState } from '../machine/cpu/state.ts';
import { CS, DS, ES, FS, Flag, GS, LDTR, SS, StateLayout, TR } from '../machine/cpu/state.ts';
import { describeControls, type ControlWord } from '../machine/vmx/controls.ts';
import { describeExit } from '../machine/vmx/exit-reasons.ts';
import { Field, FIELDS, type FieldInfo } from '../machine/vmx/fields.ts';
import { describeIntrInfo, formatField } from '../machine/vmx/qualification.ts';
import type { Vmx } from '../machine/vmx/vmx.ts';
import type { RegistersView, SegmentView, VmcsFieldView } from './session.ts';

const SEGMENTS = [
  ['ES', ES, Field.GUEST_ES_SELECTOR],
  ['CS', CS, Field.GUEST_CS_SELECTOR],
  ['SS', SS, Field.GUEST_SS_SELECTOR],
  ['DS', DS, Field.GUEST_DS_SELECTOR],
  ['FS', FS, Field.GUEST_FS_SELECTOR],
  ['GS', GS, Field.GUEST_GS_SELECTOR],
  ['LDTR', LDTR, Field.GUEST_LDTR_SELECTOR],
  ['TR', TR, Field.GUEST_TR_SELECTOR],
] as const;

/** Control registers as the guest believes them, where they differ from the processor's. */
export interface ControlRegisters {
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
}

/** Registers that live in the processor: the bare machine, or a guest that is inside non-root operation. */
export const processorRegisters = (s: CpuState, cr: ControlRegisters): RegistersView => ({
  general: general(s),
  eip: s.eip,
  eflags: s.eflags >>> 0,
  ...cr,
  cr2: s.cr2,
  segments: SEGMENTS.map(([name, n]) => ({
    name,
    selector: s.selector(n),
    base: s.base(n),
    limit: s.limit(n),
    access: s.access(n),
  })),
  gdtr: { base: s.get(StateLayout.gdtrBase), limit: s.get(StateLayout.gdtrLimit) },
  idtr: { base: s.get(StateLayout.idtrBase), limit: s.get(StateLayout.idtrLimit) },
});

/** Registers of a guest that has left: general registers in the processor, the rest in the VMCS. */
export const vmcsRegisters = (s: CpuState, vmx: Vmx, cr: ControlRegisters): RegistersView => ({
  general: general(s),
  eip: vmx.vmread(Field.GUEST_RIP),
  eflags: vmx.vmread(Field.GUEST_RFLAGS),
  ...cr,
  cr2: s.cr2,
  segments: SEGMENTS.map(([name, , selector]): SegmentView => {
    const step = (selector - Field.GUEST_ES_SELECTOR) / 2;
    return {
      name,
      selector: vmx.vmread(selector),
      base: vmx.vmread(Field.GUEST_ES_BASE + step * 2),
      limit: vmx.vmread(Field.GUEST_ES_LIMIT + step * 2),
      access: vmx.vmread(Field.GUEST_ES_AR_BYTES + step * 2),
    };
  }),
  gdtr: { base: vmx.vmread(Field.GUEST_GDTR_BASE), limit: vmx.vmread(Field.GUEST_GDTR_LIMIT) },
  idtr: { base: vmx.vmread(Field.GUEST_IDTR_BASE), limit: vmx.vmread(Field.GUEST_IDTR_LIMIT) },
});

const general = (s: CpuState): RegistersView['general'] => ({
  eax: s.gpr(0),
  ecx: s.gpr(1),
  edx: s.gpr(2),
  ebx: s.gpr(3),
  esp: s.gpr(4),
  ebp: s.gpr(5),
  esi: s.gpr(6),
  edi: s.gpr(7),
});

/** "protected, paging (PAE), CPL 3": from CR0, CR4, EFLAGS and SS. */
export const describeMode = (r: RegistersView): string => {
  if ((r.cr0 & 1) === 0) return 'real';
  const virtual = (r.eflags & Flag.VM) !== 0;
  const paging = (r.cr0 & 0x80000000) === 0 ? 'no paging' : (r.cr4 & 0x20) === 0 ? 'paging' : 'paging (PAE)';
  return `${virtual ? 'virtual-8086' : 'protected'}, ${paging}, CPL ${cplOf(r)}`;
};
export const cplOf = (r: RegistersView): number => (r.segments[2]!.access >> 5) & 3;

export const guestControls = (vcpu: Vcpu): ControlRegisters => ({
  cr0: vcpu.cr0 >>> 0,
  cr3: vcpu.shadow.mode.cr3 >>> 0,
  cr4: vcpu.cr4 >>> 0,
});

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
