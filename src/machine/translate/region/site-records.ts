// What is to be known of a region's sites (region-frame.ts `Site`) as records, in linear memory for translated code: where the instruction is, how many
// of its node retired before it, and the form of the flags. Not the leaving there (fault-function.ts, regions.ts).

import type { Site } from './region-frame.ts';

/** A record's bytes: EIP; instructions retired before (16 bits) with the flags' kind above them, signed. */
export const SITE_RECORD = 8;
export const SiteRecord = { eip: 0, done: 4 } as const;
export const KIND_SHIFT = 16;

/** The records of a region's sites. There are tens of thousands, so they are no objects. */
export const siteRecords = (sites: readonly Site[]): Int32Array => {
  const records = new Int32Array((sites.length * SITE_RECORD) >> 2);
  sites.forEach(({ eip, done, kind }, i) => {
    const record = i * SITE_RECORD;
    records[(record + SiteRecord.eip) >> 2] = eip;
    records[(record + SiteRecord.done) >> 2] = (kind << KIND_SHIFT) | done;
  });
  return records;
};
/** What a record says. */
export const eipOfSite = (records: Int32Array, site: number): number =>
  records[(site * SITE_RECORD + SiteRecord.eip) >> 2]!;
const wordOfSite = (records: Int32Array, site: number): number => records[(site * SITE_RECORD + SiteRecord.done) >> 2]!;
export const doneOfSite = (records: Int32Array, site: number): number =>
  wordOfSite(records, site) & ((1 << KIND_SHIFT) - 1);
export const kindOfSite = (records: Int32Array, site: number): number => wordOfSite(records, site) >> KIND_SHIFT;
