// Bytes that the guest sends out, kept until somebody takes them. Not the device they come from (machine/devices).

export class OutputLine {
  private bytes: number[] = [];

  readonly push = (byte: number): void => void this.bytes.push(byte);

  /** What came since the last call. */
  take(): Uint8Array {
    const taken = Uint8Array.from(this.bytes);
    this.bytes = [];
    return taken;
  }
}
