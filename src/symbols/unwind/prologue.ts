// What the beginning of an i386 function has done to the stack up to an address, read from its instructions: for code without frame
// information. Knows the prologues that compilers and people write; stops at the first instruction that could be the body.

const [ESP, EBP] = [4, 5];

export interface Prologue {
  /** Bytes pushed or reserved behind the return address. */
  readonly depth: number;
  /** `depth` when EBP was set to ESP; undefined: EBP is the caller's or something else. */
  readonly framePointer: number | undefined;
  /** Registers saved, with the `depth` behind the push. */
  readonly saved: ReadonlyMap<number, number>;
  /** Every instruction before the address was understood: `depth` is exact. */
  readonly exact: boolean;
}

/** @param code from the function's first byte. @param length bytes of it that have been executed */
export function analyzePrologue(code: Uint8Array, length: number): Prologue {
  const saved = new Map<number, number>();
  let depth = 0;
  let framePointer: number | undefined;
  let at = 0;
  const byte = (offset: number) => code[at + offset] ?? 0;
  const word = (offset: number) =>
    byte(offset) | (byte(offset + 1) << 8) | (byte(offset + 2) << 16) | (byte(offset + 3) << 24);
  const signed = (offset: number) => (byte(offset) << 24) >> 24;
  while (at < length && at < code.length) {
    const op = byte(0);
    const modrm = byte(1);
    let size: number | undefined;
    if (op >= 0x50 && op <= 0x57) {
      depth += 4;
      // ECX, EDX and EAX are pushed to pass them.
      if (op - 0x50 >= 3 && op - 0x50 !== ESP && !saved.has(op - 0x50)) saved.set(op - 0x50, depth);
      size = 1;
    } else if ((op === 0x89 && modrm === 0xe5) || (op === 0x8b && modrm === 0xec)) {
      framePointer = depth;
      size = 2;
    } else if (op === 0x83 && modrm === 0xec) [depth, size] = [depth + signed(2), 3];
    else if (op === 0x81 && modrm === 0xec) [depth, size] = [depth + word(2), 6];
    else if (op === 0x68) [depth, size] = [depth + 4, 5];
    else if (op === 0x6a) [depth, size] = [depth + 4, 2];
    else size = neutral(byte, depth === 0);
    if (size === undefined || at + size > length) break;
    at += size;
  }
  return { depth, framePointer, saved, exact: at >= length };
}

/** The length of an instruction that moves neither ESP nor EBP and often stands between pushes; undefined for all others. */
function neutral(byte: (offset: number) => number, first: boolean): number | undefined {
  const [op, modrm] = [byte(0), byte(1)];
  const register = (modrm >> 3) & 7;
  const harmless = register !== ESP && register !== EBP;
  if (op === 0x90) return 1;
  if (op === 0xf3 && modrm === 0x0f && byte(2) === 0x1e && byte(3) === 0xfb) return 4; // ENDBR32
  if (op === 0x66 && modrm === 0x90) return 2;
  if (op === 0x0f && modrm === 0x1f)
    return byte(2) === 0x44 ? 5 : byte(2) === 0x40 ? 4 : byte(2) === 0x00 ? 3 : undefined;
  // The call that tracers patch (__fentry__).
  if (op === 0xe8 && first) return 5;
  if (op === 0x8d && modrm === 0x74 && byte(2) === 0x26) return 4; // LEA ESI, [ESI]
  if (op >= 0xb8 && op <= 0xbf && op - 0xb8 !== ESP && op - 0xb8 !== EBP) return 5;
  if ((op === 0x89 || op === 0x31) && modrm >= 0xc0 && (modrm & 7) !== ESP && (modrm & 7) !== EBP) return 2;
  if (op === 0x8b && harmless) {
    if (modrm >= 0xc0) return 2;
    if ((modrm & 0xc7) === 0x44 && byte(2) === 0x24) return 4; // from the caller's arguments
    if ((modrm & 0xc7) === 0x45) return 3;
  }
  return undefined;
}
