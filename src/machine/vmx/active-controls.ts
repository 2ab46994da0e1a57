// The control fields of the current VMCS, kept apart so that an intercept decision touches no field. Root software cannot change
// them while the guest runs; when it does in root operation they are read again, for instructions it has emulated. Not the decisions (intercepts.ts) and not the checks (entry-checks.ts). SDM vol. 3, 24.6 to 24.8.

import { PrimaryControl } from './controls.ts';
import { Field } from './fields.ts';
import type { Vmcs } from './vmcs.ts';
import { WIDE_ZERO } from '../wide-number.ts';

export class ActiveControls {
  pin = 0;
  primary = 0;
  /** 0 unless "activate secondary controls" is 1. */
  secondary = 0;
  exit = 0;
  entry = 0;
  exceptionBitmap = 0;
  pageFaultMask = 0;
  pageFaultMatch = 0;
  cr0Mask = WIDE_ZERO;
  cr0Shadow = WIDE_ZERO;
  cr4Mask = WIDE_ZERO;
  cr4Shadow = 0;
  cr3TargetCount = 0;
  readonly cr3Targets = new Uint32Array(4);
  /** Physical addresses. */
  ioBitmapA = 0;
  ioBitmapB = 0;
  msrBitmap = 0;

  /** True if a field is one of those kept here: bitmap addresses, execution, exit and entry controls, CR masks, shadows and targets. */
  static covers(encoding: number): boolean {
    const block = encoding & 0xfff0;
    return (
      block === 0x2000 ||
      block === 0x4000 ||
      block === 0x6000 ||
      encoding === Field.VM_ENTRY_CONTROLS ||
      encoding === Field.SECONDARY_VM_EXEC_CONTROL
    );
  }

  load(vmcs: Vmcs): void {
    this.pin = vmcs.read(Field.PIN_BASED_VM_EXEC_CONTROL);
    this.primary = vmcs.read(Field.CPU_BASED_VM_EXEC_CONTROL);
    this.secondary =
      (this.primary & PrimaryControl.ACTIVATE_SECONDARY_CONTROLS) !== 0
        ? vmcs.read(Field.SECONDARY_VM_EXEC_CONTROL)
        : 0;
    this.exit = vmcs.read(Field.VM_EXIT_CONTROLS);
    this.entry = vmcs.read(Field.VM_ENTRY_CONTROLS);
    this.exceptionBitmap = vmcs.read(Field.EXCEPTION_BITMAP);
    this.pageFaultMask = vmcs.read(Field.PAGE_FAULT_ERROR_CODE_MASK);
    this.pageFaultMatch = vmcs.read(Field.PAGE_FAULT_ERROR_CODE_MATCH);
    this.cr0Mask = vmcs.read(Field.CR0_GUEST_HOST_MASK);
    this.cr0Shadow = vmcs.read(Field.CR0_READ_SHADOW);
    this.cr4Mask = vmcs.read(Field.CR4_GUEST_HOST_MASK);
    this.cr4Shadow = vmcs.read(Field.CR4_READ_SHADOW);
    this.cr3TargetCount = vmcs.read(Field.CR3_TARGET_COUNT);
    for (let i = 0; i < 4; i++) this.cr3Targets[i] = vmcs.read(Field.CR3_TARGET_VALUE0 + 2 * i);
    this.ioBitmapA = vmcs.read(Field.IO_BITMAP_A);
    this.ioBitmapB = vmcs.read(Field.IO_BITMAP_B);
    this.msrBitmap = vmcs.read(Field.MSR_BITMAP);
  }
}
