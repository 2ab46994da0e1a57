// A piece of a fuzz case's memory under construction. Not what goes into it (scene.ts, page-tables.ts).

/** A page or so of memory under construction. */
export class Block {
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  constructor(
    readonly address: number,
    length: number,
  ) {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
  }
  u16(at: number, value: number): void {
    this.view.setUint16(at, value, true);
  }
  u32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }
  set(at: number, bytes: ArrayLike<number>): void {
    this.bytes.set(bytes, at);
  }
}
