// The vector file's format: header and case as they stand in the file, checked as far as the runner relies on it. Not the bytes of the
// file (lines.ts) and not what a context makes of them (contexts.ts). Format: docs/vectors.md.

import { UserError } from '../../workers/session.ts';

/** Linear address and bytes. */
export type Range = readonly [number, number];
/** Address and hex. */
export type Bytes = readonly [number, string];

export interface Header {
  readonly format: 'ia32-vectors';
  readonly version: 1;
  readonly origin?: string;
  readonly context: string;
  readonly code: Range;
  readonly data: Range;
  readonly stack: Range;
  /** CR0 in place of the context's (alignment checks need AM). */
  readonly cr0?: number;
  /** What the generator was asked for; "approx" alone: results are compared within the architecture's tolerance. */
  readonly groups?: string;
}

/** x87 state: control, status and tag word as FSAVE stores them, eight registers from ST(0). */
export interface FpuImage {
  readonly cw: number;
  readonly sw: number;
  readonly tw: number;
  readonly st: readonly string[];
}

export interface Image {
  readonly eax?: number;
  readonly ecx?: number;
  readonly edx?: number;
  readonly ebx?: number;
  readonly esp?: number;
  readonly ebp?: number;
  readonly esi?: number;
  readonly edi?: number;
  readonly eip?: number;
  readonly eflags?: number;
  readonly es?: number;
  readonly cs?: number;
  readonly ss?: number;
  readonly ds?: number;
  readonly fs?: number;
  readonly gs?: number;
  readonly mem?: readonly Bytes[];
  readonly fpu?: FpuImage;
  readonly mxcsr?: number;
  readonly xmm?: readonly string[];
}

export interface Case {
  readonly name: string;
  readonly bytes: string;
  readonly in: Image;
  readonly out: Image;
  readonly mask?: number;
  readonly swMask?: number;
  readonly ignore?: readonly Range[];
  /** General registers that are not compared: what CPUID or RDTSC leave. */
  readonly ignoreRegisters?: readonly string[];
  readonly fault?: { readonly vector: number; readonly error?: number; readonly address?: number };
}

/** General registers in encoding order, and segment registers in theirs (SDM vol. 2, table 2-2). */
export const GENERAL = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
export const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new UserError(`is no JSON: ${(error as Error).message}`);
  }
};
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isRange = (value: unknown): value is Range =>
  Array.isArray(value) && value.length === 2 && value.every((n) => Number.isInteger(n) && n >= 0 && n <= 0x1_0000_0000);

/** Throws UserError, whose message continues "line 1 ...". */
export const parseHeader = (line: string): Header => {
  const header = parse(line);
  if (!isObject(header) || header['format'] !== 'ia32-vectors' || header['version'] !== 1)
    throw new UserError(
      'is no "ia32-vectors" header of version 1: this is not a vector file, or one of a later version',
    );
  for (const name of ['code', 'data', 'stack'])
    if (!isRange(header[name]) || header[name][1] === 0)
      throw new UserError(`has no usable "${name}" area: give [address, bytes]`);
  return header as unknown as Header;
};

/** Throws UserError, whose message continues "line N ...". */
export const parseCase = (line: string): Case => {
  const test = parse(line) as Case;
  if (!isObject(test) || typeof test.bytes !== 'string' || !isObject(test.in) || !isObject(test.out))
    throw new UserError('is no case: "bytes", "in" and "out" are needed');
  return test;
};

const DIGIT = new Int8Array(256).fill(-1);
for (let i = 0; i < 16; i++) {
  DIGIT['0123456789abcdef'.charCodeAt(i)] = i;
  DIGIT['0123456789ABCDEF'.charCodeAt(i)] = i;
}
/** Stores the bytes that `hex` spells into `to` at `at`; returns how many. Throws UserError on anything but pairs of digits. */
export const putHex = (hex: string, to: Uint8Array, at: number): number => {
  const bytes = hex.length >> 1;
  for (let i = 0; i < bytes; i++) {
    const value = (DIGIT[hex.charCodeAt(2 * i)]! << 4) | DIGIT[hex.charCodeAt(2 * i + 1)]!;
    if (!(value >= 0)) throw new UserError(`has "${hex}" where hexadecimal text is needed`);
    to[at + i] = value;
  }
  if (hex.length & 1) throw new UserError(`has an odd number of hexadecimal digits: "${hex}"`);
  return bytes;
};
export const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
