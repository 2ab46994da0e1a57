// The checks a VM entry makes, in the SDM's order: on the controls, on the host state, on the guest state. The lists are in checks/;
// what a failure does is entry.ts. SDM vol. 3, 26.2 and 26.3. Checks that only Intel 64, or features of no model here, could fail are absent.

import type { EntryCheck, EntryContext } from './checks/check.ts';

export type { EntryArea, EntryCheck, EntryContext } from './checks/check.ts';
export { CONTROL_CHECKS, INJECTION_CHECKS } from './checks/controls.ts';
export { GUEST_CHECKS, GUEST_PDPTES, GUEST_REGISTERS, GUEST_REST, pdptesValid } from './checks/guest.ts';
export { GUEST_SEGMENTS } from './checks/guest-segments.ts';
export { HOST_CHECKS } from './checks/host.ts';

/** The first check of a list that fails, or undefined. */
export const firstFailure = (checks: readonly EntryCheck[], context: EntryContext): EntryCheck | undefined => {
  for (let i = 0; i < checks.length; i++) if (!checks[i]!.holds(context)) return checks[i];
  return undefined;
};
