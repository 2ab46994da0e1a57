// The audits of shadow paging: every invariant that must hold between two instructions, checked the slow way. For tests and for the
// "toggle shadow audits" command; never part of a run. Xen: shadow_audit_tables and sh_audit_l1_table ("entries", "hash").

import type { P2m } from '../p2m.ts';
import { ShadowPageType } from '../observer.ts';
import { Pte } from './entries.ts';
import type { ShadowPaging } from './paging.ts';
import { isDirectory, NIL, shadowsFrame, stride, WORDS } from './pool.ts';
import { Propagator } from './propagate.ts';

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** Every violation in words; empty if all is well. */
export const auditShadows = (shadow: ShadowPaging, p2m: P2m): string[] => {
  const { pool, mode } = shadow;
  const problems: string[] = [];
  const propagator = new Propagator(p2m, mode, pool);
  let leaves = 0;
  let directoryEntries = 0;

  for (let page = 0; page < pool.pages; page++) {
    const type = pool.type[page]!;
    if (type === 0xff) continue;
    const key = pool.key[page]!;
    const name = `page ${page} (type ${type}, key ${hex(key)})`;
    if (pool.find(type, key) !== page) problems.push(`hash: ${name} is not found`);
    if (shadowsFrame(type) && ((pool.tableTypes[key]! >>> type) & 1) === 0)
      problems.push(`hash: ${name} is not marked as a table`);
    const step = stride(type);
    const pae = step === 2;
    let filled = 0;
    for (let word = 0; word < WORDS; word += step) {
      const slot = page * WORDS + word;
      const entry = pool.low(slot);
      if (entry === 0) continue;
      filled++;
      const where = `${name} entry ${word / step} = ${hex(entry)}`;
      if (isDirectory(type)) {
        directoryEntries++;
        checkDirectory(where, type, key, word, entry);
      } else {
        leaves++;
        checkLeaf(where, type, key, word / step, pae, entry);
      }
    }
    if (filled !== pool.filled[page]) problems.push(`count: ${name} has ${filled} entries, not ${pool.filled[page]}`);
  }

  function checkLeaf(where: string, type: number, key: number, index: number, pae: boolean, entry: number): void {
    let allowed: number;
    if (type === ShadowPageType.FL1_32) allowed = propagator.splinter(key * 1024 + index);
    else if (type === ShadowPageType.FL1_PAE) allowed = propagator.splinter(key * 512 + index);
    else if (pae) allowed = propagator.leaf(p2m.readWord(key, index * 2), p2m.readWord(key, index * 2 + 1));
    else allowed = propagator.leaf(p2m.readWord(key, index), 0);
    if (allowed === 0) problems.push(`entries: ${where} has no guest entry`);
    else if (allowed >>> 12 !== entry >>> 12)
      problems.push(`entries: ${where} maps another frame than ${hex(allowed)}`);
    if ((entry & Pte.RW) !== 0 && (allowed & Pte.RW) === 0)
      problems.push(`entries: ${where} is writable and must not be`);
    if (((entry ^ allowed) & Pte.US) !== 0) problems.push(`entries: ${where} differs in U/S from ${hex(allowed)}`);
  }

  function checkDirectory(where: string, type: number, key: number, word: number, entry: number): void {
    const child = pool.pageOf(entry >>> 12);
    const childType = child >= 0 && child < pool.pages ? pool.type[child]! : 0xff;
    if (childType === 0xff) {
      problems.push(`entries: ${where} points at no shadow page`);
      return;
    }
    if (type === ShadowPageType.BLANK) {
      if (childType !== ShadowPageType.FL1_32 || pool.key[child] !== word)
        problems.push(`entries: ${where} points at a wrong table`);
      return;
    }
    const pae = type === ShadowPageType.L2_PAE;
    const low = p2m.readWord(key, word);
    const flags = propagator.directory(low, pae ? p2m.readWord(key, word + 1) : 0, pae);
    if (flags === 0) {
      problems.push(`entries: ${where} has no guest entry`);
      return;
    }
    const large = propagator.isLarge(low, pae);
    const expectedType = large
      ? pae ? ShadowPageType.FL1_PAE : ShadowPageType.FL1_32
      : pae ? ShadowPageType.L1_PAE : ShadowPageType.L1_32; // prettier-ignore
    const expectedKey = large ? low >>> (pae ? 21 : 22) : low >>> 12;
    if (childType !== expectedType || pool.key[child] !== expectedKey)
      problems.push(`entries: ${where} points at a wrong table`);
    if ((entry & Pte.RW) !== 0 && (flags & Pte.RW) === 0)
      problems.push(`entries: ${where} is writable and must not be`);
    if (((entry ^ flags) & Pte.US) !== 0) problems.push(`entries: ${where} differs in U/S`);
  }

  let listed = 0;
  for (let gfn = 0; gfn < p2m.gfns; gfn++) {
    for (let slot = pool.frameHead[gfn]!; slot !== NIL; slot = pool.next[slot]!) {
      listed++;
      const entry = pool.low(slot);
      if (entry === 0 || p2m.gfnOf[entry >>> 12] !== gfn)
        problems.push(`reverse map: slot ${slot} of frame ${hex(gfn)} maps ${hex(entry)}`);
      if (listed > leaves) break;
    }
    for (let type: number = ShadowPageType.L1_32; type <= ShadowPageType.L2_PAE; type++) {
      if (((pool.tableTypes[gfn]! >>> type) & 1) === 1 && pool.find(type, gfn) === NIL) {
        problems.push(`hash: frame ${hex(gfn)} is marked as a table of type ${type} without a shadow`);
      }
    }
  }
  if (listed !== leaves) problems.push(`reverse map: ${listed} entries listed, ${leaves} exist`);
  let ups = 0;
  for (let page = 0; page < pool.pages; page++) {
    for (let slot = pool.upHead[page]!; slot !== NIL && ups <= directoryEntries; slot = pool.next[slot]!) {
      ups++;
      if (pool.pageOf(pool.low(slot) >>> 12) !== page)
        problems.push(`up-pointers: slot ${slot} does not point at page ${page}`);
    }
  }
  if (ups !== directoryEntries) problems.push(`up-pointers: ${ups} listed, ${directoryEntries} exist`);
  return problems;
};
