// Bytes that the guest sends out, kept until somebody takes them. Not the device they come from (machine/devices). When a past that was left is
// run again, its bytes are not given out again.

import type { Persistent } from '../machine/snapshot.ts';

export class OutputLine implements Persistent<number> {
  private bytes: number[] = [];
  /** Bytes sent up to the present moment, and up to the newest that was. */
  private sent = 0;
  private sentEver = 0;

  readonly push = (byte: number): void => {
    if (this.sent++ < this.sentEver) return;
    this.sentEver = this.sent;
    this.bytes.push(byte);
  };

  /** What came since the last call. */
  take(): Uint8Array {
    const taken = Uint8Array.from(this.bytes);
    this.bytes = [];
    return taken;
  }

  /** What comes behind the present moment is another future than the one that was. */
  beginFuture(): void {
    this.bytes.length = Math.max(0, this.bytes.length - (this.sentEver - this.sent));
    this.sentEver = this.sent;
  }

  /** What was given out stays so: that is no state. */
  saveState(): number {
    return this.sent;
  }
  loadState(sent: number): void {
    this.sent = sent;
  }
}
