// A VGA as far as text mode needs it: the register files of CRT controller, sequencer, graphics and attribute controllers and DAC,
// and the text on the screen. Not a picture: planes, write modes and graphics modes have no effect. Text memory is ordinary RAM at
// B8000h that the caller reads for us. IBM VGA/XGA Technical Reference, section 2; FreeVGA (register layout).

import type { Clock } from '../clock.ts';
import { fromCodePage437 } from './code-page-437.ts';
import type { Device } from './device.ts';

const CRTC_REGISTERS = 0x19;
const Crtc = {
  VERTICAL_TOTAL: 0x06,
  OVERFLOW: 0x07,
  MAXIMUM_SCAN_LINE: 0x09,
  CURSOR_START: 0x0a,
  CURSOR_END: 0x0b,
  START_HIGH: 0x0c,
  START_LOW: 0x0d,
  CURSOR_HIGH: 0x0e,
  CURSOR_LOW: 0x0f,
  VERTICAL_RETRACE_END: 0x11,
  VERTICAL_DISPLAY_END: 0x12,
  OFFSET: 0x13,
} as const;

/** Register values the VGA BIOS sets for mode 3: 80x25 text, 9x16 cells, 720x400 at 70 Hz. */
const MODE_3_CRTC = [
  0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f,
  0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
] as const;
const MODE_3_SEQUENCER = [0x03, 0x00, 0x03, 0x00, 0x02] as const;
const MODE_3_GRAPHICS = [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff] as const;
const MODE_3_ATTRIBUTE = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f,
  0x08, 0x00,
] as const;
const MODE_3_MISCELLANEOUS = 0x67;

/** Horizontal line 31.778 us, 449 lines a frame: 70.087 Hz. */
const LINE_CYCLES = 31_778;
const LINES_A_FRAME = 449;
const VISIBLE_LINES = 400;
const RETRACE_FIRST_LINE = 412;
const RETRACE_LINES = 2;
/** 720 of 900 dots of a line are visible. */
const VISIBLE_LINE_CYCLES = 25_422;

const DAC_BYTES = 3 * 256;
const SCALARS = 13;
const STATE_WORDS = SCALARS + CRTC_REGISTERS + 5 + 9 + 21 + DAC_BYTES;

const MEMORY_MAPS = [
  { base: 0xa0000, bytes: 0x20000 },
  { base: 0xa0000, bytes: 0x10000 },
  { base: 0xb0000, bytes: 0x8000 },
  { base: 0xb8000, bytes: 0x8000 },
] as const;

const PORT_NAMES: Readonly<Record<number, readonly [read: string, write: string]>> = {
  0x00: ['attribute index', 'attribute index/data'],
  0x01: ['attribute data', 'attribute data'],
  0x02: ['input status 0', 'miscellaneous output'],
  0x03: ['VGA enable', 'VGA enable'],
  0x04: ['sequencer index', 'sequencer index'],
  0x05: ['sequencer data', 'sequencer data'],
  0x06: ['pixel mask', 'pixel mask'],
  0x07: ['DAC state', 'DAC read index'],
  0x08: ['DAC write index', 'DAC write index'],
  0x09: ['DAC data', 'DAC data'],
  0x0a: ['feature control', 'unused'],
  0x0c: ['miscellaneous output', 'unused'],
  0x0e: ['graphics index', 'graphics index'],
  0x0f: ['graphics data', 'graphics data'],
  0x14: ['CRTC index', 'CRTC index'],
  0x15: ['CRTC data', 'CRTC data'],
  0x1a: ['input status 1', 'feature control'],
};

/** Offsets are ports minus 3C0h: 3C0h-3CFh, 3D4h-3D5h and 3DAh (the colour addresses). */
export class VgaText implements Device {
  readonly name = 'vga';
  private readonly crtc = new Uint8Array(CRTC_REGISTERS);
  private readonly sequencer = new Uint8Array(5);
  private readonly graphics = new Uint8Array(9);
  private readonly attribute = new Uint8Array(21);
  /** Red, green, blue of 256 colours, 6 bits each. */
  private readonly dac = new Uint8Array(DAC_BYTES);
  private crtcIndex = 0;
  private sequencerIndex = 0;
  private graphicsIndex = 0;
  /** Bit 5: the palette belongs to the screen, not to the processor. */
  private attributeIndex = 0x20;
  /** The next write to 3C0h is data. */
  private attributeData = false;
  private miscellaneous = MODE_3_MISCELLANEOUS;
  private feature = 0;
  private enabled = 1;
  private pixelMask = 0xff;
  private dacRead = 0;
  private dacWrite = 0;
  /** Colour component of the next access to DAC data. */
  private dacComponent = 0;
  /** The last index was written for reading. */
  private dacReading = false;

  constructor(private readonly clock: Clock) {
    this.reset();
  }

  read(offset: number): number {
    switch (offset) {
      case 0x00:
        return this.attributeIndex;
      case 0x01:
        return this.attribute[this.attributeIndex & 0x1f] ?? 0;
      case 0x02:
        // Bit 4: the monitor is sensed.
        return 0x10;
      case 0x03:
        return this.enabled;
      case 0x04:
        return this.sequencerIndex;
      case 0x05:
        return this.sequencer[this.sequencerIndex] ?? 0;
      case 0x06:
        return this.pixelMask;
      case 0x07:
        return this.dacReading ? 3 : 0;
      case 0x08:
        return this.dacWrite;
      case 0x09:
        return this.readDac();
      case 0x0a:
        return this.feature;
      case 0x0c:
        return this.miscellaneous;
      case 0x0e:
        return this.graphicsIndex;
      case 0x0f:
        return this.graphics[this.graphicsIndex] ?? 0;
      case 0x14:
        return this.crtcIndex;
      case 0x15:
        return this.crtc[this.crtcIndex] ?? 0;
      case 0x1a:
        this.attributeData = false;
        return this.inputStatus1;
      default:
        return 0xff;
    }
  }

  write(offset: number, _size: number, value: number): void {
    switch (offset) {
      case 0x00:
        if (this.attributeData) this.writeAttribute(value);
        else this.attributeIndex = value & 0x3f;
        this.attributeData = !this.attributeData;
        break;
      case 0x02:
        this.miscellaneous = value;
        break;
      case 0x03:
        this.enabled = value & 1;
        break;
      case 0x04:
        this.sequencerIndex = value & 7;
        break;
      case 0x05:
        if (this.sequencerIndex < 5) this.sequencer[this.sequencerIndex] = value;
        break;
      case 0x06:
        this.pixelMask = value;
        break;
      case 0x07:
        this.dacRead = value;
        this.dacComponent = 0;
        this.dacReading = true;
        break;
      case 0x08:
        this.dacWrite = value;
        this.dacComponent = 0;
        this.dacReading = false;
        break;
      case 0x09:
        this.writeDac(value);
        break;
      case 0x0e:
        this.graphicsIndex = value & 0xf;
        break;
      case 0x0f:
        if (this.graphicsIndex < 9) this.graphics[this.graphicsIndex] = value;
        break;
      case 0x14:
        this.crtcIndex = value & 0x3f;
        break;
      case 0x15:
        this.writeCrtc(value);
        break;
      case 0x1a:
        this.feature = value & 3;
        break;
      default:
        break;
    }
  }

  private writeAttribute(value: number): void {
    const index = this.attributeIndex & 0x1f;
    // The palette can be written only while the screen does not own it.
    if (index < 0x10 && this.attributeIndex & 0x20) return;
    if (index < 21) this.attribute[index] = value & (index < 0x10 ? 0x3f : 0xff);
  }
  private writeCrtc(value: number): void {
    const index = this.crtcIndex;
    if (index >= CRTC_REGISTERS) return;
    const locked = (this.crtc[Crtc.VERTICAL_RETRACE_END]! & 0x80) !== 0;
    if (!locked || index > Crtc.OVERFLOW) this.crtc[index] = value;
    // Bit 4 of the overflow register, the line compare's, is never locked.
    else if (index === Crtc.OVERFLOW) this.crtc[index] = (this.crtc[index]! & ~0x10) | (value & 0x10);
  }
  private readDac(): number {
    const value = this.dac[3 * this.dacRead + this.dacComponent]!;
    this.dacComponent = (this.dacComponent + 1) % 3;
    if (this.dacComponent === 0) this.dacRead = (this.dacRead + 1) & 0xff;
    return value;
  }
  private writeDac(value: number): void {
    this.dac[3 * this.dacWrite + this.dacComponent] = value & 0x3f;
    this.dacComponent = (this.dacComponent + 1) % 3;
    if (this.dacComponent === 0) this.dacWrite = (this.dacWrite + 1) & 0xff;
  }

  /** Bit 0: no pixel is being displayed. Bit 3: vertical retrace. */
  private get inputStatus1(): number {
    const inFrame = this.clock.now % (LINE_CYCLES * LINES_A_FRAME);
    const line = Math.floor(inFrame / LINE_CYCLES);
    const retrace = line >= RETRACE_FIRST_LINE && line < RETRACE_FIRST_LINE + RETRACE_LINES;
    const blank = line >= VISIBLE_LINES || inFrame - line * LINE_CYCLES >= VISIBLE_LINE_CYCLES;
    return (retrace ? 8 : 0) | (blank ? 1 : 0);
  }

  /** Characters a line and lines of the screen, from the CRTC. */
  get size(): { readonly columns: number; readonly rows: number } {
    const overflow = this.crtc[Crtc.OVERFLOW]!;
    const lastLine = this.crtc[Crtc.VERTICAL_DISPLAY_END]! | ((overflow & 2) << 7) | ((overflow & 0x40) << 3);
    const height = (this.crtc[Crtc.MAXIMUM_SCAN_LINE]! & 0x1f) + 1;
    const rows = Math.floor((lastLine + 1) / height);
    return { columns: this.crtc[1]! + 1, rows: Math.min(Math.max(rows, 1), 100) };
  }
  private get start(): number {
    return (this.crtc[Crtc.START_HIGH]! << 8) | this.crtc[Crtc.START_LOW]!;
  }
  /** Characters from one line to the next in text memory. */
  private get pitch(): number {
    return this.crtc[Crtc.OFFSET]! * 2;
  }
  /** Where the cursor is, counted from 0, or undefined if it is switched off or outside the screen. */
  get cursor(): { readonly row: number; readonly column: number } | undefined {
    const { columns, rows } = this.size;
    const first = this.crtc[Crtc.CURSOR_START]!;
    if (first & 0x20 || (first & 0x1f) > (this.crtc[Crtc.CURSOR_END]! & 0x1f) || this.pitch === 0) return undefined;
    const at = (((this.crtc[Crtc.CURSOR_HIGH]! << 8) | this.crtc[Crtc.CURSOR_LOW]!) - this.start) & 0xffff;
    const row = Math.floor(at / this.pitch);
    const column = at % this.pitch;
    return row < rows && column < columns ? { row, column } : undefined;
  }

  /**
   * The text on the screen: lines joined by \n without trailing blanks, 25 of them in mode 3. Empty in graphics modes.
   * @param read8 a byte of the physical memory of whoever owns this adapter.
   */
  text(read8: (physical: number) => number): string {
    const miscellaneous = this.graphics[6]!;
    if (miscellaneous & 1) return '';
    const { base, bytes } = MEMORY_MAPS[((miscellaneous >> 2) & 3) as 0 | 1 | 2 | 3];
    const { columns, rows } = this.size;
    const lines: string[] = [];
    for (let row = 0; row < rows; row++) {
      let line = '';
      for (let column = 0; column < columns; column++) {
        const cell = this.start + row * this.pitch + column;
        line += fromCodePage437(read8(base + ((cell * 2) & (bytes - 1))));
      }
      lines.push(line.trimEnd());
    }
    return lines.join('\n');
  }

  registerName(offset: number, write: boolean): string {
    return PORT_NAMES[offset]?.[write ? 1 : 0] ?? `3${(0xc0 + offset).toString(16).toUpperCase()}h`;
  }

  /** As after the VGA BIOS has set mode 3. */
  reset(): void {
    this.crtc.set(MODE_3_CRTC);
    this.sequencer.set(MODE_3_SEQUENCER);
    this.graphics.set(MODE_3_GRAPHICS);
    this.attribute.set(MODE_3_ATTRIBUTE);
    this.dac.fill(0);
    // The 64 colours of the EGA: two bits a component, the low one at bits 3-5, the high one at bits 0-2 (blue, green, red).
    for (let colour = 0; colour < 64; colour++) {
      for (let component = 0; component < 3; component++) {
        const bit = 2 - component;
        this.dac[3 * colour + component] = ((colour >> bit) & 1) * 0x2a + ((colour >> (bit + 3)) & 1) * 0x15;
      }
    }
    this.crtcIndex = 0;
    this.sequencerIndex = 0;
    this.graphicsIndex = 0;
    this.attributeIndex = 0x20;
    this.attributeData = false;
    this.miscellaneous = MODE_3_MISCELLANEOUS;
    this.feature = 0;
    this.enabled = 1;
    this.pixelMask = 0xff;
    this.dacRead = 0;
    this.dacWrite = 0;
    this.dacComponent = 0;
    this.dacReading = false;
  }
  saveState(): number[] {
    return [
      this.crtcIndex,
      this.sequencerIndex,
      this.graphicsIndex,
      this.attributeIndex,
      Number(this.attributeData),
      this.miscellaneous,
      this.feature,
      this.enabled,
      this.pixelMask,
      this.dacRead,
      this.dacWrite,
      this.dacComponent,
      Number(this.dacReading),
      ...this.crtc,
      ...this.sequencer,
      ...this.graphics,
      ...this.attribute,
      ...this.dac,
    ];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== STATE_WORDS) throw new Error(`vga: state of ${state.length} words, ${STATE_WORDS} expected`);
    this.crtcIndex = state[0]!;
    this.sequencerIndex = state[1]!;
    this.graphicsIndex = state[2]!;
    this.attributeIndex = state[3]!;
    this.attributeData = state[4] === 1;
    this.miscellaneous = state[5]!;
    this.feature = state[6]!;
    this.enabled = state[7]!;
    this.pixelMask = state[8]!;
    this.dacRead = state[9]!;
    this.dacWrite = state[10]!;
    this.dacComponent = state[11]!;
    this.dacReading = state[12] === 1;
    let at = SCALARS;
    for (const file of [this.crtc, this.sequencer, this.graphics, this.attribute, this.dac]) {
      file.set(state.slice(at, at + file.length));
      at += file.length;
    }
  }
}
