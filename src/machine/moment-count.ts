// How many events fell on one moment, the last at which there were any. Moments are counts of cycles or instructions below 2^53. The numbers can lie in
// linear memory, where translated code counts on (translate/fault-function.ts). Not what is counted, nor what follows from it.

/** Words: the moment in two halves, and the count. */
export const MOMENT_WORDS = 4;
export const MomentCountWord = { moment: 0, count: 8 } as const;

const TWO_32 = 0x1_0000_0000;

export class MomentCount {
  constructor(private readonly words: Uint32Array = new Uint32Array(MOMENT_WORDS)) {}

  get moment(): number {
    return this.words[1]! * TWO_32 + this.words[0]!;
  }
  get count(): number {
    return this.words[2]!;
  }
  set(moment: number, count: number): void {
    this.words[0] = moment;
    this.words[1] = Math.floor(moment / TWO_32);
    this.words[2] = count;
  }
  /** Events at a moment. */
  at(moment: number): number {
    return moment === this.moment ? this.count : 0;
  }
  /** One more. How many there were before it. */
  add(moment: number): number {
    const before = this.at(moment);
    this.set(moment, before + 1);
    return before;
  }
}
