// What happened to the shadow tables, in numbers. Names follow Xen's performance counters (xen/include/asm-x86/perfc_defn.h).

export class ShadowCounters {
  /** Page-fault exits that the shadow code saw, and what became of them (observer.ts ShadowOutcome). */
  faults = 0;
  propagate = 0;
  fixup = 0;
  mmio = 0;
  emulate = 0;
  /** Supervisor writes through read-only entries with CR0.WP clear. */
  emulateWp = 0;
  unshadowUser = 0;
  unshadowEvtinj = 0;
  unshadowUnhandled = 0;
  earlyUnshadow = 0;
  /** Entries set before they were asked for. */
  prefetched = 0;
  /** Guest table entries written and looked at. */
  tableWrites = 0;
  created = 0;
  destroyed = 0;
  promoted = 0;
  demoted = 0;
  writableRemoved = 0;
  /** Directories given up because the pool was full, and tables unhooked from directories in use. */
  preallocUnpin = 0;
  preallocUnhook = 0;
  flushes = 0;
  invlpg = 0;
  cr3Loads = 0;
  /** CR3 loads that found their shadow. */
  cr3Hits = 0;

  /** As plain numbers by name, for reports. */
  view(): Record<string, number> {
    return Object.fromEntries(Object.entries(this) as [string, number][]);
  }
}
