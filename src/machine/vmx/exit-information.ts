// What a VM exit says of itself besides its reason: the VM-exit information fields of the current VMCS, read when somebody wants them, as
// signed numbers. Not what they mean (qualification.ts). SDM vol. 3, 24.9 and 27.2.

import { Field } from './fields.ts';
import { IntrInfo } from './qualification.ts';

export class ExitInformation {
  /** @param vmcs fields by their encoding */
  constructor(private readonly vmcs: { read(encoding: number): number }) {}

  get qualification(): number {
    return this.vmcs.read(Field.EXIT_QUALIFICATION) | 0;
  }
  get guestLinear(): number {
    return this.vmcs.read(Field.GUEST_LINEAR_ADDRESS) | 0;
  }
  /** Of EPT violations, which no processor here has. */
  get guestPhysical(): number {
    return 0;
  }
  get intrInfo(): number {
    return this.vmcs.read(Field.VM_EXIT_INTR_INFO) | 0;
  }
  /** 0: the event has none. */
  get intrError(): number {
    return hasError(this.intrInfo) ? this.vmcs.read(Field.VM_EXIT_INTR_ERROR_CODE) | 0 : 0;
  }
  get idtVectoringInfo(): number {
    return this.vmcs.read(Field.IDT_VECTORING_INFO) | 0;
  }
  /** 0: the event has none. */
  get idtVectoringError(): number {
    return hasError(this.idtVectoringInfo) ? this.vmcs.read(Field.IDT_VECTORING_ERROR_CODE) | 0 : 0;
  }
  get instructionLength(): number {
    return this.vmcs.read(Field.VM_EXIT_INSTRUCTION_LEN) | 0;
  }
  get instructionInfo(): number {
    return this.vmcs.read(Field.VM_EXIT_INSTRUCTION_INFO) | 0;
  }
}

const hasError = (info: number): boolean => IntrInfo.valid(info) && IntrInfo.hasErrorCode(info);
