// The observer that records: tests the mask and has one record written (record-writer.ts), two where an exit has more to say.
// It allocates nothing per event, charges nothing to the guest and changes nothing that the guest or the hypervisor can see.
// Not the table of kinds (events.ts). One method an instrumentation point, in the order of hypervisor/observer.ts.

import type { ExitInformation, HypervisorObserver } from '../hypervisor/observer.ts';
import type { Persistent, StateArray } from '../machine/snapshot.ts';
import { packAccess, packLead, packSlot } from './codes.ts';
import { type EventMask, Kind, MASK_NONE } from './events.ts';
import type { MetricsSaved } from './metrics.ts';
import { CONTEXT_CONTINUED, RECORD_BYTES, Word } from './record.ts';
import { type ObservationPoint, type RecordPlaces, RecordWriter, type WriterOptions } from './record-writer.ts';
import type { RecordSlice } from './store.ts';

export type { ObservationPoint } from './record-writer.ts';

export interface RecorderOptions extends WriterOptions {
  /** Kinds recorded. Default: none. */
  readonly mask?: EventMask;
}

const bit = (kind: number): number => 1 << (kind & 31);

export interface RecorderSaved {
  readonly made: number;
  readonly places: RecordPlaces;
  readonly mask: EventMask;
  readonly running: boolean;
  readonly metrics: MetricsSaved;
}

export class Recorder extends RecordWriter implements HypervisorObserver, Persistent<RecorderSaved> {
  /** The mask in force: all zero while disabled. */
  private low = 0;
  private high = 0;
  private wanted: EventMask = MASK_NONE;
  private running = true;

  constructor(point: ObservationPoint, options: RecorderOptions = {}) {
    super(point, options);
    this.wanted = options.mask ?? MASK_NONE;
    this.apply();
  }

  /** Kinds that are recorded while enabled. A change is itself an event if the old or the new mask has mon.config. */
  get mask(): EventMask {
    return this.wanted;
  }
  set mask(mask: EventMask) {
    const old = this.wanted;
    this.wanted = { low: mask.low >>> 0, high: mask.high >>> 0 };
    const config = bit(Kind['mon.config']);
    if (this.running && ((old.high | this.wanted.high) & config) !== 0) {
      this.put(Kind['mon.config'], old.low, old.high, this.wanted.low, this.wanted.high, 0);
    }
    this.apply();
  }
  get enabled(): boolean {
    return this.running;
  }
  set enabled(enabled: boolean) {
    this.running = enabled;
    this.apply();
  }
  protected override get tellsHighWater(): boolean {
    return (this.high & bit(Kind['mon.highwater'])) !== 0;
  }

  /** Records made and kept, records lost, bytes of those kept. */
  counts(): { readonly recorded: number; readonly lost: number; readonly bytes: number } {
    this.flush();
    return { recorded: this.store.next, lost: this.store.lost, bytes: this.store.next * RECORD_BYTES };
  }
  /** Up to `limit` records from sequence number `from` on, a copy. */
  records(from: number, limit: number): RecordSlice {
    this.flush();
    return this.store.slice(from, limit);
  }
  /** The same, but none behind the present moment. */
  recordsSoFar(from: number, limit: number): RecordSlice {
    this.flush();
    return this.store.slice(from, Math.min(limit, this.present - from));
  }

  get stateArrays(): readonly StateArray[] {
    return this.metrics.stateArrays;
  }
  saveState(): RecorderSaved {
    return {
      made: this.made,
      places: this.places,
      mask: this.wanted,
      running: this.running,
      metrics: this.metrics.saveState(),
    };
  }
  loadState({ made, places, mask, running, metrics }: RecorderSaved): void {
    this.moveTo(made);
    this.places = places;
    this.wanted = mask;
    this.running = running;
    this.apply();
    this.metrics.loadState(metrics);
  }

  vmExit(reason: number, information: ExitInformation): void {
    this.metrics.exit(this.point.domain, this.point.vcpu, reason);
    if ((this.low & bit(Kind['vmx.exit'])) === 0) return;
    const { qualification, guestLinear, guestPhysical, intrInfo, idtVectoringInfo, instructionInfo } = information;
    const at = this.begin(Kind['vmx.exit']);
    if (at >= 0) {
      const { words } = this;
      words[at + 7] = reason;
      words[at + 8] = qualification;
      words[at + 9] = intrInfo;
      words[at + 10] = information.intrError;
      words[at + 11] = information.instructionLength;
    }
    if ((guestLinear | guestPhysical | instructionInfo) === 0 && idtVectoringInfo >>> 31 === 0) return;
    if ((this.low & bit(Kind['vmx.exit.info'])) === 0) return;
    if (at >= 0) this.words[at + Word.CONTEXT]! |= CONTEXT_CONTINUED;
    const error = information.idtVectoringError;
    this.put(Kind['vmx.exit.info'], guestLinear, guestPhysical, idtVectoringInfo, error, instructionInfo);
  }
  vmEntry(launch: number, intrInfo: number, intrError: number, length: number, hypervisorCycles: number): void {
    this.metrics.entry(this.point.domain, this.point.vcpu, hypervisorCycles);
    if ((this.low & bit(Kind['vmx.entry'])) === 0) return;
    this.put(Kind['vmx.entry'], launch, intrInfo, intrError, length, hypervisorCycles);
  }
  vmEntryFailure(reason: number, qualification: number, error: number, field: number): void {
    if ((this.low & bit(Kind['vmx.entry_fail'])) === 0) return;
    this.put(Kind['vmx.entry_fail'], reason, qualification, error, field, 0);
  }
  vmxInstruction(reason: number, result: number, field: number, oldValue: number, newValue: number): void {
    if ((this.low & bit(Kind['vmx.insn'])) === 0) return;
    this.put(Kind['vmx.insn'], reason, result, field, oldValue, newValue);
  }
  controlChange(field: number, oldValue: number, newValue: number, cause: number): void {
    if ((this.low & bit(Kind['vmx.ctl_change'])) === 0) return;
    this.put(Kind['vmx.ctl_change'], field, oldValue, newValue, cause, 0);
  }
  handler(reason: number, outcome: number, cycles: number, detail0: number, detail1: number, detail2: number): void {
    if ((this.low & bit(Kind['vmx.handler'])) === 0) return;
    this.put(Kind['vmx.handler'], packLead(reason, outcome), cycles, detail0, detail1, detail2);
  }

  guestPageFault(linear: number, error: number, how: number): void {
    this.metrics.guestPageFault(this.point.domain);
    if ((this.low & bit(Kind['mem.guest_pf'])) === 0) return;
    this.put(Kind['mem.guest_pf'], linear, error, how, 0, 0);
  }
  shadowFault(linear: number, error: number, outcome: number, guestEntry: number, flags: number): void {
    this.metrics.shadowFault(this.point.domain, outcome);
    if ((this.low & bit(Kind['shadow.fault'])) === 0) return;
    this.put(Kind['shadow.fault'], linear, error, outcome, guestEntry, flags);
  }
  shadowEntrySet(frame: number, level: number, index: number, oldEntry: number, newEntry: number, cause: number): void {
    if ((this.low & bit(Kind['shadow.entry_set'])) === 0) return;
    this.put(Kind['shadow.entry_set'], frame, packSlot(level, index, cause), oldEntry, newEntry, 0);
  }
  guestTableWrite(gfn: number, offset: number, oldEntry: number, newEntry: number, bytes: number): void {
    this.metrics.tableWrite(this.point.domain);
    if ((this.low & bit(Kind['shadow.pt_write'])) === 0) return;
    this.put(Kind['shadow.pt_write'], gfn, offset, oldEntry, newEntry, bytes);
  }
  shadowPage(action: number, type: number, gfn: number, frame: number): void {
    if ((this.low & bit(Kind['shadow.page'])) === 0) return;
    this.put(Kind['shadow.page'], action, type, gfn, frame, 0);
  }
  shadowPromote(gfn: number, type: number, removed: number): void {
    if ((this.low & bit(Kind['shadow.promote'])) === 0) return;
    this.put(Kind['shadow.promote'], gfn, type, removed, 0, 0);
  }
  shadowDemote(gfn: number, type: number, trigger: number): void {
    if ((this.low & bit(Kind['shadow.demote'])) === 0) return;
    this.put(Kind['shadow.demote'], gfn, type, trigger, 0, 0);
  }
  shadowWrmap(gfn: number, how: number, removed: number, flushed: number): void {
    if ((this.low & bit(Kind['shadow.wrmap'])) === 0) return;
    this.put(Kind['shadow.wrmap'], gfn, how, removed, flushed, 0);
  }
  cr3Load(oldValue: number, newValue: number, flags: number): void {
    if ((this.low & bit(Kind['mem.cr3'])) === 0) return;
    this.put(Kind['mem.cr3'], oldValue, newValue, flags, 0, 0);
  }
  crLoad(cr: number, oldValue: number, newValue: number, how: number): void {
    if ((this.low & bit(Kind['mem.cr'])) === 0) return;
    this.put(Kind['mem.cr'], cr, oldValue, newValue, how, 0);
  }
  tlbFlush(scope: number, linear: number, dropped: number): void {
    if ((this.low & bit(Kind['mem.tlb'])) === 0) return;
    this.put(Kind['mem.tlb'], scope, linear, dropped, 0, 0);
  }
  mmio(physical: number, linear: number, size: number, write: number, value: number): void {
    this.metrics.io(this.point.domain);
    if ((this.low & bit(Kind['mem.mmio'])) === 0) return;
    this.put(Kind['mem.mmio'], physical, linear, packAccess(size, write, 0), value, 0);
  }

  irqLine(line: number, level: number, coalesced: number, masked: number): void {
    this.metrics.line(line, level, coalesced);
    if ((this.low & bit(Kind['irq.line'])) === 0) return;
    this.put(Kind['irq.line'], line, level, coalesced, masked, 0);
  }
  picCommand(chip: number, command: number, value: number): void {
    if ((this.low & bit(Kind['pic.cmd'])) === 0) return;
    this.put(Kind['pic.cmd'], chip, command, value, 0, 0);
  }
  picIntack(irq: number, vector: number, spurious: number): void {
    this.metrics.intack(spurious);
    if ((this.low & bit(Kind['pic.intack'])) === 0) return;
    this.put(Kind['pic.intack'], irq, vector, spurious, 0, 0);
  }
  picEoi(chip: number, irq: number, how: number): void {
    if ((this.low & bit(Kind['pic.eoi'])) === 0) return;
    this.put(Kind['pic.eoi'], chip, irq, how, 0, 0);
  }
  pitProgram(channel: number, mode: number, reload: number, periodCycles: number): void {
    if ((this.low & bit(Kind['pit.program'])) === 0) return;
    this.put(Kind['pit.program'], channel, mode, reload, periodCycles, 0);
  }
  pitTick(channel: number, missed: number): void {
    if ((this.low & bit(Kind['pit.tick'])) === 0) return;
    this.put(Kind['pit.tick'], channel, missed, 0, 0, 0);
  }
  assist(source: number, vector: number, decision: number, blocker: number): void {
    if ((this.low & bit(Kind['irq.assist'])) === 0) return;
    this.put(Kind['irq.assist'], source, vector, decision, blocker, 0);
  }
  windowRequest(source: number, blocker: number): void {
    if ((this.low & bit(Kind['irq.window_req'])) === 0) return;
    this.put(Kind['irq.window_req'], source, blocker, 0, 0, 0);
  }
  windowExit(source: number, waitedCycles: number): void {
    this.metrics.window(waitedCycles);
    if ((this.high & bit(Kind['irq.window_exit'])) === 0) return;
    this.put(Kind['irq.window_exit'], source, waitedCycles, 0, 0, 0);
  }
  inject(info: number, error: number, line: number, queuedCycles: number, merged: number): void {
    this.metrics.inject(this.point.domain, info, queuedCycles, merged);
    if ((this.high & bit(Kind['irq.inject'])) === 0) return;
    this.put(Kind['irq.inject'], info, error, line, queuedCycles, merged);
  }
  reinject(idtVectoringInfo: number, idtVectoringError: number, reason: number): void {
    if ((this.high & bit(Kind['irq.reinject'])) === 0) return;
    this.put(Kind['irq.reinject'], idtVectoringInfo, idtVectoringError, reason, 0, 0);
  }
  guestException(vector: number, error: number, address: number, how: number): void {
    if ((this.high & bit(Kind['exc.guest'])) === 0) return;
    this.put(Kind['exc.guest'], vector, error, address, how, 0);
  }

  portIo(port: number, size: number, write: number, value: number, string: number, count: number): void {
    this.metrics.io(this.point.domain);
    if ((this.high & bit(Kind['io.pio'])) === 0) return;
    this.put(Kind['io.pio'], port, packAccess(size, write, string), value, count, 0);
  }
  hypercall(number: number, argument0: number, argument1: number, result: number, cycles: number): void {
    this.metrics.hypercall(this.point.domain);
    if ((this.high & bit(Kind.hcall)) === 0) return;
    this.put(Kind.hcall, number, argument0, argument1, result, cycles);
  }
  runState(oldState: number, newState: number): void {
    if ((this.high & bit(Kind['sched.runstate'])) === 0) return;
    this.put(Kind['sched.runstate'], oldState, newState, 0, 0, 0);
  }
  domainCreate(domain: number, memoryKib: number): void {
    if ((this.high & bit(Kind['dom.create'])) === 0) return;
    this.put(Kind['dom.create'], domain, memoryKib, 0, 0, 0);
  }
  domainShutdown(domain: number, reason: number): void {
    if ((this.high & bit(Kind['dom.shutdown'])) === 0) return;
    this.put(Kind['dom.shutdown'], domain, reason, 0, 0, 0);
  }
  marker(id: number, word0: number, word1: number, word2: number, word3: number): void {
    if ((this.high & bit(Kind['guest.marker'])) === 0) return;
    this.put(Kind['guest.marker'], id, word0, word1, word2, word3);
  }
  runStart(): void {
    if ((this.high & bit(Kind['run.start'])) === 0) return;
    this.put(Kind['run.start'], 0, 0, 0, 0, 0);
  }
  runStop(reason: number): void {
    if ((this.high & bit(Kind['run.stop'])) === 0) return;
    this.put(Kind['run.stop'], reason, 0, 0, 0, 0);
  }
  runInput(kind: number, bytes: number, first: number): void {
    if ((this.high & bit(Kind['run.input'])) === 0) return;
    this.put(Kind['run.input'], kind, bytes, first, 0, 0);
  }
  runHash(word0: number, word1: number, word2: number, word3: number): void {
    if ((this.high & bit(Kind['run.hash'])) === 0) return;
    this.put(Kind['run.hash'], word0, word1, word2, word3, 0);
  }

  /** observe_op was called (observe-op.ts tells). */
  monitorCall(subop: number, result: number, address: number): void {
    if ((this.high & bit(Kind['mon.hypercall'])) === 0) return;
    this.put(Kind['mon.hypercall'], subop, result, address, 0, 0);
  }

  private apply(): void {
    this.low = this.running ? this.wanted.low | 0 : 0;
    this.high = this.running ? this.wanted.high | 0 : 0;
  }
}
