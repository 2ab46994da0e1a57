// A vCPU's VMCS as Xen 3.2 sets it up on this class of processor: which events exit, host state, and the guest's first state.
// Not what the exits do (exits.ts). SDM vol. 3, 24.4 to 24.8 and 31.6; Xen: arch/x86/hvm/vmx/vmcs.c (construct_vmcs).

import { Access, Cr0 } from '../machine/cpu/state.ts';
import { EntryControl, ExitControl, PinControl, PrimaryControl, type ControlWord } from '../machine/vmx/controls.ts';
import { Field } from '../machine/vmx/fields.ts';
import type { BootSegment, BootState } from './boot/image.ts';
import type { Machine, VmxPort } from './machine.ts';
import { ControlCause, type HypervisorObserver } from './observer.ts';

/** SYSENTER MSRs are the guest's own: no exit, as in Xen ("vmx_disable_intercept_for_msr"). */
const PASSED_MSRS = [0x174, 0x175, 0x176] as const;

const PF = 14;
export const EXCEPTION_BITMAP = 1 << PF;

const PIN = PinControl.EXTERNAL_INTERRUPT_EXITING | PinControl.NMI_EXITING;
const PRIMARY =
  PrimaryControl.HLT_EXITING |
  PrimaryControl.INVLPG_EXITING |
  PrimaryControl.CR3_LOAD_EXITING |
  PrimaryControl.CR3_STORE_EXITING |
  PrimaryControl.MWAIT_EXITING |
  PrimaryControl.MONITOR_EXITING |
  PrimaryControl.RDPMC_EXITING |
  PrimaryControl.MOV_DR_EXITING |
  PrimaryControl.USE_IO_BITMAPS |
  PrimaryControl.USE_MSR_BITMAPS |
  PrimaryControl.USE_TSC_OFFSETTING;

/** `wanted` with the bits the processor insists on. Throws if it cannot do what is wanted: then the model is not one we run on. */
function adjust(vmx: VmxPort, word: ControlWord, wanted: number): number {
  const { allowed0, allowed1 } = vmx.capabilities.controls[word];
  if ((wanted & ~allowed1) !== 0) {
    throw new Error(`the processor lacks ${word} controls 0x${((wanted & ~allowed1) >>> 0).toString(16)}`);
  }
  return (wanted | allowed0) >>> 0;
}

/** Machine addresses (frames) of the structures that the VMCS points at. */
export interface VmcsFrames {
  readonly ioBitmapA: number;
  readonly ioBitmapB: number;
  readonly msrBitmap: number;
}

/** Fills the bitmaps: every port exits except those passed through, every MSR except SYSENTER's. */
export function fillBitmaps(machine: Machine, frames: VmcsFrames, passedPorts: readonly number[]): void {
  const { u8, ramBase } = machine.memory;
  const byte = (frame: number, at: number): number => ramBase + frame * 4096 + at;
  for (const frame of [frames.ioBitmapA, frames.ioBitmapB, frames.msrBitmap])
    u8.fill(0xff, byte(frame, 0), byte(frame, 4096));
  for (const port of passedPorts) {
    const at = byte(port < 0x8000 ? frames.ioBitmapA : frames.ioBitmapB, (port & 0x7fff) >>> 3);
    u8[at] = u8[at]! & ~(1 << (port & 7));
  }
  for (const msr of PASSED_MSRS) {
    // Read bitmap for low MSRs at 0, write bitmap for low MSRs at 2048 (24.6.9).
    for (const base of [0, 2048]) {
      const at = byte(frames.msrBitmap, base + (msr >>> 3));
      u8[at] = u8[at]! & ~(1 << (msr & 7));
    }
  }
}

/** Controls and host state of the current VMCS. */
export function setUpControls(vmx: VmxPort, frames: VmcsFrames, observer: HypervisorObserver | null): void {
  const control = (field: number, value: number): void => {
    vmx.vmwrite(field, value);
    observer?.controlChange(field, 0, value, ControlCause.SETUP);
  };
  control(Field.PIN_BASED_VM_EXEC_CONTROL, adjust(vmx, 'pin', PIN));
  control(Field.CPU_BASED_VM_EXEC_CONTROL, adjust(vmx, 'primary', PRIMARY));
  control(Field.VM_EXIT_CONTROLS, adjust(vmx, 'exit', ExitControl.ACKNOWLEDGE_INTERRUPT_ON_EXIT));
  control(Field.VM_ENTRY_CONTROLS, adjust(vmx, 'entry', EntryControl.LOAD_DEBUG_CONTROLS));
  control(Field.EXCEPTION_BITMAP, EXCEPTION_BITMAP);
  // Mask and match 0: every page fault exits (25.2).
  vmx.vmwrite(Field.PAGE_FAULT_ERROR_CODE_MASK, 0);
  vmx.vmwrite(Field.PAGE_FAULT_ERROR_CODE_MATCH, 0);
  vmx.vmwrite(Field.CR3_TARGET_COUNT, 0);
  vmx.vmwrite(Field.VM_EXIT_MSR_STORE_COUNT, 0);
  vmx.vmwrite(Field.VM_EXIT_MSR_LOAD_COUNT, 0);
  vmx.vmwrite(Field.VM_ENTRY_MSR_LOAD_COUNT, 0);
  vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, 0);
  write64(vmx, Field.IO_BITMAP_A, frames.ioBitmapA * 4096);
  write64(vmx, Field.IO_BITMAP_B, frames.ioBitmapB * 4096);
  write64(vmx, Field.MSR_BITMAP, frames.msrBitmap * 4096);
  write64(vmx, Field.TSC_OFFSET, 0);
  // Every bit of CR0 and CR4 is the hypervisor's: each change that matters exits.
  vmx.vmwrite(Field.CR0_GUEST_HOST_MASK, 0xffff_ffff);
  vmx.vmwrite(Field.CR4_GUEST_HOST_MASK, 0xffff_ffff);

  vmx.vmwrite(Field.HOST_CR0, (vmx.capabilities.cr0Fixed0 | Cr0.WP | Cr0.ET) >>> 0);
  vmx.vmwrite(Field.HOST_CR3, 0);
  vmx.vmwrite(Field.HOST_CR4, vmx.capabilities.cr4Fixed0);
  vmx.vmwrite(Field.HOST_CS_SELECTOR, 0x08);
  for (const field of [Field.HOST_SS_SELECTOR, Field.HOST_DS_SELECTOR, Field.HOST_ES_SELECTOR])
    vmx.vmwrite(field, 0x10);
  vmx.vmwrite(Field.HOST_FS_SELECTOR, 0);
  vmx.vmwrite(Field.HOST_GS_SELECTOR, 0);
  vmx.vmwrite(Field.HOST_TR_SELECTOR, 0x18);
  for (const field of HOST_ZERO) vmx.vmwrite(field, 0);
}

const HOST_ZERO = [
  Field.HOST_FS_BASE,
  Field.HOST_GS_BASE,
  Field.HOST_TR_BASE,
  Field.HOST_GDTR_BASE,
  Field.HOST_IDTR_BASE,
  Field.HOST_SYSENTER_CS,
  Field.HOST_SYSENTER_ESP,
  Field.HOST_SYSENTER_EIP,
  Field.HOST_RSP,
  Field.HOST_RIP,
] as const;

/** The guest's first state. CR0, CR3 and CR4 are the vCPU's, which knows what the guest may see of them (vcpu.ts). */
export function setUpGuest(vmx: VmxPort, boot: BootState): void {
  const order: readonly BootSegment[] = [boot.es, boot.cs, boot.ss, boot.ds, boot.fs, boot.gs];
  order.forEach((segment, n) => writeSegment(vmx, n, segment));
  writeSegment(vmx, 6, { selector: 0, base: 0, limit: 0, access: Access.UNUSABLE });
  // VM entry wants a busy TSS even where the guest has loaded none.
  writeSegment(vmx, 7, { selector: 0, base: 0, limit: 0x67, access: 0x8b });
  vmx.vmwrite(Field.GUEST_GDTR_BASE, boot.gdtr.base);
  vmx.vmwrite(Field.GUEST_GDTR_LIMIT, boot.gdtr.limit);
  vmx.vmwrite(Field.GUEST_IDTR_BASE, boot.idtr.base);
  vmx.vmwrite(Field.GUEST_IDTR_LIMIT, boot.idtr.limit);
  vmx.vmwrite(Field.GUEST_RIP, boot.eip);
  vmx.vmwrite(Field.GUEST_RSP, boot.esp);
  vmx.vmwrite(Field.GUEST_RFLAGS, boot.eflags | 2);
  vmx.vmwrite(Field.GUEST_DR7, 0x400);
  vmx.vmwrite(Field.GUEST_INTERRUPTIBILITY_INFO, 0);
  vmx.vmwrite(Field.GUEST_ACTIVITY_STATE, 0);
  vmx.vmwrite(Field.GUEST_PENDING_DBG_EXCEPTIONS, 0);
  vmx.vmwrite(Field.GUEST_SYSENTER_CS, 0);
  vmx.vmwrite(Field.GUEST_SYSENTER_ESP, 0);
  vmx.vmwrite(Field.GUEST_SYSENTER_EIP, 0);
  write64(vmx, Field.GUEST_IA32_DEBUGCTL, 0);
  vmx.vmwrite(Field.VMCS_LINK_POINTER, 0xffff_ffff);
  vmx.vmwrite(Field.VMCS_LINK_POINTER + 1, 0xffff_ffff);
}

function writeSegment(vmx: VmxPort, n: number, segment: BootSegment): void {
  vmx.vmwrite(Field.GUEST_ES_SELECTOR + 2 * n, segment.selector);
  vmx.vmwrite(Field.GUEST_ES_BASE + 2 * n, segment.base);
  vmx.vmwrite(Field.GUEST_ES_LIMIT + 2 * n, segment.limit);
  vmx.vmwrite(Field.GUEST_ES_AR_BYTES + 2 * n, segment.access);
}

function write64(vmx: VmxPort, field: number, value: number): void {
  vmx.vmwrite(field, value >>> 0);
  vmx.vmwrite(field + 1, Math.floor(value / 0x1_0000_0000));
}
