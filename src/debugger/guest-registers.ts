// The registers of the table (registers.ts) read and written on a machine. Under the hypervisor the guest's values are in the processor while it
// is in non-root operation, in the VMCS while it has left; control registers are as the guest believes them. Writing goes by the
// processor's own rules where it has some. Not what a debugger does with them. SDM vol. 3, 24.4 and 24.6.6.

import { loadControlRegister } from '../machine/cpu/control-registers.ts';
import type { Cpu } from '../machine/cpu/cpu.ts';
import { Dr6, dr7Written } from '../machine/cpu/debug-registers.ts';
import { Descriptor, isLocal, isNull } from '../machine/cpu/descriptors.ts';
import { readMsr, writeMsr } from '../machine/cpu/msr.ts';
import type { MsrValue } from '../machine/cpu/msr-rows.ts';
import { Access, Cr0, CS, ESP, Flag, LDTR, SS, StateLayout } from '../machine/cpu/state.ts';
import { setTagWord, tagWord } from '../machine/cpu/x87/control.ts';
import { setControlWord, setStatusWord, slot, statusWord } from '../machine/cpu/x87/unit.ts';
import { Field } from '../machine/vmx/fields.ts';
import type { Vmx } from '../machine/vmx/vmx.ts';
import { MSRS } from '../hypervisor/exits/msr.ts';
import { CrLoad } from '../hypervisor/observer.ts';
import { CrWrite, type Vcpu } from '../hypervisor/vcpu.ts';
import { type Register, registerNamed, type SegmentPart } from './registers.ts';

const SEGMENT_FIELDS: Readonly<Record<SegmentPart, number>> = {
  selector: Field.GUEST_ES_SELECTOR,
  base: Field.GUEST_ES_BASE,
  limit: Field.GUEST_ES_LIMIT,
  access: Field.GUEST_ES_AR_BYTES,
};
const TABLES = {
  gdtr: {
    base: [StateLayout.gdtrBase, Field.GUEST_GDTR_BASE],
    limit: [StateLayout.gdtrLimit, Field.GUEST_GDTR_LIMIT],
  },
  idtr: {
    base: [StateLayout.idtrBase, Field.GUEST_IDTR_BASE],
    limit: [StateLayout.idtrLimit, Field.GUEST_IDTR_LIMIT],
  },
} as const;
/** Bits that exist; bit 1 always reads as 1. */
const EFLAGS_BITS = 0x3f_7fd5;
/** Access rights of a segment in real mode and virtual-8086 mode. */
const REAL_ACCESS = 0x93;
const V86_ACCESS = 0xf3;

/** The guest under a hypervisor. */
interface Guest {
  readonly vmx: Vmx;
  readonly vcpu: Vcpu;
  /** Whether the processor is this vCPU's: another's values are in its VMCS. */
  readonly live: () => boolean;
}

export class GuestRegisters {
  private readonly msr: MsrValue = { low: 0, high: 0 };

  constructor(
    private readonly cpu: Cpu,
    private readonly guest: Guest | undefined,
    /** Copies guest memory by linear address; how many bytes from the start are there. */
    private readonly readMemory: (linear: number, into: Uint8Array) => number,
  ) {}

  /** Undefined: the values are in the processor. */
  private get vmcs(): Vmx | undefined {
    const { guest } = this;
    return guest === undefined || (guest.vmx.nonRoot && guest.live()) ? undefined : guest.vmx;
  }

  // ---- up to 32 bits ------------------------------------------------------------------------------------------------

  /** Unsigned; 0 for what is wider. */
  read({ place }: Register): number {
    const { s } = this.cpu;
    const { vmcs } = this;
    switch (place.kind) {
      case 'gpr':
        return s.gpr(place.n);
      case 'eip':
        return vmcs === undefined ? s.eip : vmcs.vmread(Field.GUEST_RIP);
      case 'eflags':
        return (vmcs === undefined ? s.eflags : vmcs.vmread(Field.GUEST_RFLAGS)) >>> 0;
      case 'segment':
        return this.segment(place.n, place.part);
      case 'table': {
        const [word, field] = TABLES[place.interrupts ? 'idtr' : 'gdtr'][place.part];
        return vmcs === undefined ? s.get(word) : vmcs.vmread(field);
      }
      case 'control':
        return this.control(place.n);
      case 'debug':
        return place.n === 7 && vmcs !== undefined ? vmcs.vmread(Field.GUEST_DR7) : s.dr(place.n);
      case 'fpu':
        if (place.register === 'status') return statusWord(s);
        return place.register === 'tag' ? tagWord(s) : s.get(StateLayout.fpuControl);
      case 'word':
        return (s.get(place.at) & place.mask) >>> 0;
      default:
        return 0;
    }
  }
  private segment(n: number, part: SegmentPart): number {
    const { vmcs } = this;
    if (vmcs !== undefined) return vmcs.vmread(SEGMENT_FIELDS[part] + 2 * n);
    return this.cpu.s[part](n);
  }
  private control(n: number): number {
    const { s } = this.cpu;
    const vcpu = this.guest?.vcpu;
    switch (n) {
      case 0:
        return (vcpu?.cr0 ?? s.cr0) >>> 0;
      case 2:
        return s.cr2;
      case 3:
        return (vcpu?.shadow.mode.cr3 ?? s.cr3) >>> 0;
      default:
        return (vcpu?.cr4 ?? s.cr4) >>> 0;
    }
  }

  /** False: the register does not take the value. */
  write({ place, bits }: Register, value: number): boolean {
    const { s } = this.cpu;
    const { vmcs } = this;
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** Math.min(bits, 32)) return false;
    switch (place.kind) {
      case 'gpr':
        s.setGpr(place.n, value);
        if (place.n === ESP) vmcs?.vmwrite(Field.GUEST_RSP, value);
        return true;
      case 'eip':
        if (vmcs === undefined) s.eip = value;
        else {
          vmcs.vmwrite(Field.GUEST_RIP, value);
          s.eip = value;
        }
        return true;
      case 'eflags':
        return this.writeFlags(value);
      case 'segment':
        return this.writeSegment(place.n, place.part, value);
      case 'table': {
        const [word, field] = TABLES[place.interrupts ? 'idtr' : 'gdtr'][place.part];
        if (vmcs === undefined) s.set(word, value);
        else vmcs.vmwrite(field, value);
        return true;
      }
      case 'control':
        return this.writeControl(place.n, value);
      case 'debug':
        return this.writeDebug(place.n, value);
      case 'fpu':
        if (place.register === 'status') setStatusWord(s, value);
        else if (place.register === 'tag') setTagWord(s, value);
        else setControlWord(s, value);
        return true;
      case 'word':
        if (place.at === StateLayout.mxcsr && value > 0xffff) return false;
        s.set(place.at, value);
        return true;
      default:
        return false;
    }
  }
  private writeFlags(value: number): boolean {
    const { cpu, vmcs } = this;
    // Another segment model cannot come without its segments.
    if (((value ^ this.read(registerNamed('eflags')!)) & Flag.VM) !== 0 || (value & ~EFLAGS_BITS & ~2) !== 0)
      return false;
    if (vmcs === undefined) cpu.s.eflags = value;
    else vmcs.vmwrite(Field.GUEST_RFLAGS, value | 2);
    cpu.modeDirty = true;
    return true;
  }
  private writeDebug(n: number, value: number): boolean {
    const { cpu, vmcs } = this;
    const written = n === 6 ? Dr6.FIXED | (value & Dr6.WRITABLE) : n === 7 ? dr7Written(value) : value;
    if (n === 7 && vmcs !== undefined) vmcs.vmwrite(Field.GUEST_DR7, written >>> 0);
    else cpu.s.setDr(n, written);
    cpu.modeDirty = true;
    return true;
  }

  private writeControl(n: number, value: number): boolean {
    const { cpu, guest } = this;
    if (guest === undefined || n === 2) return loadControlRegister(cpu, n, value);
    const { vcpu, vmx } = guest;
    // In non-root operation there is no real mode.
    if (vmx.nonRoot && n === 0 && (value & Cr0.PE) === 0) return false;
    const result = n === 0 ? vcpu.writeCr0(value, CrLoad.MOV) : n === 3 ? vcpu.writeCr3(value) : vcpu.writeCr4(value);
    if (result !== CrWrite.DONE) return false;
    if (vmx.nonRoot) {
      // As the next VM entry would load them.
      cpu.s.cr0 = vmx.vmread(Field.GUEST_CR0);
      cpu.s.cr3 = vmx.vmread(Field.GUEST_CR3);
      cpu.s.cr4 = vmx.vmread(Field.GUEST_CR4);
      if (vcpu.shadow.shadowIsPae) cpu.mmu.loadPdptes(cpu.s.cr3);
      cpu.mmu.controlsChanged();
      cpu.modeDirty = true;
    }
    return true;
  }

  // ---- segments -----------------------------------------------------------------------------------------------------

  /** A selector brings its descriptor, in real and virtual-8086 mode its base; the other parts are written as they are. */
  private writeSegment(n: number, part: SegmentPart, value: number): boolean {
    let selector = this.segment(n, 'selector');
    let base = this.segment(n, 'base');
    let limit = this.segment(n, 'limit');
    let access = this.segment(n, 'access');
    if (part === 'base') base = value;
    else if (part === 'limit') limit = value;
    else if (part === 'access') access = value;
    else {
      selector = value;
      const protectedMode = (this.control(0) & Cr0.PE) !== 0;
      const virtual = (this.read(registerNamed('eflags')!) & Flag.VM) !== 0;
      if (!protectedMode || virtual) {
        base = selector << 4;
        if (virtual) limit = 0xffff;
        access = virtual ? V86_ACCESS : REAL_ACCESS;
      } else if (isNull(selector)) {
        if (n === CS || n === SS) return false;
        access = Access.UNUSABLE;
      } else {
        const descriptor = this.descriptor(selector);
        if (descriptor === undefined || (descriptor.access & Access.P) === 0) return false;
        ({ base, limit, access } = descriptor);
      }
    }
    this.putSegment(n, selector, base, limit, access);
    return true;
  }
  private putSegment(n: number, selector: number, base: number, limit: number, access: number): void {
    const { cpu, vmcs } = this;
    if (vmcs === undefined) {
      cpu.s.setSegment(n, selector, base, limit, access);
      if (n === SS) cpu.s.cpl = (access >>> 5) & 3;
      cpu.modeDirty = true;
      return;
    }
    vmcs.vmwrite(SEGMENT_FIELDS.selector + 2 * n, selector);
    vmcs.vmwrite(SEGMENT_FIELDS.base + 2 * n, base);
    vmcs.vmwrite(SEGMENT_FIELDS.limit + 2 * n, limit);
    vmcs.vmwrite(SEGMENT_FIELDS.access + 2 * n, access);
    const { vcpu } = this.guest!;
    if (!vcpu.canEnter) vcpu.outsideVmx = true;
  }
  private descriptor(selector: number): Descriptor | undefined {
    const local = isLocal(selector);
    const base = local ? this.segment(LDTR, 'base') : this.read(registerNamed('gdtr_base')!);
    const limit = local ? this.segment(LDTR, 'limit') : this.read(registerNamed('gdtr_limit')!);
    const bytes = new Uint8Array(8);
    if ((selector | 7) > limit || this.readMemory((base + (selector & 0xfff8)) >>> 0, bytes) < 8) return undefined;
    const view = new DataView(bytes.buffer);
    const descriptor = new Descriptor();
    descriptor.low = view.getUint32(0, true);
    descriptor.high = view.getUint32(4, true);
    return descriptor;
  }

  // ---- wider ones ---------------------------------------------------------------------------------------------------

  /** Little endian, as long as the register is; of any register. Undefined: there is none of that number on this machine (an MSR). */
  readWide(register: Register): Uint8Array | undefined {
    const { place, bits } = register;
    const at = this.wideAt(register);
    if (at !== undefined) return this.cpu.s.u8.slice(at, at + bits / 8);
    const bytes = new Uint8Array(bits / 8);
    const view = new DataView(bytes.buffer);
    if (place.kind === 'msr') {
      if (!this.readMsr(place.index)) return undefined;
      view.setUint32(0, this.msr.low, true);
      view.setUint32(4, this.msr.high, true);
    } else if (bits === 32) view.setUint32(0, this.read(register), true);
    else view.setUint16(0, this.read(register), true);
    return bytes;
  }
  writeWide(register: Register, value: Uint8Array): boolean {
    const { place, bits } = register;
    if (value.length !== bits / 8) return false;
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    if (place.kind === 'msr') return this.writeMsr(place.index, view.getUint32(0, true), view.getUint32(4, true));
    const at = this.wideAt(register);
    if (at === undefined) return this.write(register, bits === 32 ? view.getUint32(0, true) : view.getUint16(0, true));
    const { s } = this.cpu;
    s.u8.set(value, at);
    if (place.kind === 'st') {
      const physical = (s.get(StateLayout.fpuTop) + place.n) & 7;
      s.set(StateLayout.fpuTags, s.get(StateLayout.fpuTags) | (1 << physical));
    }
    return true;
  }
  /** Where a wide register lies in the state. */
  private wideAt({ place }: Register): number | undefined {
    switch (place.kind) {
      case 'st':
        return slot(this.cpu.s, place.n);
      case 'mm':
        return StateLayout.fpuRegisters + place.n * 16;
      case 'xmm':
        return StateLayout.xmm + place.n * 16;
      default:
        return undefined;
    }
  }

  /** A guest has the hypervisor's MSRs; those that it reaches without an exit are the processor's. */
  private readMsr(index: number): boolean {
    const virtual = MSRS.get(index);
    if (this.guest !== undefined && virtual !== undefined) return virtual.read(this.guest.vcpu, this.msr);
    return this.hasMsr(index) && readMsr(this.cpu, index, this.msr);
  }
  private writeMsr(index: number, low: number, high: number): boolean {
    const virtual = MSRS.get(index);
    if (this.guest !== undefined && virtual !== undefined) return virtual.write(this.guest.vcpu, low, high);
    if (!this.hasMsr(index) || !writeMsr(this.cpu, index, low, high)) return false;
    this.vmcs?.vmwrite(SYSENTER_FIELDS[index - SYSENTER_FIRST]!, low);
    return true;
  }
  private hasMsr(index: number): boolean {
    return this.guest === undefined || (index >= SYSENTER_FIRST && index <= SYSENTER_LAST);
  }
}

/** IA32_SYSENTER_CS, ESP, EIP. */
const SYSENTER_FIRST = 0x174;
const SYSENTER_LAST = 0x176;
const SYSENTER_FIELDS = [Field.GUEST_SYSENTER_CS, Field.GUEST_SYSENTER_ESP, Field.GUEST_SYSENTER_EIP];
