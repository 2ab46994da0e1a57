// Xen's trace records and windows as bytes: headers, cycle words, CPU_CHANGE records. Not what is written when (xentrace.ts).
// Xen's public/trace.h; the file is what `xentrace` writes: windows, each a CPU_CHANGE record and one processor's records.

/** Event numbers: class 27:16, subclass 15:12, minor 11:0. */
export const Xen = {
  LOST_RECORDS: 0x1f001,
  CPU_CHANGE: 0x1f003,
  /** Or with old state « 8 and new state « 4. */
  RUNSTATE_CHANGE: 0x21001,
  VMENTRY: 0x81001,
  VMEXIT: 0x81002,
  PF_XEN: 0x82001,
  PF_INJECT: 0x82002,
  INJ_EXC: 0x82003,
  INJ_VIRQ: 0x82004,
  REINJ_VIRQ: 0x82005,
  CR_READ: 0x82008,
  CR_WRITE: 0x82009,
  DR_READ: 0x8200a,
  DR_WRITE: 0x8200b,
  MSR_READ: 0x8200c,
  MSR_WRITE: 0x8200d,
  CPUID: 0x8200e,
  INTR: 0x8200f,
  NMI: 0x82010,
  VMMCALL: 0x82012,
  HLT: 0x82013,
  INVLPG: 0x82014,
  IOPORT_READ: 0x82016,
  IOPORT_WRITE: 0x82216,
  IOMEM_READ: 0x82017,
  IOMEM_WRITE: 0x82217,
  CLTS: 0x82018,
  LMSW: 0x82019,
  RDTSC: 0x8201a,
  INTR_WINDOW: 0x82020,
  TRAP: 0x82023,
  TRAP_DEBUG: 0x82024,
  /** Plus the outcome, and (guest paging levels - 2) « 8. */
  SHADOW: 0x40f000,
} as const;

const CYCLES = 0x8000_0000;
const WINDOW_BYTES = 0x2_0000;

/** Writes one processor's records. Cycles must not go back. */
export class XenWriter {
  private words = new Uint32Array(0x1_0000);
  private used = 0;
  private windowAt = -1;

  /** With the time. */
  timed(event: number, cycles: number, ...words: number[]): void {
    this.room(3 + words.length);
    this.push(((event | (words.length << 28)) >>> 0) + CYCLES);
    // To xenalyze time 0 is no time: it would not count an exit that a guest takes on its first instruction.
    const time = cycles + 1;
    this.push(time);
    this.push(Math.floor(time / 0x1_0000_0000));
    for (const word of words) this.push(word);
  }

  /** Without: the reader takes the time of the record before. */
  plain(event: number, ...words: number[]): void {
    this.room(1 + words.length);
    this.push((event | (words.length << 28)) >>> 0);
    for (const word of words) this.push(word);
  }

  finish(): Uint8Array {
    this.closeWindow();
    return new Uint8Array(this.words.buffer, 0, this.used * 4);
  }

  private room(count: number): void {
    if (this.windowAt >= 0 && (this.used - this.windowAt) * 4 >= WINDOW_BYTES) this.closeWindow();
    if (this.used + count + 3 > this.words.length) {
      const larger = new Uint32Array(this.words.length * 2);
      larger.set(this.words);
      this.words = larger;
    }
    if (this.windowAt < 0) {
      this.windowAt = this.used;
      this.push(Xen.CPU_CHANGE | (2 << 28));
      this.push(0);
      this.push(0);
    }
  }
  private closeWindow(): void {
    if (this.windowAt >= 0) this.words[this.windowAt + 2] = (this.used - this.windowAt - 3) * 4;
    this.windowAt = -1;
  }
  private push(word: number): void {
    this.words[this.used++] = word;
  }
}
