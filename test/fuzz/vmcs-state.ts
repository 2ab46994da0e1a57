// Fills a VMCS from a fuzz case: the case's registers as the guest's state, random but allowed controls, and a host state that enters the
// case's code. Not the harness's handling of exits (vmx-executor.ts). SDM vol. 3, 24.4 to 24.8.

import {
  EntryControl,
  ExitControl,
  PinControl,
  PrimaryControl,
  SecondaryControl,
} from '../../src/machine/vmx/controls.ts';
import { Field } from '../../src/machine/vmx/fields.ts';
import type { Vmx } from '../../src/machine/vmx/vmx.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { Place, Selector } from './layout.ts';
import type { Random } from './random.ts';

const write64 = (vmx: Vmx, field: number, low: number, high = 0): void => {
  vmx.vmwrite(field, low);
  vmx.vmwrite(field + 1, high);
};

/** The registers of the case. Segments that VM entry refuses (16-bit limits of virtual-8086 mode and the like) are the entry's matter. */
export const writeGuestState = (vmx: Vmx, c: FuzzCase, r: Random): void => {
  const { state } = c;
  vmx.vmwrite(Field.GUEST_CR0, (state.cr0 | vmx.capabilities.cr0Fixed0) >>> 0);
  vmx.vmwrite(Field.GUEST_CR3, state.cr3);
  vmx.vmwrite(Field.GUEST_CR4, state.cr4 | vmx.capabilities.cr4Fixed0);
  vmx.vmwrite(Field.GUEST_DR7, state.dr[7]!);
  vmx.vmwrite(Field.GUEST_RSP, state.gpr[4]!);
  vmx.vmwrite(Field.GUEST_RIP, state.eip);
  vmx.vmwrite(Field.GUEST_RFLAGS, state.eflags);
  vmx.vmwrite(Field.GUEST_GDTR_BASE, state.gdtr.base);
  vmx.vmwrite(Field.GUEST_GDTR_LIMIT, state.gdtr.limit);
  vmx.vmwrite(Field.GUEST_IDTR_BASE, state.idtr.base);
  vmx.vmwrite(Field.GUEST_IDTR_LIMIT, state.idtr.limit);
  state.segments.forEach((g, n) => {
    vmx.vmwrite(Field.GUEST_ES_SELECTOR + 2 * n, g.selector);
    vmx.vmwrite(Field.GUEST_ES_BASE + 2 * n, g.base);
    vmx.vmwrite(Field.GUEST_ES_LIMIT + 2 * n, g.limit);
    vmx.vmwrite(Field.GUEST_ES_AR_BYTES + 2 * n, g.access);
  });
  vmx.vmwrite(Field.GUEST_INTERRUPTIBILITY_INFO, r.chance(90) ? 0 : r.pick([1, 2, 8]));
  vmx.vmwrite(Field.GUEST_ACTIVITY_STATE, r.chance(95) ? 0 : r.below(4));
  vmx.vmwrite(Field.GUEST_PENDING_DBG_EXCEPTIONS, r.chance(95) ? 0 : r.pick([0x4000, 1, 0x100f]));
  write64(vmx, Field.VMCS_LINK_POINTER, 0xffff_ffff, 0xffff_ffff);
  write64(vmx, Field.GUEST_IA32_DEBUGCTL, 0);
  if (vmx.capabilities.hasPat) write64(vmx, Field.GUEST_IA32_PAT, 0x0007_0406, 0x0007_0406);
  writeControls(vmx, r);
};

const allowed = (vmx: Vmx, word: 'pin' | 'primary' | 'secondary' | 'exit' | 'entry', wanted: number): number => {
  const { allowed0, allowed1 } = vmx.capabilities.controls[word];
  return ((wanted & allowed1) | allowed0) >>> 0;
};

/** Random controls that the processor allows together. */
export const writeControls = (vmx: Vmx, r: Random): void => {
  const some = (percent: number, ...bits: readonly number[]): number =>
    bits.reduce((set, bit) => (r.chance(percent) ? set | bit : set), 0);
  const P = PrimaryControl;
  const nmi = some(40, PinControl.NMI_EXITING);
  const virtualNmis = nmi === 0 ? 0 : some(50, PinControl.VIRTUAL_NMIS);
  const timer = some(20, PinControl.ACTIVATE_PREEMPTION_TIMER);
  vmx.vmwrite(
    Field.PIN_BASED_VM_EXEC_CONTROL,
    allowed(vmx, 'pin', nmi | virtualNmis | timer | some(50, PinControl.EXTERNAL_INTERRUPT_EXITING)),
  );
  vmx.vmwrite(
    Field.CPU_BASED_VM_EXEC_CONTROL,
    allowed(
      vmx,
      'primary',
      some(25, P.HLT_EXITING, P.INVLPG_EXITING, P.RDPMC_EXITING, P.RDTSC_EXITING, P.MOV_DR_EXITING, P.PAUSE_EXITING) |
        some(25, P.UNCONDITIONAL_IO_EXITING, P.USE_IO_BITMAPS, P.USE_MSR_BITMAPS, P.USE_TSC_OFFSETTING) |
        some(25, P.CR3_LOAD_EXITING, P.CR3_STORE_EXITING, P.MWAIT_EXITING, P.MONITOR_EXITING) |
        some(8, P.INTERRUPT_WINDOW_EXITING, P.MONITOR_TRAP_FLAG) |
        (virtualNmis === 0 ? 0 : some(20, P.NMI_WINDOW_EXITING)) |
        some(50, P.ACTIVATE_SECONDARY_CONTROLS),
    ),
  );
  if (vmx.capabilities.hasSecondary) {
    const S = SecondaryControl;
    const secondary = some(30, S.DESCRIPTOR_TABLE_EXITING, S.ENABLE_VPID, S.WBINVD_EXITING);
    vmx.vmwrite(Field.SECONDARY_VM_EXEC_CONTROL, allowed(vmx, 'secondary', secondary));
  }
  vmx.vmwrite(
    Field.VM_EXIT_CONTROLS,
    allowed(
      vmx,
      'exit',
      some(50, ExitControl.ACKNOWLEDGE_INTERRUPT_ON_EXIT, ExitControl.SAVE_IA32_PAT, ExitControl.LOAD_IA32_PAT) |
        (timer === 0 ? 0 : some(50, ExitControl.SAVE_PREEMPTION_TIMER)),
    ),
  );
  vmx.vmwrite(Field.VM_ENTRY_CONTROLS, allowed(vmx, 'entry', some(50, EntryControl.LOAD_DEBUG_CONTROLS, EntryControl.LOAD_IA32_PAT))); // prettier-ignore
  vmx.vmwrite(Field.EXCEPTION_BITMAP, r.pick([0, 0xffff_ffff, 1 << 14, 1 << 13, r.u32()]) >>> 0);
  vmx.vmwrite(Field.PAGE_FAULT_ERROR_CODE_MASK, r.pick([0, 1, r.u32()]));
  vmx.vmwrite(Field.PAGE_FAULT_ERROR_CODE_MATCH, r.pick([0, 1, r.u32()]));
  vmx.vmwrite(Field.CR0_GUEST_HOST_MASK, r.pick([0, 0xffff_ffff, 0x8000_0021, r.u32()]));
  vmx.vmwrite(Field.CR4_GUEST_HOST_MASK, r.pick([0, 0xffff_ffff, 0x2000, r.u32()]));
  vmx.vmwrite(Field.CR0_READ_SHADOW, r.pick([0x8000_0031, 0x11, r.u32()]));
  vmx.vmwrite(Field.CR4_READ_SHADOW, r.pick([0, 0x10, r.u32()]));
  vmx.vmwrite(Field.CR3_TARGET_COUNT, r.below(5));
  vmx.vmwrite(Field.CR3_TARGET_VALUE0, Place.pagingRoot);
  if (vmx.capabilities.hasPreemptionTimer) vmx.vmwrite(Field.GUEST_PREEMPTION_TIMER, r.below(40));
  if (vmx.capabilities.hasVpid) vmx.vmwrite(Field.VIRTUAL_PROCESSOR_ID, 1);
  vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, 0);
  for (const field of [Field.IO_BITMAP_A, Field.IO_BITMAP_B, Field.MSR_BITMAP]) write64(vmx, field, Place.bitmaps);
  write64(vmx, Field.TSC_OFFSET, r.u32(), r.below(4));
  // MSR areas: mostly none. Their entries are whatever the data page holds.
  for (const field of [Field.VM_EXIT_MSR_STORE_ADDR, Field.VM_EXIT_MSR_LOAD_ADDR, Field.VM_ENTRY_MSR_LOAD_ADDR])
    write64(vmx, field, Place.data + 0x800);
  for (const field of [Field.VM_EXIT_MSR_STORE_COUNT, Field.VM_EXIT_MSR_LOAD_COUNT, Field.VM_ENTRY_MSR_LOAD_COUNT])
    vmx.vmwrite(field, r.chance(97) ? 0 : 1);
};

/** A VM exit enters the case's own code on a stack of its own. */
export const writeHostState = (vmx: Vmx, c: FuzzCase): void => {
  vmx.vmwrite(Field.HOST_CR0, 0x8000_0031);
  vmx.vmwrite(Field.HOST_CR3, c.state.cr3);
  vmx.vmwrite(Field.HOST_CR4, (c.state.cr4 | vmx.capabilities.cr4Fixed0) >>> 0);
  vmx.vmwrite(Field.HOST_CS_SELECTOR, Selector.code32);
  for (const field of [Field.HOST_SS_SELECTOR, Field.HOST_DS_SELECTOR, Field.HOST_ES_SELECTOR])
    vmx.vmwrite(field, Selector.data32);
  vmx.vmwrite(Field.HOST_TR_SELECTOR, Selector.tssA);
  vmx.vmwrite(Field.HOST_TR_BASE, Place.tssA);
  vmx.vmwrite(Field.HOST_GDTR_BASE, Place.gdt);
  vmx.vmwrite(Field.HOST_IDTR_BASE, Place.idt);
  vmx.vmwrite(Field.HOST_RSP, Place.stack + 0xf00);
  vmx.vmwrite(Field.HOST_RIP, c.codeAddress);
  if (vmx.capabilities.hasPat) write64(vmx, Field.HOST_IA32_PAT, 0x0007_0406, 0x0007_0406);
};
