// Segment registers of the guest as the hypervisor loads them for it: descriptors read through the guest's page tables, the processor's
// checks, results in the VMCS. Only what a task switch needs. A refused load leaves the exception in `fault`.
// SDM vol. 3, 5.5 to 5.7 and table 7-1; Xen: hvm_load_segment_selector.

import { Descriptor, isLocal, isNull, rpl, selectorError, SystemType } from '../../machine/cpu/descriptors.ts';
import { Access, CS, LDTR, SS } from '../../machine/cpu/state.ts';
import { Field } from '../../machine/vmx/fields.ts';
import { Vector, type Vcpu } from '../vcpu.ts';

/** What VM entry wants of every segment of a virtual-8086 task (26.3.1.2). */
const V86_ACCESS = 0xf3;
/** Present code segment, accessed, 32-bit; and the DPL in bits 6:5 of access rights. */
const CODE_ACCESS = 0x409b;
const dplBits = (level: number): number => level << 5;

export class GuestSegments {
  /** The exception of the last refused access or load. */
  readonly fault = { vector: 0, error: 0, address: 0 };
  private readonly descriptor = new Descriptor();

  constructor(private readonly vcpu: Vcpu) {}

  raise(vector: number, error: number, address = 0): false {
    this.fault.vector = vector;
    this.fault.error = error;
    this.fault.address = address;
    return false;
  }

  // Guest memory by linear address, as the processor reaches its tables: with supervisor rights.

  private refused(): false {
    const { access } = this.vcpu;
    this.fault.vector = access.faultVector;
    this.fault.error = access.faultError;
    this.fault.address = access.faultAddress;
    return false;
  }
  /** -1 if refused. */
  read(linear: number, size: 1 | 2 | 4): number {
    const { access } = this.vcpu;
    access.begin();
    const value = access.read(linear >>> 0, size, false);
    if (access.faultVector < 0) return value;
    this.refused();
    return -1;
  }
  write(linear: number, size: 1 | 2 | 4, value: number, user = false): boolean {
    const { access } = this.vcpu;
    access.begin();
    return access.write(linear >>> 0, size, size === 4 ? value >>> 0 : value & 0xffff, user) || this.refused();
  }

  // Segment registers in the VMCS.

  selector(n: number): number {
    return this.vcpu.vmx.vmread(Field.GUEST_ES_SELECTOR + 2 * n);
  }
  base(n: number): number {
    return this.vcpu.vmx.vmread(Field.GUEST_ES_BASE + 2 * n);
  }
  limit(n: number): number {
    return this.vcpu.vmx.vmread(Field.GUEST_ES_LIMIT + 2 * n);
  }
  access(n: number): number {
    return this.vcpu.vmx.vmread(Field.GUEST_ES_AR_BYTES + 2 * n);
  }
  put(n: number, selector: number, base: number, limit: number, access: number): void {
    const { vmx } = this.vcpu;
    vmx.vmwrite(Field.GUEST_ES_SELECTOR + 2 * n, selector);
    vmx.vmwrite(Field.GUEST_ES_BASE + 2 * n, base);
    vmx.vmwrite(Field.GUEST_ES_LIMIT + 2 * n, limit);
    vmx.vmwrite(Field.GUEST_ES_AR_BYTES + 2 * n, access);
  }
  putDescriptor(n: number, selector: number, d: Descriptor): void {
    this.put(n, selector, d.base, d.limit, d.access);
  }
  putVirtual8086(n: number, selector: number): void {
    this.put(n, selector, selector << 4, 0xffff, V86_ACCESS);
  }
  /**
   * A register that holds nothing usable yet. VM entry wants a present code segment in CS and levels that agree even then, so an
   * exception in the middle of a switch finds an empty code segment, and an SS whose RPL is the level.
   */
  putEmpty(n: number, selector: number, level: number): void {
    if (n === CS) this.put(CS, (selector & ~3) | level, 0, 0, CODE_ACCESS | dplBits(level));
    else if (n === SS) this.put(SS, (selector & ~3) | level, 0, 0, Access.UNUSABLE | dplBits(level));
    else this.put(n, selector, 0, 0, Access.UNUSABLE);
  }

  // Descriptors.

  /** False with `vector`(selector) outside the table, or with a page fault. The selector is not null. */
  readDescriptor(selector: number, into: Descriptor, vector: number): boolean {
    const { vmx } = this.vcpu;
    const local = isLocal(selector);
    const limit = local ? this.limit(LDTR) : vmx.vmread(Field.GUEST_GDTR_LIMIT);
    const absent = local && (this.access(LDTR) & Access.UNUSABLE) !== 0;
    if (absent || (selector | 7) >>> 0 > limit) return this.raise(vector, selectorError(selector));
    into.address = ((local ? this.base(LDTR) : vmx.vmread(Field.GUEST_GDTR_BASE)) + (selector & 0xfff8)) >>> 0;
    const low = this.read(into.address, 4);
    if (low < 0) return false;
    const high = this.read(into.address + 4, 4);
    into.low = low;
    into.high = high;
    return high >= 0;
  }
  private writeAccess(d: Descriptor, high: number): boolean {
    if (!this.write(d.address + 5, 1, (high >>> 8) & 0xff)) return false;
    d.high = high >>> 0;
    return true;
  }
  private markAccessed(d: Descriptor): boolean {
    return (d.high & 0x100) !== 0 || this.writeAccess(d, d.high | 0x100);
  }
  /** The busy bit of a TSS. */
  markBusy(d: Descriptor, busy: boolean): boolean {
    return this.writeAccess(d, busy ? d.high | 0x200 : d.high & ~0x200);
  }

  // The loads of a task switch. All faults are #TS but for segments that are not present.

  loadLdt(selector: number): boolean {
    const d = this.descriptor;
    const error = selectorError(selector);
    if (isNull(selector)) return true;
    if (isLocal(selector)) return this.raise(Vector.TS, error);
    if (!this.readDescriptor(selector, d, Vector.TS)) return false;
    if (!d.isSystem || d.type !== SystemType.LDT || !d.present) return this.raise(Vector.TS, error);
    this.putDescriptor(LDTR, selector, d);
    return true;
  }

  loadCode(selector: number): boolean {
    const d = this.descriptor;
    const error = selectorError(selector);
    if (isNull(selector)) return this.raise(Vector.TS, error);
    if (!this.readDescriptor(selector, d, Vector.TS)) return false;
    const level = rpl(selector);
    if (!d.isCode || (d.isConforming ? d.dpl > level : d.dpl !== level)) return this.raise(Vector.TS, error);
    if (!d.present) return this.raise(Vector.NP, error);
    if (!this.markAccessed(d)) return false;
    this.putDescriptor(CS, selector, d);
    return true;
  }

  loadStack(selector: number, level: number): boolean {
    const d = this.descriptor;
    const error = selectorError(selector);
    if (isNull(selector)) return this.raise(Vector.TS, 0);
    if (!this.readDescriptor(selector, d, Vector.TS)) return false;
    if (rpl(selector) !== level || !d.isWritableData || d.dpl !== level) return this.raise(Vector.TS, error);
    if (!d.present) return this.raise(Vector.SS, error);
    if (!this.markAccessed(d)) return false;
    this.putDescriptor(SS, selector, d);
    return true;
  }

  /** DS, ES, FS or GS. */
  loadData(n: number, selector: number, level: number): boolean {
    const d = this.descriptor;
    const error = selectorError(selector);
    if (isNull(selector)) return true;
    if (!this.readDescriptor(selector, d, Vector.TS)) return false;
    const tooInner = !d.isConforming && (rpl(selector) > d.dpl || level > d.dpl);
    if (!d.isReadable || tooInner) return this.raise(Vector.TS, error);
    if (!d.present) return this.raise(Vector.NP, error);
    if (!this.markAccessed(d)) return false;
    this.putDescriptor(n, selector, d);
    return true;
  }

  /** Pushes one value onto the present stack as an inner push of the processor would: the segment's limit, then the page tables. */
  push(value: number, size: 2 | 4, level: number): boolean {
    const { vmx } = this.vcpu;
    const access = this.access(SS);
    const limit = this.limit(SS);
    const mask = access & Access.DB ? 0xffff_ffff : 0xffff;
    const esp = vmx.vmread(Field.GUEST_RSP);
    const offset = ((esp - size) & mask) >>> 0;
    const last = offset + size - 1;
    const inside = access & 4 ? offset > limit && last <= mask >>> 0 : last <= limit;
    if (!inside) return this.raise(Vector.SS, 0);
    if (!this.write(this.base(SS) + offset, size, value, level === 3)) return false;
    vmx.vmwrite(Field.GUEST_RSP, ((esp & ~mask) | offset) >>> 0);
    return true;
  }
}
