// A guest that consists of page tables and accesses: shadow paging on one side, a plain machine on the other, and the TLB in between.
// Each access checks that the processor gets through the shadow what the guest's own tables grant. Not the sequences (shadow*.spec.ts).

import assert from 'node:assert/strict';
import { Bus } from '../../src/machine/bus.ts';
import { auditShadows } from '../../src/hypervisor/shadow/audit.ts';
import { GuestAccess } from '../../src/hypervisor/shadow/guest-access.ts';
import { FaultAction, ShadowPaging, type ShadowOptions } from '../../src/hypervisor/shadow/paging.ts';
import { P2m } from '../../src/hypervisor/p2m.ts';
import { FakeMachine } from './fake-machine.ts';
import { ReferenceMemory, translate, walkShadow, type ReferenceMode } from './paging-reference.ts';

export const GUEST_FRAMES = 64;
const FIRST_GUEST_MFN = 100;
const POOL_MFN = 200;
export class ShadowRig {
  readonly machine = new FakeMachine((POOL_MFN + 300) * 4096);
  readonly p2m: P2m;
  readonly shadow: ShadowPaging;
  readonly access: GuestAccess;
  readonly reference = new ReferenceMemory(GUEST_FRAMES);
  readonly mode: ReferenceMode = {
    paging: false,
    pae: false,
    pse: true,
    wp: true,
    cr3: 0x1000,
    pdptes: [0, 0, 0, 0, 0, 0, 0, 0],
  };
  /** Translations that the processor may still have: linear page * 2 + user, to frame and rights. */
  readonly tlb = new Map<number, { mfn: number; writable: boolean; global: boolean }>();
  granted = 0;
  refused = 0;
  emulated = 0;

  constructor(poolPages: number, options: ShadowOptions) {
    this.p2m = new P2m(this.machine, GUEST_FRAMES, new Bus());
    for (let gfn = 0; gfn < GUEST_FRAMES; gfn++) this.p2m.set(gfn, FIRST_GUEST_MFN + ((gfn * 7) % GUEST_FRAMES));
    this.shadow = new ShadowPaging(this.machine, this.p2m, POOL_MFN, poolPages, POOL_MFN - 1, options);
    this.access = new GuestAccess(this.shadow, this.p2m);
    this.shadow.mode.cr3 = this.mode.cr3;
    this.shadow.mode.pse = true;
    this.shadow.mode.wp = true;
    this.shadow.mode.pge = true;
    this.machine.flushGuestTlb = (globals) => {
      for (const [page, entry] of this.tlb) if (globals || !entry.global) this.tlb.delete(page);
    };
    this.machine.invalidateGuestPage = (linear) => {
      this.tlb.delete((linear >>> 12) * 2);
      this.tlb.delete((linear >>> 12) * 2 + 1);
    };
    assert.ok(this.shadow.changeMode(false));
  }

  private hardware(va: number, write: boolean, user: boolean) {
    const memory = this.machine.memory;
    return walkShadow((pa) => memory.read32(pa), this.shadow.shadowCr3, this.shadow.shadowIsPae, va, write, user);
  }

  /** Before each return to the guest. */
  enter(): void {
    this.shadow.tables.flushIfNeeded();
    for (const [page, entry] of this.tlb) {
      const gfn = this.p2m.gfnOf[entry.mfn]!;
      if (entry.writable)
        assert.equal(
          this.shadow.pool.tableTypes[gfn],
          0,
          `TLB entry of page ${page >> 1} lets the guest write to a page table`,
        );
    }
  }

  /** One 4-byte access by the guest, aligned. */
  touch(va: number, write: boolean, user: boolean, value: number): void {
    const expected = translate(this.reference, this.mode, va, write, user);
    if (expected.ok && write) this.reference.write(expected.gfn * 4096 + (va & 0xfff), value);
    for (let round = 0; ; round++) {
      assert.ok(round < 4, `the access to ${va.toString(16)} never ends`);
      this.enter();
      const real = this.hardware(va, write, user);
      if (real.mfn >= 0) {
        assert.ok(expected.ok, `the shadow grants ${va.toString(16)}, the guest does not`);
        assert.equal(real.mfn, this.p2m.mfnOf[expected.gfn], 'wrong frame');
        if (write) this.machine.memory.write32(real.mfn * 4096 + (va & 0xfff), value);
        this.tlb.set((va >>> 12) * 2 + (user ? 1 : 0), real);
        this.granted++;
        return;
      }
      const action = this.shadow.fault(va, real.error);
      if (action === FaultAction.RESUME) continue;
      if (action === FaultAction.INJECT) {
        assert.ok(!expected.ok, `the shadow refuses ${va.toString(16)} (error ${real.error}), the guest does not`);
        assert.equal(this.shadow.walker.error, expected.error);
        this.refused++;
        return;
      }
      assert.notEqual(action, FaultAction.NO_MEMORY);
      assert.ok(expected.ok);
      if (action === FaultAction.EMULATE_MMIO) assert.ok(expected.gfn >= GUEST_FRAMES);
      this.access.begin();
      if (write) assert.ok(this.access.write(va, 4, value, user));
      else this.access.read(va, 4, user);
      assert.equal(this.access.faultVector, -1);
      this.emulated++;
      return;
    }
  }

  /** A store to guest memory by physical address, as through some mapping that is not looked at. */
  store(gfn: number, word: number, value: number): void {
    this.reference.write(gfn * 4096 + word * 4, value);
    this.p2m.writeWord(gfn, word, value);
    if (this.shadow.isTable(gfn) && !this.shadow.noteTableWrite(gfn, word * 4, 4, value))
      this.shadow.validate(gfn, word * 4, 4);
  }

  loadCr3(value: number): void {
    const old = this.mode.cr3;
    if (this.mode.paging && this.mode.pae && !this.loadPdptes(value)) return;
    this.mode.cr3 = value;
    this.shadow.mode.cr3 = value;
    if (this.mode.paging) assert.ok(this.shadow.loadCr3(old));
  }

  private loadPdptes(cr3: number): boolean {
    const words = Array.from({ length: 8 }, (_, i) => this.reference.read(cr3 + i * 4));
    const valid = [0, 2, 4, 6].every((i) => (words[i]! & 1) === 0 || ((words[i]! & 0x1e6) === 0 && words[i + 1] === 0));
    assert.equal(this.shadow.walker.loadPdptes(cr3), valid);
    if (valid) this.mode.pdptes = words;
    return valid;
  }

  setMode(change: Partial<Pick<ReferenceMode, 'paging' | 'pae' | 'pse' | 'wp'>>): void {
    const next = { ...this.mode, ...change };
    if (next.paging && next.pae && (!this.mode.paging || !this.mode.pae) && !this.loadPdptes(next.cr3)) return;
    const drop = next.pse !== this.mode.pse;
    Object.assign(this.mode, change);
    Object.assign(this.shadow.mode, change);
    assert.ok(this.shadow.changeMode(drop));
  }

  check(): void {
    assert.deepEqual(auditShadows(this.shadow, this.p2m), []);
    const memory = this.machine.memory;
    for (let gfn = 0; gfn < GUEST_FRAMES; gfn++) {
      const first = (memory.ramBase + this.p2m.mfnOf[gfn]! * 4096) >>> 2;
      for (let word = 0; word < 1024; word++) {
        if (memory.u32[first + word] !== this.reference.words[gfn * 1024 + word]) {
          assert.fail(
            `frame ${gfn} word ${word}: ${memory.u32[first + word]!.toString(16)}, plain machine ${this.reference.words[gfn * 1024 + word]!.toString(16)}`,
          );
        }
      }
    }
  }
}
