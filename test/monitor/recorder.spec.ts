// Masks, records, their way into the store in batches and the account of what was lost.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatOperand } from '../../src/monitor/codes.ts';
import { EVENT_BY_NUMBER, EVENTS, idsOf, Kind, MASK_ALL, MASK_NONE, maskOf } from '../../src/monitor/events.ts';
import * as record from '../../src/monitor/record.ts';
import { Recorder } from '../../src/monitor/recorder.ts';
import { CHUNK_RECORDS, EventStore } from '../../src/monitor/store.ts';
import { exitInformation, madeUpRun, Point } from './synthetic.ts';

const W = record.RECORD_WORDS;

/** Every method of the observer, and the kind that it records. */
const METHODS: readonly (readonly [string, (r: Recorder) => void])[] = [
  ['vmx.exit', (r) => r.vmExit(10, exitInformation({ instructionLength: 2 }))],
  ['vmx.entry', (r) => r.vmEntry(0, 1, 2, 3, 4)],
  ['vmx.entry_fail', (r) => r.vmEntryFailure(33, 1, 2, 3)],
  ['vmx.insn', (r) => r.vmxInstruction(23, -1, 1, 2, 3)],
  ['vmx.ctl_change', (r) => r.controlChange(1, 2, 3, 4)],
  ['vmx.handler', (r) => r.handler(10, 0, 1, 2, 3, 4)],
  ['mem.guest_pf', (r) => r.guestPageFault(1, 2, 0)],
  ['shadow.fault', (r) => r.shadowFault(1, 2, 6, 4, 5)],
  ['shadow.entry_set', (r) => r.shadowEntrySet(1, 2, 3, 4, 5, 0)],
  ['shadow.pt_write', (r) => r.guestTableWrite(1, 2, 3, 4, 4)],
  ['shadow.page', (r) => r.shadowPage(0, 1, 2, 3)],
  ['shadow.promote', (r) => r.shadowPromote(1, 2, 3)],
  ['shadow.demote', (r) => r.shadowDemote(1, 2, 3)],
  ['shadow.wrmap', (r) => r.shadowWrmap(1, 0, 2, 1)],
  ['mem.cr3', (r) => r.cr3Load(1, 2, 3)],
  ['mem.cr', (r) => r.crLoad(0, 1, 2, 0)],
  ['mem.tlb', (r) => r.tlbFlush(0, 1, 2)],
  ['mem.mmio', (r) => r.mmio(1, 2, 4, 1, 5)],
  ['irq.line', (r) => r.irqLine(1, 1, 0, 0)],
  ['pic.cmd', (r) => r.picCommand(0, 1, 2)],
  ['pic.intack', (r) => r.picIntack(1, 2, 0)],
  ['pic.eoi', (r) => r.picEoi(0, 1, 0)],
  ['pit.program', (r) => r.pitProgram(0, 2, 3, 4)],
  ['pit.tick', (r) => r.pitTick(0, 0)],
  ['irq.assist', (r) => r.assist(1, 2, 1, 0)],
  ['irq.window_req', (r) => r.windowRequest(1, 1)],
  ['irq.window_exit', (r) => r.windowExit(1, 2)],
  ['irq.inject', (r) => r.inject(0x8000_0020, 0, 0, 1, 0)],
  ['irq.reinject', (r) => r.reinject(1, 2, 3)],
  ['exc.guest', (r) => r.guestException(14, 1, 2, 0)],
  ['sched.runstate', (r) => r.runState(0, 2)],
  ['dom.create', (r) => r.domainCreate(1, 2)],
  ['dom.shutdown', (r) => r.domainShutdown(1, 0)],
  ['hcall', (r) => r.hypercall(48, 1, 2, -1, 4)],
  ['io.pio', (r) => r.portIo(0x20, 1, 1, 2, 0, 1)],
  ['mon.hypercall', (r) => r.monitorCall(0, 0, 0)],
  ['guest.marker', (r) => r.marker(1, 2, 3, 4, 5)],
  ['run.start', (r) => r.runStart()],
  ['run.stop', (r) => r.runStop(0)],
  ['run.input', (r) => r.runInput(0, 1, 2)],
  ['run.hash', (r) => r.runHash(1, 2, 3, 4)],
];

const kinds = (r: Recorder): string[] => {
  const { records } = r.records(0, 1e9);
  return Array.from({ length: records.length / W }, (_, i) => EVENT_BY_NUMBER[record.kindAt(records, i * W)]!.id);
};

describe('event kinds', () => {
  it('have numbers below 64, each once, and at most five operands', () => {
    assert.equal(new Set(EVENTS.map((e) => e.number)).size, EVENTS.length);
    for (const e of EVENTS) {
      assert.ok(e.number >= 0 && e.number < 64, e.id);
      assert.ok(e.operands.length <= record.OPERANDS, e.id);
    }
  });
  it('have an instrumentation point each: no dead rows', () => {
    const made = new Set([...METHODS.map(([id]) => id), 'vmx.exit.info', 'mon.config', 'mon.highwater', 'mon.lost']);
    assert.deepEqual(
      EVENTS.map((e) => e.id).filter((id) => !made.has(id)),
      [],
    );
  });
  it('are found by id, group, prefix, all and none; other names are given back', () => {
    assert.deepEqual(maskOf(['all']), { mask: MASK_ALL, unknown: [] });
    assert.deepEqual(maskOf(['none']), { mask: MASK_NONE, unknown: [] });
    assert.deepEqual(idsOf(maskOf(['pit', 'hcall']).mask), ['pit.program', 'pit.tick', 'hcall']);
    assert.deepEqual(maskOf(['device', 'vmx.exot']).unknown, ['vmx.exot']);
    fc.assert(
      fc.property(fc.subarray(EVENTS.map((e) => e.id)), (ids) => {
        // vmx.exit brings the second record of the same event along.
        const expected = new Set(ids.includes('vmx.exit') ? [...ids, 'vmx.exit.info'] : ids);
        assert.deepEqual(new Set(idsOf(maskOf(ids).mask)), expected);
      }),
    );
  });
  it('read as text', () => {
    assert.equal(formatOperand('reason', 10), 'CPUID');
    assert.equal(formatOperand('shadow', 6), 'fixup');
    assert.equal(formatOperand('event', 0x8000_0b0e), 'hardware exception 0x0e with error code');
    assert.equal(formatOperand('assist-blocker', 1), 'if clear');
    assert.equal(formatOperand('demote', 99), '99');
    assert.equal(formatOperand('signed', 0xffff_ffda), '-38');
    for (const e of EVENTS)
      for (const o of e.operands) assert.notEqual(formatOperand(o.format, 0), '', `${e.id} ${o.name}`);
  });
});

describe('Recorder', () => {
  for (const [id, call] of METHODS) {
    it(`records ${id} under exactly its own bit`, () => {
      const point = new Point();
      const only = new Recorder(point, { mask: maskOf([id]).mask });
      call(only);
      assert.deepEqual(
        kinds(only).filter((kind) => kind !== `${id}.info`),
        [id],
      );
      const { mask } = maskOf([id]);
      const others = { low: (MASK_ALL.low & ~mask.low) >>> 0, high: (MASK_ALL.high & ~mask.high) >>> 0 };
      const without = new Recorder(point, { mask: others });
      call(without);
      assert.deepEqual(kinds(without), []);
      const off = new Recorder(point, { mask: MASK_ALL });
      off.enabled = false;
      call(off);
      assert.deepEqual(kinds(off), []);
    });
  }

  it('writes the point and the operands, whatever their size', () => {
    const word = fc.integer({ min: 0, max: 0xffff_ffff });
    fc.assert(
      fc.property(
        fc.record({
          icount: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
          cycles: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
          domain: fc.nat(255),
          vcpu: fc.nat(255),
          eip: word,
          cr3: word,
          cpl: fc.nat(3),
        }),
        fc.tuple(word, word, word, word, word),
        (at, operands) => {
          const r = new Recorder(at, { mask: MASK_ALL, batch: 2 });
          r.marker(...operands);
          const { records, first, next } = r.records(0, 10);
          assert.deepEqual([first, next], [0, 1]);
          assert.equal(record.kindAt(records, 0), Kind['guest.marker']);
          assert.equal(record.domainAt(records, 0), at.domain);
          assert.equal(record.vcpuAt(records, 0), at.vcpu);
          assert.equal(record.icountAt(records, 0), at.icount);
          assert.equal(record.cyclesAt(records, 0), at.cycles);
          assert.equal(record.eipAt(records, 0), at.eip);
          assert.equal(record.cr3At(records, 0), at.cr3);
          assert.equal(record.cplAt(records, 0), at.cpl);
          assert.deepEqual(
            [0, 1, 2, 3, 4].map((i) => record.operandAt(records, 0, i)),
            operands,
          );
        },
      ),
    );
  });

  it('is never charged to the guest: the recorder writes nothing into the point', () => {
    const point = Object.freeze(new Point());
    const r = new Recorder(point, { mask: MASK_ALL, batch: 2 });
    for (const [, call] of METHODS) call(r);
    assert.equal(kinds(r).length, METHODS.length);
  });

  it('gives an exit a second record only if there is more to say, and marks the first', () => {
    const r = new Recorder(new Point(), { mask: MASK_ALL });
    r.vmExit(30, exitInformation({ qualification: 1, instructionLength: 2 }));
    r.vmExit(
      48,
      exitInformation({
        qualification: 1,
        guestLinear: 0xc000_0000,
        guestPhysical: 0x1234,
        idtVectoringInfo: 0x8000_0b0e,
        idtVectoringError: 2,
        instructionLength: 3,
        instructionInfo: 4,
      }),
    );
    assert.deepEqual(kinds(r), ['vmx.exit', 'vmx.exit', 'vmx.exit.info']);
    const { records } = r.records(0, 3);
    assert.deepEqual(
      [0, W, 2 * W].map((at) => record.continuedAt(records, at)),
      [false, true, false],
    );
    assert.deepEqual([...records.subarray(2 * W + 7)], [0xc000_0000, 0x1234, 0x8000_0b0e, 2, 4]);
  });

  it('records a change of the mask, and counts exits under any mask', () => {
    const r = new Recorder(new Point(), { mask: maskOf(['mon.config']).mask });
    r.mask = maskOf(['vmx.exit']).mask;
    r.vmExit(10, exitInformation({ instructionLength: 2 }));
    r.mask = MASK_NONE;
    r.vmExit(10, exitInformation({ instructionLength: 2 }));
    r.vmEntry(0, 0, 0, 0, 1000);
    assert.deepEqual(kinds(r), ['mon.config', 'vmx.exit']);
    assert.deepEqual(
      r.metrics.exits().map((e) => [e.reason, e.count, e.cycles]),
      [[10, 2, 1000]],
    );
  });

  it('keeps the order and every record across batches of any size, reads in between or not', () => {
    const reference = new Recorder(new Point(), { mask: MASK_ALL, batch: 100_000 });
    madeUpRun(reference, reference['point'] as Point, 300, 5);
    const expected = reference.records(0, 1e9).records;
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 300 }), fc.array(fc.nat(300), { maxLength: 20 }), (size, reads) => {
        const point = new Point();
        const r = new Recorder(point, { mask: MASK_ALL, batch: size });
        const stops = new Set(reads);
        const original = point.pass.bind(point);
        let step = 0;
        point.pass = (n: number, idle?: number) => {
          if (stops.has(step++)) r.flush();
          original(n, idle);
        };
        madeUpRun(r, point, 300, 5);
        assert.deepEqual(r.records(0, 1e9).records, expected);
      }),
      { numRuns: 25 },
    );
  });
});

describe('loss', () => {
  it('is counted exactly, with its interval, and stands in the stream once there is room', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 5000 }), (lost, after) => {
        const store = new EventStore(1);
        assert.equal(store.capacity, CHUNK_RECORDS);
        const point = new Point();
        const r = new Recorder(point, { mask: maskOf(['guest.marker', 'mon']).mask, store });
        const mark = (n: number): void => {
          for (let i = 0; i < n; i++) {
            point.pass(1);
            r.marker(point.icount, 0, 0, 0, 0);
          }
        };
        mark(CHUNK_RECORDS / 2);
        r.flush(); // now mon.highwater
        mark(CHUNK_RECORDS / 2 - 1);
        assert.deepEqual(r.counts(), { recorded: CHUNK_RECORDS, lost: 0, bytes: CHUNK_RECORDS * 48 });
        mark(lost);
        assert.equal(r.counts().lost, lost);
        const [open] = store.lostIntervals();
        assert.deepEqual(
          [open!.count, open!.firstIcount, open!.lastIcount, open!.sequence],
          [lost, CHUNK_RECORDS, CHUNK_RECORDS - 1 + lost, CHUNK_RECORDS],
        );
        store.release(CHUNK_RECORDS);
        mark(after);
        const { records, first } = r.records(0, 1e9);
        assert.equal(first, CHUNK_RECORDS);
        assert.equal(records.length / W, 1 + after);
        assert.equal(record.kindAt(records, 0), Kind['mon.lost']);
        assert.equal(record.operandAt(records, 0, 0), lost);
        assert.equal(record.operandAt(records, 0, 1), CHUNK_RECORDS);
        assert.equal(record.operandAt(records, W, 0), CHUNK_RECORDS + lost);
        assert.equal(store.lost, lost);
        assert.equal(store.lostIntervals().length, 1);
        assert.equal(store.countOf(Kind['mon.highwater']), 1);
      }),
      { numRuns: 10 },
    );
  });
});
