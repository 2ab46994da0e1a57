// The legacy video window A0000h-BFFFFh as plain memory: what text mode needs. On the bare machine it is memory of the machine's own, which the processor
// reaches directly; under the hypervisor it is behind the bus. Not planar graphics (vga-text.ts has the registers). IBM VGA Technical Reference, "Video
// Memory Organization".

import type { StateArray } from '../snapshot.ts';
import type { Device } from './device.ts';

export const VIDEO_BASE = 0xa0000;
export const VIDEO_BYTES = 0x20000;

export class VideoMemory implements Device {
  readonly name = 'video-memory';
  readonly wide = true;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array = new Uint8Array(VIDEO_BYTES)) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, VIDEO_BYTES);
  }
  /** For snapshots, in place of `saveState`. */
  get array(): StateArray {
    return { bytes: this.bytes };
  }

  read(offset: number, size: 1 | 2 | 4): number {
    if (offset + size > VIDEO_BYTES) return 0xffffffff;
    return size === 1
      ? this.bytes[offset]!
      : size === 2
        ? this.view.getUint16(offset, true)
        : this.view.getUint32(offset, true);
  }
  write(offset: number, size: 1 | 2 | 4, value: number): void {
    if (offset + size > VIDEO_BYTES) return;
    if (size === 1) this.bytes[offset] = value;
    else if (size === 2) this.view.setUint16(offset, value, true);
    else this.view.setUint32(offset, value, true);
  }
  registerName(offset: number): string {
    return `video+0x${offset.toString(16)}`;
  }
  reset(): void {
    this.bytes.fill(0);
  }
  /** 32768 words: four bytes each. */
  saveState(): number[] {
    return [...new Uint32Array(this.bytes.buffer, this.bytes.byteOffset, VIDEO_BYTES / 4)];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== VIDEO_BYTES / 4) throw new Error('video-memory: state of the wrong length');
    new Uint32Array(this.bytes.buffer, this.bytes.byteOffset, VIDEO_BYTES / 4).set(state);
  }
}
