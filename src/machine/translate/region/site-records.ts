// What translated code itself has to know of a region's sites (region-frame.ts `Site`), as records in linear memory: where the instruction is, how many
// of its node retired before it, and the form of the flags. Not the leaving there (fault-function.ts, regions.ts).

import type { Site } from './region-frame.ts';

/** A record's bytes: EIP; instructions retired before (16 bits) with the flags' kind above them, signed. */
export const SITE_RECORD = 8;
export const SiteRecord = { eip: 0, done: 4 } as const;
export const KIND_SHIFT = 16;

/** Writes the records of a region's sites from an address on. */
export const writeSiteRecords = (i32: Int32Array, at: number, sites: readonly Site[]): void =>
  sites.forEach(({ eip, done, kind }, i) => {
    const record = at + i * SITE_RECORD;
    i32[(record + SiteRecord.eip) >> 2] = eip;
    i32[(record + SiteRecord.done) >> 2] = (kind << KIND_SHIFT) | done;
  });
