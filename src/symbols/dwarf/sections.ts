// The debug sections of one ELF file by name, inflated where they are compressed (SHF_COMPRESSED, or the older .zdebug_ names), with the relocations of
// an object file applied. A linked file has none left to apply, even where a kernel's build keeps the .rel.debug_ sections.
import { unzlibSync } from 'fflate';
import { cString, Elf, type ElfFile, type Section } from '../../machine/elf.ts';
import { relocated } from '../relocations.ts';

const ELFCOMPRESS_ZLIB = 1;
const CHDR_SIZE = 12;
const ZDEBUG_HEADER_SIZE = 12;
/** Deflate cannot do better than 1032 to 1: a larger claim is damage, and not to be allocated. */
const MAX_RATIO = 1032;
const NONE = new Uint8Array(0);

export class DebugSections {
  /** What cannot be used and why, a sentence each. */
  readonly problems: string[] = [];
  readonly #cache = new Map<string, Uint8Array>();
  readonly #strings = new Map<Uint8Array, Map<number, string>>();

  constructor(
    readonly elf: ElfFile,
    /** `.dwo` in files of that kind: it ends the names of their sections. */
    private readonly suffix: '' | '.dwo' = '',
  ) {}

  /** Contents of `.debug_NAME`; empty if it is missing or unusable. */
  get(name: string): Uint8Array {
    const known = this.#cache.get(name);
    if (known !== undefined) return known;
    const bytes = this.#read(name);
    this.#cache.set(name, bytes);
    return bytes;
  }

  /** The string at an offset of a string section, kept: units share most of theirs. */
  string(name: string, offset: number): string {
    const bytes = this.get(name);
    let strings = this.#strings.get(bytes);
    if (strings === undefined) this.#strings.set(bytes, (strings = new Map()));
    let text = strings.get(offset);
    if (text === undefined) strings.set(offset, (text = cString(bytes, offset)));
    return text;
  }

  #read(name: string): Uint8Array {
    const section = this.elf.section(`.debug_${name}${this.suffix}`);
    const old = section === undefined ? this.elf.section(`.zdebug_${name}${this.suffix}`) : undefined;
    const home = section ?? old;
    if (home === undefined) return NONE;
    const raw = this.elf.sectionBytes(home);
    if (!raw.ok) return this.#problem(raw.reason);
    return relocated(this.elf, home, this.#contents(home, raw.bytes, old !== undefined), (sentence) =>
      this.problems.push(sentence),
    );
  }

  #contents(home: Section, bytes: Uint8Array, old: boolean): Uint8Array {
    if (old) return this.#inflateOld(home, bytes);
    return (home.flags & Elf.SHF_COMPRESSED) === 0 ? bytes : this.#inflate(home, bytes);
  }

  /** Elf32_Chdr: type, size, alignment; then the data. */
  #inflate(section: Section, bytes: Uint8Array): Uint8Array {
    if (bytes.length < CHDR_SIZE)
      return this.#problem(`section ${section.name} is too short for its compression header`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const type = view.getUint32(0, true);
    if (type !== ELFCOMPRESS_ZLIB) {
      const method = type === 2 ? 'Zstandard' : `method ${type}`;
      return this.#problem(
        `section ${section.name} is compressed with ${method}, not with zlib: link with --compress-debug-sections=zlib`,
      );
    }
    return this.#unzlib(section, bytes.subarray(CHDR_SIZE), view.getUint32(4, true));
  }

  /** "ZLIB" and the size as a big-endian 64-bit number; then the data. */
  #inflateOld(section: Section, bytes: Uint8Array): Uint8Array {
    if (bytes.length < ZDEBUG_HEADER_SIZE || cString(bytes, 0, 4) !== 'ZLIB') {
      return this.#problem(`section ${section.name} does not start with its compression header`);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = view.getUint32(4) * 0x1_0000_0000 + view.getUint32(8);
    return this.#unzlib(section, bytes.subarray(ZDEBUG_HEADER_SIZE), size);
  }

  #unzlib(section: Section, packed: Uint8Array, size: number): Uint8Array {
    if (size > packed.length * MAX_RATIO) {
      return this.#problem(`section ${section.name} is damaged: ${packed.length} compressed bytes cannot hold ${size}`);
    }
    try {
      const bytes = unzlibSync(packed, { out: new Uint8Array(size) });
      if (bytes.length === size && adler32(bytes) === trailer(packed)) return bytes;
    } catch {
      // The library's way to say that the stream is damaged.
    }
    return this.#problem(`section ${section.name} is damaged: its compressed data does not inflate to ${size} bytes`);
  }

  #problem(reason: string): Uint8Array {
    this.problems.push(reason);
    return NONE;
  }
}

/** The checksum at the end of a zlib stream (RFC 1950), which the library does not verify. */
const trailer = (packed: Uint8Array): number =>
  new DataView(packed.buffer, packed.byteOffset, packed.byteLength).getUint32(packed.length - 4);

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (let at = 0; at < bytes.length;) {
    // 5552 steps are the most before a sum can pass 32 bits.
    for (const end = Math.min(at + 5552, bytes.length); at < end; at++) {
      a += bytes[at]!;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}
