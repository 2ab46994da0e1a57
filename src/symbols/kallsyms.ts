// The symbol table that a Linux kernel carries inside itself (CONFIG_KALLSYMS): found in memory by its shape alone, without knowing
// where the kernel is, so a stripped or relocated (KASLR) kernel has its names too. Addresses are those at which the kernel runs.
// Not the table of a file (symbol-table.ts). The layout is that of scripts/kallsyms.c, from Linux 2.6.10 on, for 32-bit kernels:
//
//   before 6.4:  addresses | offsets, relative base; count; names; markers; [sequence numbers;] tokens; token index
//   from 6.4:    count; names; markers; tokens; token index; offsets, relative base; [sequence numbers]
//
// Names are lists of tokens, the first character being nm's letter; a marker is the place of every 256th name.

export interface KernelSymbol {
  readonly name: string;
  /** Linear address in the running kernel; a number that is none for the letter `A`. */
  readonly address: number;
  /** nm's letter, as /proc/kallsyms shows it. */
  readonly letter: string;
}

const ALIGNMENT = 4;
const TOKENS = 256;
const NAMES_PER_MARKER = 256;
/** A kernel has more than this; fewer is an accident. */
const LEAST_SYMBOLS = 256;
const MOST_SYMBOLS = 1 << 22;
/** KSYM_NAME_LEN is 128 before Linux 6.1 and 512 since: no name has more tokens. */
const LONGEST_NAME = 512;
const LONGEST_TOKEN = 512;
/** From the first symbol to the last, in bytes: tells offsets from addresses. */
const LARGEST_IMAGE = 0x2000_0000;
/** Sequence numbers, three bytes a symbol, stand between markers and tokens in Linux 6.2 and 6.3. */
const BYTES_PER_SEQUENCE = 3;

const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const DIGITS = DIGIT_9 - DIGIT_0 + 1;
const isDigit = (byte: number): boolean => byte >= DIGIT_0 && byte <= DIGIT_9;
const aligned = (at: number): number => (at + ALIGNMENT - 1) & -ALIGNMENT;

/**
 * Looks through physical memory for the table. The kernel's image has to be contiguous there, as it is on x86.
 * @returns symbols in the table's order (by address in all kernels since 4.6), or undefined if there is none.
 */
export const findKallsyms = (memory: Uint8Array): KernelSymbol[] | undefined => {
  for (let from = 0; ;) {
    const digits = findDigits(memory, from);
    if (digits < 0) return undefined;
    const found = new KallsymsReader(memory).readAround(digits);
    if (found !== undefined) return found;
    from = digits + 1;
  }
};

/**
 * What of memory is looked at together, on each side of the tokens: what they take themselves, what most kernels' tables take, and far more than
 * any's. What looks like tokens mostly is none.
 */
const AROUND = [64 << 10, 3 << 20, 24 << 20] as const;
const WINDOW = 1 << 20;
const PAGE = 4096;

/**
 * The same for memory that is read piece by piece, so that a large guest need not be copied as a whole.
 * @param read copies from a physical address; how many bytes from the start are memory
 * @param from where to begin, at the start of a page; the search ends where memory does
 */
export const findKallsymsIn = (
  read: (physical: number, into: Uint8Array) => number,
  from: number,
): KernelSymbol[] | undefined => {
  const window = new Uint8Array(WINDOW);
  for (let start = from; ;) {
    const mapped = read(start, window);
    for (let digits = -1; (digits = findDigits(window.subarray(0, mapped), digits + 1)) >= 0;) {
      const place = start + digits;
      for (const bytes of AROUND) {
        // What is aligned in memory has to be so in the copy.
        const first = Math.max(from, place - bytes - (place % PAGE));
        const around = new Uint8Array(place + bytes - first);
        const reader = new KallsymsReader(around.subarray(0, read(first, around)));
        if (!reader.hasTokens(place - first)) break;
        const found = reader.readAround(place - first);
        if (found !== undefined) return found;
      }
    }
    if (mapped < WINDOW) return undefined;
    // Tokens that lie across the end are whole in the next window.
    start += WINDOW - 2 * DIGITS;
  }
};

/**
 * Where the tokens "0" to "9" stand one behind the other: characters that names use are always their own tokens. -1: nowhere.
 * Of the twenty bytes every second is NUL, so that looking at every sixteenth place finds them all.
 */
const findDigits = (memory: Uint8Array, from: number): number => {
  const step = 2 * DIGITS - 4;
  for (let at = Math.max(from, 0); at + 1 < memory.length; at += step) {
    const first = memory[at]!;
    const second = memory[at + 1]!;
    const digit = first === 0 && isDigit(second) ? at + 1 : second === 0 && isDigit(first) ? at : -1;
    if (digit < 0) continue;
    const start = digit - 2 * (memory[digit]! - DIGIT_0);
    if (start >= from && hasDigits(memory, start)) return start;
  }
  return -1;
};

const hasDigits = (memory: Uint8Array, start: number): boolean => {
  for (let i = 0; i < DIGITS; i++)
    if (memory[start + 2 * i] !== DIGIT_0 + i || memory[start + 2 * i + 1] !== 0) return false;
  return true;
};

/** Reads one table, step by step outwards from its tokens; every step checks what the one before has assumed. */
class KallsymsReader {
  private readonly view: DataView;

  constructor(private readonly memory: Uint8Array) {
    this.view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  }

  /** @param digits where the token "0" is. */
  hasTokens(digits: number): boolean {
    return this.tokens(digits) !== undefined;
  }
  /** @param digits where the token "0" is. */
  readAround(digits: number): KernelSymbol[] | undefined {
    const tokens = this.tokens(digits);
    if (tokens === undefined) return undefined;
    for (const markers of this.markers(tokens.start)) {
      const names = this.names(markers);
      if (names === undefined) continue;
      const { count, countAt } = names;
      const addresses =
        this.offsetsBefore(countAt, count) ?? this.offsetsAt(tokens.end, count) ?? this.addressesBefore(countAt, count);
      if (addresses === undefined) continue;
      return this.symbols(names, tokens.texts, addresses);
    }
    return undefined;
  }

  /** The 256 tokens, and the index behind them that has to agree. */
  private tokens(digits: number): { start: number; end: number; texts: string[] } | undefined {
    const { memory } = this;
    let end = digits;
    for (let i = DIGIT_0; i < TOKENS; i++) {
      const nul = memory.indexOf(0, end);
      if (nul < 0 || nul - end > LONGEST_TOKEN) return undefined;
      end = nul + 1;
    }
    const index = aligned(end);
    if (index + 2 * TOKENS > memory.length) return undefined;
    const offset = (i: number): number => this.view.getUint16(index + 2 * i, true);
    const start = digits - offset(DIGIT_0);
    if (start < 0 || start % ALIGNMENT !== 0 || offset(0) !== 0) return undefined;
    const texts: string[] = [];
    const latin1 = new TextDecoder('latin1');
    for (let i = 0, at = start; i < TOKENS; i++) {
      if (at !== start + offset(i)) return undefined;
      const nul = memory.indexOf(0, at);
      texts.push(latin1.decode(memory.subarray(at, nul)));
      at = nul + 1;
    }
    return { start, end: aligned(index + 2 * TOKENS), texts };
  }

  /** Lists of markers before the tokens: from zero, each 256 names further. The nearest first. */
  private *markers(tokens: number): Generator<{ start: number; count: number }> {
    const nearest = tokens - ALIGNMENT;
    const farthest = Math.max(0, tokens - BYTES_PER_SEQUENCE * MOST_SYMBOLS);
    for (let start = nearest; start >= farthest; start -= ALIGNMENT) {
      if (this.view.getUint32(start, true) !== 0) continue;
      let count = 1;
      for (let last = 0, at = start + ALIGNMENT; at < tokens; at += ALIGNMENT, count++) {
        const marker = this.view.getUint32(at, true);
        // A name has its length and at least one token.
        if (marker < last + 2 * NAMES_PER_MARKER || marker > last + (LONGEST_NAME + 2) * NAMES_PER_MARKER) break;
        last = marker;
      }
      if (count > LEAST_SYMBOLS / NAMES_PER_MARKER) yield { start, count };
    }
  }

  /** The names before those markers: the count is before them, and walking over them meets every marker and ends where they begin. */
  private names(markers: { start: number; count: number }): Names | undefined {
    const last = this.view.getUint32(markers.start + ALIGNMENT * (markers.count - 1), true);
    const nearest = (markers.start - last) & -ALIGNMENT;
    const farthest = Math.max(ALIGNMENT, nearest - (LONGEST_NAME + 2) * NAMES_PER_MARKER);
    for (let start = nearest; start >= farthest; start -= ALIGNMENT) {
      const count = this.view.getUint32(start - ALIGNMENT, true);
      if (Math.ceil(count / NAMES_PER_MARKER) !== markers.count) continue;
      const names = { start, count, countAt: start - ALIGNMENT };
      if (this.walks(names, markers.start)) return names;
    }
    return undefined;
  }

  private walks({ start, count }: Names, markers: number): boolean {
    let at = start;
    for (let i = 0; i < count; i++) {
      if (i % NAMES_PER_MARKER === 0) {
        const marker = this.view.getUint32(markers + ALIGNMENT * (i / NAMES_PER_MARKER), true);
        if (marker !== at - start) return false;
      }
      const length = this.nameLength(at);
      at += length.bytes + length.tokens;
      if (length.tokens === 0 || at > markers) return false;
    }
    // What is aligned to four may be aligned to eight for a later field.
    return markers - at < 2 * ALIGNMENT;
  }

  /** One byte, or two of seven bits, the low ones first (Linux 6.1 and later). */
  private nameLength(at: number): { tokens: number; bytes: 1 | 2 } {
    const first = this.memory[at]!;
    return (first & 0x80) === 0
      ? { tokens: first, bytes: 1 }
      : { tokens: (first & 0x7f) | (this.memory[at + 1]! << 7), bytes: 2 };
  }

  /** Linux 4.6 to 6.3: offsets and their base end in front of the count. */
  private offsetsBefore(countAt: number, count: number): Uint32Array | undefined {
    const base = countAt - ALIGNMENT;
    return this.relative(base - ALIGNMENT * count, count, base);
  }
  /** From 6.4: offsets and their base follow the token index. */
  private offsetsAt(start: number, count: number): Uint32Array | undefined {
    return this.relative(start, count, start + ALIGNMENT * count);
  }
  /** Older ones: addresses in front of the count. That they end far from where they begin tells them from a filled page. */
  private addressesBefore(countAt: number, count: number): Uint32Array | undefined {
    const addresses = this.ascending(countAt - ALIGNMENT * count, count);
    const spread = addresses === undefined ? 0 : addresses[count - 1]! - addresses[0]!;
    return addresses !== undefined && spread > count && isKernel(addresses[count >> 1]!) ? addresses : undefined;
  }

  private relative(start: number, count: number, baseAt: number): Uint32Array | undefined {
    const offsets = this.ascending(start, count);
    if (offsets === undefined || baseAt + ALIGNMENT > this.memory.length) return undefined;
    const base = this.view.getUint32(baseAt, true);
    const last = offsets[count - 1]!;
    if (offsets[0] !== 0 || last <= count || last > LARGEST_IMAGE || !isKernel(base)) return undefined;
    return offsets.map((offset) => base + offset);
  }
  private ascending(start: number, count: number): Uint32Array | undefined {
    if (start < 0 || start + ALIGNMENT * count > this.memory.length) return undefined;
    const words = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      words[i] = this.view.getUint32(start + ALIGNMENT * i, true);
      if (i > 0 && words[i]! < words[i - 1]!) return undefined;
    }
    return words;
  }

  private symbols({ start, count }: Names, tokens: readonly string[], addresses: Uint32Array): KernelSymbol[] {
    const symbols: KernelSymbol[] = [];
    let at = start;
    for (let i = 0; i < count; i++) {
      const length = this.nameLength(at);
      at += length.bytes;
      let text = '';
      for (const end = at + length.tokens; at < end; at++) text += tokens[this.memory[at]!]!;
      symbols.push({ name: text.slice(1), letter: text.slice(0, 1), address: addresses[i]! });
    }
    return symbols;
  }
}

interface Names {
  readonly start: number;
  readonly count: number;
  readonly countAt: number;
}

/** Kernels run in the upper part of the address space: at 1 GiB at the lowest (VMSPLIT_1G). */
const isKernel = (address: number): boolean => address >>> 30 !== 0;
