// The VMX capability MSRs (480h to 490h): what they read as, from the model's capabilities. SDM vol. 3, appendix A.
// Not IA32_FEATURE_CONTROL (cpu/msr.ts).

import type { AllowedSettings, VmxCapabilities } from './controls.ts';
import { FIELDS } from './fields.ts';
import { VMCS_BYTES } from './vmcs.ts';

export interface Halves {
  low: number;
  high: number;
}

const put = (out: Halves, low: number, high: number): true => {
  out.low = low >>> 0;
  out.high = high >>> 0;
  return true;
};
const putSettings = (out: Halves, settings: AllowedSettings): true => put(out, settings.allowed0, settings.allowed1);

/** Highest index field (bits 9:1) of any encoding (A.9). */
const HIGHEST_INDEX = Math.max(...FIELDS.map((field) => (field.encoding >>> 1) & 0x1ff));

/** Physical addresses of VMX structures have 32 bits (bit 48), memory type write-back (53:50), INS/OUTS information (54), true controls (55). */
const basicHigh = (c: VmxCapabilities): number =>
  VMCS_BYTES | (1 << 16) | (6 << 18) | (1 << 22) | (c.trueControls ? 1 << 23 : 0);

/** IA32_VMX_MISC: preemption-timer rate, the three activity states, CR3 targets, MSR-area size (A.6). */
const misc = (c: VmxCapabilities): number =>
  (c.hasPreemptionTimer ? c.preemptionShift : 0) | (7 << 6) | (c.cr3Targets << 16) | ((c.maxMsrs / 512 - 1) << 25);

/** Reads a capability MSR into `out`; false if this processor has none of that number. */
export const capabilityMsr = (c: VmxCapabilities, index: number, out: Halves): boolean => {
  switch (index) {
    case 0x480:
      return put(out, c.revisionId, basicHigh(c));
    case 0x481:
      return putSettings(out, c.legacyControls.pin);
    case 0x482:
      return putSettings(out, c.legacyControls.primary);
    case 0x483:
      return putSettings(out, c.legacyControls.exit);
    case 0x484:
      return putSettings(out, c.legacyControls.entry);
    case 0x485:
      return put(out, misc(c), 0);
    case 0x486:
      return put(out, c.cr0Fixed0, 0);
    case 0x487:
      return put(out, c.cr0Fixed1, 0);
    case 0x488:
      return put(out, c.cr4Fixed0, 0);
    case 0x489:
      return put(out, c.cr4Fixed1, 0);
    case 0x48a:
      return put(out, HIGHEST_INDEX << 1, 0);
    case 0x48b:
      return c.hasSecondary && putSettings(out, c.controls.secondary);
    case 0x48c:
      // INVVPID (bit 32) with all four types (43:40).
      return c.hasVpid && put(out, 0, 0x0f01);
    case 0x48d:
      return c.trueControls && putSettings(out, c.controls.pin);
    case 0x48e:
      return c.trueControls && putSettings(out, c.controls.primary);
    case 0x48f:
      return c.trueControls && putSettings(out, c.controls.exit);
    case 0x490:
      return c.trueControls && putSettings(out, c.controls.entry);
    default:
      return false;
  }
};
