// Which instructions that the hypervisor has executed are still decoded: by EIP and mode, with the bytes that they were decoded from. The
// bytes are fetched anew each time and compared, as the hypervisor's guest may have written them. Not the decoding (code-cache.ts).

import { MAX_LENGTH } from '../isa/decode.ts';

const SLOTS = 256;
/** A slot's words: EIP, mode, entry (0: seen once, not kept), how many bytes. */
const EIP = 0;
const MODE = 1;
const ENTRY = 2;
const LENGTH = 3;
const WORDS = 4;
const ROOM = MAX_LENGTH + 1;

export class EmulatedCode {
  private readonly slots = new Int32Array(SLOTS * WORDS);
  private readonly bytes = new Uint8Array(SLOTS * ROOM);
  /** The slot of the instruction at hand, how to fetch it, and how many bytes the decoder asked for. */
  private slot = 0;
  private fetch: (i: number) => number = () => -1;
  private fetched = 0;
  private seen = false;

  /** Entries are gone. */
  clear(): void {
    this.slots.fill(0);
  }

  /** The entry of the instruction at an EIP, if its bytes are what they were; else 0. */
  find(eip: number, mode: number, fetch: (i: number) => number): number {
    const slot = (eip ^ (eip >>> 8)) & (SLOTS - 1);
    const at = slot * WORDS;
    const { slots, bytes } = this;
    this.slot = slot;
    this.seen = slots[at + EIP] === (eip | 0) && slots[at + MODE] === mode && slots[at + LENGTH] !== 0;
    const entry = slots[at + ENTRY]!;
    if (!this.seen || entry === 0) return 0;
    const length = slots[at + LENGTH]!;
    for (let i = 0; i < length; i++) {
      if (fetch(i) === bytes[slot * ROOM + i]) continue;
      this.seen = false;
      return 0;
    }
    return entry;
  }

  /** The instruction that was not found is about to be decoded through `byte`. */
  begin(fetch: (i: number) => number): void {
    this.slots[this.slot * WORDS + LENGTH] = 0;
    this.fetch = fetch;
    this.fetched = 0;
  }
  readonly byte = (i: number): number => {
    const value = this.fetch(i);
    if (i >= ROOM) return value;
    this.bytes[this.slot * ROOM + i] = value;
    if (i >= this.fetched) this.fetched = i + 1;
    return value;
  };

  /**
   * It was decoded to `entry`. True if it is to be kept: one that comes once, as most in real mode do, is not worth the room. Decoding may have
   * cleared everything for want of room: the slot is written whole.
   */
  keeps(eip: number, mode: number, entry: number): boolean {
    const at = this.slot * WORDS;
    this.slots[at + EIP] = eip;
    this.slots[at + MODE] = mode;
    this.slots[at + ENTRY] = this.seen ? entry : 0;
    this.slots[at + LENGTH] = this.fetched;
    return this.seen;
  }
}
