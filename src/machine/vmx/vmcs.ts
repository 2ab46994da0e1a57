// A VMCS region in machine memory: where each field lies in it, and reads and writes of fields by encoding. The layout is this
// processor's own, as the SDM leaves it to each. Not the VMX instructions (vmx.ts) and not what fields mean. SDM vol. 3, 24.1 to 24.2.

import type { PhysicalMemory } from '../memory.ts';
import type { VmxCapabilities } from './controls.ts';
import { FIELDS, type FieldFeature } from './fields.ts';

/** Bytes of a VMCS region, as IA32_VMX_BASIC reports. */
export const VMCS_BYTES = 4096;

/** Byte offsets inside the region. Software may rely on the first two only. */
export const VmcsLayout = {
  revision: 0,
  abortIndicator: 4,
  launchState: 8,
  data: 16,
} as const;

/** 24.1: the launch state of a VMCS. */
export const LaunchState = { CLEAR: 0, LAUNCHED: 1 } as const;

const ENCODINGS = 0x8000;
/** Word offset in the region by encoding; 0: no such field. A 64-bit field's odd encoding names its high word. */
const OFFSETS = new Uint16Array(ENCODINGS);
/** Value mask by encoding: 16-bit fields keep 16 bits. */
const WIDE = 0xffff_ffff;
const FIELD_16 = new Uint8Array(ENCODINGS);
(() => {
  let word = VmcsLayout.data >> 2;
  for (const field of FIELDS) {
    OFFSETS[field.encoding] = word++;
    if (field.width === 64) OFFSETS[field.encoding + 1] = word++;
    if (field.width === 16) FIELD_16[field.encoding] = 1;
  }
})();

/** True if the processor has this feature's fields. */
const hasFeature = (feature: FieldFeature, capabilities: VmxCapabilities): boolean => {
  switch (feature) {
    case 'base':
    case 'msr-bitmaps':
      return true;
    case 'secondary':
      return capabilities.hasSecondary;
    case 'vpid':
      return capabilities.hasVpid;
    case 'preemption-timer':
      return capabilities.hasPreemptionTimer;
    case 'pat':
      return capabilities.hasPat;
    case 'ept':
    case 'tpr-shadow':
    case 'apic-access':
      return false;
  }
};

/** Encodings (low and high halves) that VMREAD and VMWRITE accept on a processor: 1 exists, 2 exists and is read-only. */
export const supportedEncodings = (capabilities: VmxCapabilities): Uint8Array => {
  const supported = new Uint8Array(ENCODINGS);
  for (const field of FIELDS) {
    if (!hasFeature(field.feature, capabilities)) continue;
    const kind = field.group === 'exit-info' ? 2 : 1;
    supported[field.encoding] = kind;
    if (field.width === 64) supported[field.encoding + 1] = kind;
  }
  return supported;
};

/** One VMCS region. Moving `address` makes the same object look at another region. */
export class Vmcs {
  /** Index of the region's first word in `u32`. */
  base = 0;
  private pa = 0;
  /** Linear memory: the processor's state and machine memory. */
  readonly u32: Uint32Array;
  /** Pages of regions that were looked at before, since `takeWritten`. */
  private readonly left = new Set<number>();

  constructor(private readonly memory: PhysicalMemory) {
    this.u32 = memory.u32;
  }

  /** Physical address of the region, 4 KiB aligned, inside RAM (callers check). */
  get address(): number {
    return this.pa;
  }
  set address(pa: number) {
    this.left.add(this.pa >>> 12);
    this.pa = pa;
    this.base = (this.memory.ramBase + pa) >>> 2;
  }

  /** Calls back with the pages of all regions that may have been written through this object since the last call. */
  takeWritten(visit: (page: number) => void): void {
    this.left.add(this.pa >>> 12);
    this.left.forEach(visit);
    this.left.clear();
  }

  /** Reads a field by its encoding; unsigned. The encoding must be a field's: 0 and data of no meaning otherwise. */
  read(encoding: number): number {
    return this.u32[this.base + OFFSETS[encoding]!]!;
  }

  /** Writes a field by its encoding; 16-bit fields keep 16 bits. */
  write(encoding: number, value: number): void {
    this.u32[this.base + OFFSETS[encoding]!] = FIELD_16[encoding] === 1 ? value & 0xffff : value & WIDE;
  }

  get revision(): number {
    return this.u32[this.base + (VmcsLayout.revision >> 2)]! & 0x7fff_ffff;
  }
  set revision(value: number) {
    this.u32[this.base + (VmcsLayout.revision >> 2)] = value;
  }
  /** VMX-abort indicator (27.7): non-zero after an abort. */
  set abortIndicator(value: number) {
    this.u32[this.base + (VmcsLayout.abortIndicator >> 2)] = value;
  }
  get abortIndicator(): number {
    return this.u32[this.base + (VmcsLayout.abortIndicator >> 2)]!;
  }
  get launchState(): number {
    return this.u32[this.base + (VmcsLayout.launchState >> 2)]!;
  }
  set launchState(value: number) {
    this.u32[this.base + (VmcsLayout.launchState >> 2)] = value;
  }
}

/** Index of a field's word in its region, for code that is about the same fields each time. Fields of one kind for ES to TR lie behind each other. */
export const wordInRegion = (encoding: number): number => OFFSETS[encoding]!;

/** Byte offset of a field in the region, for views that diff raw regions; undefined if there is no such field. */
export const fieldOffset = (encoding: number): number | undefined => {
  const word = OFFSETS[encoding];
  return word === undefined || word === 0 ? undefined : word * 4;
};
