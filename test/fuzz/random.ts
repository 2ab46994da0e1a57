// A seeded source of numbers for the fuzzer: sfc32, whose sequence is the same on every host. Not Math.random: a seed is a case.

export class Random {
  private a: number;
  private b: number;
  private c = 0x9e3779b9 | 0;
  private d = 1;

  /** @param stream distinguishes independent sequences of one seed */
  constructor(seed: number, stream = 0) {
    this.a = seed | 0;
    this.b = (Math.imul(stream + 1, 0x85ebca6b) ^ Math.floor(seed / 0x1_0000_0000)) | 0;
    for (let i = 0; i < 12; i++) this.u32();
  }

  u32(): number {
    const t = (((this.a + this.b) | 0) + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + t;
    return t >>> 0;
  }
  /** 0 to n - 1. */
  below(n: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * n);
  }
  /** first to last, both included. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
  bytes(count: number): number[] {
    return Array.from({ length: count }, () => this.below(256));
  }
  /** A number as tests like them: small, a power of two or near it, near the ends, or any. */
  interesting(): number {
    switch (this.below(6)) {
      case 0:
        return this.below(16);
      case 1:
        return ((1 << this.below(32)) + this.between(-1, 1)) >>> 0;
      case 2:
        return -this.below(17) >>> 0;
      case 3:
        return this.below(0x10000);
      default:
        return this.u32();
    }
  }
}
