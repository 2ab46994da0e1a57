// The encodings that the comparison with iced-x86 goes through: all opcodes with all ModRM bytes behind chosen prefixes, and random
// combinations of prefixes. What follows the ModRM byte is random; the same on every run. Not the comparison (comparison.ts).

/** Bytes between the beginnings of encodings: more than the 15 an instruction can have. */
export const SLOT = 24;

const PREFIX_BYTES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3] as const;
/** By map: none, 0F, 0F 38, 0F 3A. */
const ESCAPES = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]] as const;
export const NO_PREFIX: readonly (readonly number[])[] = [[]];
export const SINGLE_PREFIXES: readonly (readonly number[])[] = PREFIX_BYTES.map((prefix) => [prefix]);

/** Numbers below 2^32, the same on every run. */
class Random {
  constructor(private state: number) {}
  next(): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return this.state >>> 0;
  }
  below(n: number): number {
    return this.next() % n;
  }
  /** A byte, often at the end of its range. */
  byte(): number {
    return [this.below(256), this.below(256), 0, 255][this.below(4)]!;
  }
}

/** An opcode byte that begins something else: a prefix, an escape. */
const isEscape = (map: number, opcode: number): boolean =>
  map === 0
    ? opcode === 0x0f || (PREFIX_BYTES as readonly number[]).includes(opcode)
    : map === 1 && (opcode === 0x38 || opcode === 0x3a);

const assemble = (list: readonly (readonly number[])[], random: Random): Uint8Array => {
  const code = new Uint8Array(list.length * SLOT);
  list.forEach((bytes, i) => {
    const at = i * SLOT;
    code.set(bytes, at);
    for (let k = bytes.length; k < SLOT; k++) code[at + k] = random.byte();
  });
  return code;
};

/**
 * Every opcode of the maps behind every list of prefixes. `rms`: all 256 ModRM bytes, or 32: each ModRM.mod and ModRM.reg once,
 * with a random ModRM.rm.
 */
export function* systematic(
  prefixes: readonly (readonly number[])[],
  maps: readonly number[],
  modrms: 256 | 32,
): Generator<Uint8Array> {
  const random = new Random(0x1d872b41);
  for (const before of prefixes)
    for (const map of maps) {
      const list: number[][] = [];
      for (let opcode = 0; opcode < 256; opcode++)
        if (!isEscape(map, opcode))
          for (let i = 0; i < modrms; i++) {
            const modrm = modrms === 256 ? i : (i << 3) | random.below(8);
            list.push([...before, ...ESCAPES[map]!, opcode, modrm]);
          }
      yield assemble(list, random);
    }
}

/** Group 7 (0F 01), where each ModRM byte with mod = 3 is an instruction of its own, behind no prefix and each. */
export const everyGroup7 = (): Uint8Array =>
  assemble(
    [[], ...SINGLE_PREFIXES].flatMap((before) =>
      Array.from({ length: 256 }, (_, modrm) => [...before, 0x0f, 0x01, modrm]),
    ),
    new Random(7),
  );

/** MOV r32, r/m32 with every SIB byte, each ModRM.mod that has one, and displacements of both signs, of zero and at their limits. */
export const everySib = (): Uint8Array => {
  const list: number[][] = [];
  for (let sib = 0; sib < 256; sib++)
    for (const modrm of [0x04, 0x44, 0x84])
      for (const [low, high] of [
        [0, 0],
        [0x10, 0x20],
        [0x7f, 0x7f],
        [0x80, 0x80],
        [0xff, 0xff],
      ] as const)
        list.push([0x8b, modrm, sib, low, high, low, high]);
  return assemble(list, new Random(1));
};

/** Random opcodes and ModRM bytes behind one to five random prefixes, sometimes behind so many that the limit of 15 bytes is near. */
export function* combinations(count: number): Generator<Uint8Array> {
  const random = new Random(0x2545f491);
  const CHUNK = 10000;
  for (let done = 0; done < count; done += CHUNK)
    yield assemble(
      Array.from({ length: CHUNK }, () => {
        const before = Array.from(
          { length: 1 + random.below(random.below(8) === 0 ? 15 : 5) },
          () => PREFIX_BYTES[random.below(11)]!,
        );
        const map = random.below(20) === 0 ? 2 + random.below(2) : random.below(2);
        return [...before, ...ESCAPES[map]!, random.below(256), random.below(256)];
      }),
      random,
    );
}
