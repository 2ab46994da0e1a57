// Call frame information: CIEs and FDEs of .debug_frame (DWARF 5, 6.4.1) and .eh_frame (Linux Standard Base 5, 10.6). Which FDE holds an
// address; not what its instructions say (frame-rows.ts). Addresses are the file's own.
import { RangeIndex } from './range-index.ts';
import type { Range } from './ranges.ts';
import { Reader } from './reader.ts';

export interface Cie {
  readonly codeAlignment: number;
  readonly dataAlignment: number;
  /** DWARF's number of the register that stands for the return address. */
  readonly returnRegister: number;
  readonly instructions: Uint8Array;
  readonly addressSize: number;
  /** DW_EH_PE of addresses in its FDEs. */
  readonly encoding: number;
  readonly hasLength: boolean;
  /** Its frames are not called but interrupted: their address is that of the next instruction, not behind a call. */
  readonly signalFrame: boolean;
}

export interface Fde extends Range {
  readonly cie: Cie;
  readonly instructions: Uint8Array;
}

const DW_EH_PE = { pcrel: 0x10, aligned: 0x50, omit: 0xff } as const;

export class FrameTable {
  #index: RangeIndex<Fde> | undefined;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly kind: 'debug_frame' | 'eh_frame',
    /** Where the section is loaded: what relative addresses count from. */
    private readonly sectionAddress: number,
    private readonly problems: string[],
  ) {}

  find(address: number): Fde | undefined {
    return (this.#index ??= this.#read()).at(address)[0];
  }

  /** All FDEs, as they stand in the file. */
  #read(): RangeIndex<Fde> {
    const found: { range: Range; value: Fde }[] = [];
    const cies = new Map<number, Cie | undefined>();
    const reader = new Reader(this.bytes);
    while (reader.more) {
      const start = reader.position;
      const { end, offsetSize, damaged } = reader.unitLength();
      // A length of 0 ends .eh_frame; linkers leave more of them in between.
      if (end === reader.position && !damaged) continue;
      if (damaged) {
        this.problems.push(`the entry at 0x${start.toString(16)} of .${this.kind} is damaged`);
        break;
      }
      const entry = new Reader(this.bytes, reader.position, end);
      const idPosition = entry.position;
      const id = entry.unsigned(offsetSize);
      if (!this.#isCie(id, offsetSize)) {
        const home = this.kind === 'eh_frame' ? idPosition - id : id;
        if (!cies.has(home)) cies.set(home, this.#cieAt(home));
        const cie = cies.get(home);
        const fde = cie === undefined ? undefined : this.#fde(entry, cie);
        if (fde !== undefined) found.push({ range: fde, value: fde });
      }
      reader.position = end;
    }
    return new RangeIndex(found);
  }

  #isCie(id: number, offsetSize: number): boolean {
    if (this.kind === 'eh_frame') return id === 0;
    return offsetSize === 8 ? id >= 2 ** 63 : id === 0xffff_ffff;
  }

  #cieAt(offset: number): Cie | undefined {
    const section = new Reader(this.bytes, offset);
    const { end, offsetSize, damaged } = section.unitLength();
    const reader = new Reader(this.bytes, section.position, end);
    if (damaged || !this.#isCie(reader.unsigned(offsetSize), offsetSize)) return undefined;
    const version = reader.u8();
    if (version !== 1 && version !== 3 && version !== 4) return undefined;
    const augmentation = reader.string();
    let addressSize = 4;
    if (version >= 4) {
      addressSize = reader.u8();
      reader.u8(); // segment selector size
    }
    if (augmentation === 'eh') reader.skip(addressSize);
    const codeAlignment = reader.uleb();
    const dataAlignment = reader.sleb();
    const returnRegister = version === 1 ? reader.u8() : reader.uleb();
    let encoding = 0;
    const hasLength = augmentation.startsWith('z');
    if (hasLength) {
      const length = reader.uleb();
      const data = new Reader(this.bytes, reader.position, Math.min(end, reader.position + length));
      for (const letter of augmentation.slice(1)) {
        if (letter === 'L') data.u8();
        else if (letter === 'R') encoding = data.u8();
        else if (letter === 'P') this.#pointer(data, data.u8(), addressSize);
        // B is for other processors, S needs no data; behind a letter that is not known nothing can be read.
        else if (letter !== 'S' && letter !== 'B') break;
      }
      reader.skip(length);
    } else if (augmentation !== '' && augmentation !== 'eh') return undefined;
    if (reader.overrun) return undefined;
    return {
      codeAlignment,
      dataAlignment,
      returnRegister,
      instructions: this.bytes.subarray(reader.position, end),
      addressSize,
      encoding,
      hasLength,
      signalFrame: hasLength && augmentation.includes('S'),
    };
  }

  #fde(reader: Reader, cie: Cie): Fde | undefined {
    const start = this.#pointer(reader, cie.encoding, cie.addressSize);
    // The length has the format of the address, but counts from nothing.
    const length = this.#pointer(reader, cie.encoding & 0x0f, cie.addressSize);
    if (cie.hasLength) reader.skip(reader.uleb());
    if (start === undefined || length === undefined || reader.overrun || length === 0) return undefined;
    return { start, end: start + length, cie, instructions: this.bytes.subarray(reader.position, reader.end) };
  }

  /** An address in one of the encodings of the Linux Standard Base. Undefined for those that count from what is not known here. */
  #pointer(reader: Reader, encoding: number, addressSize: number): number | undefined {
    if (encoding === DW_EH_PE.omit) return undefined;
    if (encoding === DW_EH_PE.aligned) {
      reader.skip((4 - ((this.sectionAddress + reader.position) & 3)) & 3);
      return reader.u32();
    }
    const from = (encoding & 0x70) === DW_EH_PE.pcrel ? this.sectionAddress + reader.position : 0;
    const value = readEncoded(reader, encoding & 0x0f, addressSize);
    const known = (encoding & 0x70) === 0 || (encoding & 0x70) === DW_EH_PE.pcrel;
    return value === undefined || !known || (encoding & 0x80) !== 0 ? undefined : (from + value) >>> 0;
  }
}

/** DW_EH_PE_absptr, uleb128, udata2, udata4, udata8, sleb128, sdata2, sdata4, sdata8. */
function readEncoded(reader: Reader, format: number, addressSize: number): number | undefined {
  switch (format) {
    case 0x00:
      return reader.unsigned(addressSize);
    case 0x01:
      return reader.uleb();
    case 0x02:
      return reader.u16();
    case 0x03:
      return reader.u32();
    case 0x04:
    case 0x0c:
      return reader.u64();
    case 0x09:
      return reader.sleb();
    case 0x0a:
      return (reader.u16() << 16) >> 16;
    case 0x0b:
      return reader.u32() | 0;
    default:
      return undefined;
  }
}
