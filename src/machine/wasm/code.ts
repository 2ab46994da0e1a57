// A WebAssembly function body under construction: a growing byte buffer with LEB128 numbers and local variables.
// Not a validator: the engine that compiles the module is. WebAssembly core specification 2.0, section 5 (binary format).

export const I32 = 0x7f,
  I64 = 0x7e,
  F32 = 0x7d,
  F64 = 0x7c,
  V128 = 0x7b;
export type ValueType = typeof I32 | typeof I64 | typeof F32 | typeof F64 | typeof V128;
const VOID = 0x40;

export class ByteWriter {
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;

  /** @param room bytes without growing */
  constructor(room = 256) {
    this.bytes = new Uint8Array(room);
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.grow(1);
    this.bytes[this.length++] = value;
  }
  append(data: Uint8Array): void {
    if (this.length + data.length > this.bytes.length) this.grow(data.length);
    this.bytes.set(data, this.length);
    this.length += data.length;
  }
  unsigned(value: number): void {
    let v = value >>> 0;
    while (v >= 0x80) {
      this.byte((v & 0x7f) | 0x80);
      v >>>= 7;
    }
    this.byte(v);
  }
  signed(value: number): void {
    let v = value | 0;
    for (;;) {
      const low = v & 0x7f;
      v >>= 7;
      if ((v === 0 && !(low & 0x40)) || (v === -1 && low & 0x40)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }
  signed64(value: bigint): void {
    let v = BigInt.asIntN(64, value);
    for (;;) {
      const low = Number(v & 0x7fn);
      v >>= 7n;
      if ((v === 0n && !(low & 0x40)) || (v === -1n && low & 0x40)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }
  name(text: string): void {
    const data = new TextEncoder().encode(text);
    this.unsigned(data.length);
    this.append(data);
  }
  take(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
  private grow(need: number): void {
    const bigger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + need));
    bigger.set(this.bytes);
    this.bytes = bigger;
  }
}

/** Index of a local variable. */
export type Local = number;

export class Code extends ByteWriter {
  private readonly locals: ValueType[] = [];
  /** Offset in `bytes` of a branch, and which way it usually goes (1: taken). */
  private readonly hints: number[] = [];

  /** @param parameters number of parameters, which are locals 0.. */
  constructor(
    private readonly parameters: number,
    room?: number,
  ) {
    super(room);
  }

  /** Takes all code away; the locals stay. */
  clear(): void {
    this.length = 0;
    this.hints.length = 0;
  }
  local(type: ValueType): Local {
    this.locals.push(type);
    return this.parameters + this.locals.length - 1;
  }

  op(opcode: number): void {
    this.byte(opcode);
  }
  /** SIMD (0xfd) and saturating/bulk (0xfc) opcodes. */
  prefixed(prefix: 0xfc | 0xfd, opcode: number): void {
    this.byte(prefix);
    this.unsigned(opcode);
  }
  localGet(local: Local): void {
    this.byte(0x20);
    this.unsigned(local);
  }
  localSet(local: Local): void {
    this.byte(0x21);
    this.unsigned(local);
  }
  localTee(local: Local): void {
    this.byte(0x22);
    this.unsigned(local);
  }
  i32(value: number): void {
    this.byte(0x41);
    this.signed(value);
  }
  i64(value: bigint): void {
    this.byte(0x42);
    this.signed64(value);
  }
  f64(value: number): void {
    this.byte(0x44);
    this.append(new Uint8Array(new Float64Array([value]).buffer));
  }
  /** A load or store: opcode, alignment exponent, constant offset. */
  memory(opcode: number, align: number, offset: number): void {
    this.byte(opcode);
    this.unsigned(align);
    this.unsigned(offset);
  }
  simdMemory(opcode: number, align: number, offset: number): void {
    this.prefixed(0xfd, opcode);
    this.unsigned(align);
    this.unsigned(offset);
  }
  block(type: ValueType | undefined = undefined): void {
    this.byte(0x02);
    this.byte(type ?? VOID);
  }
  loop(): void {
    this.byte(0x03);
    this.byte(VOID);
  }
  /** The `if` or `br_if` emitted next is rarely taken, or nearly always (WebAssembly branch hinting proposal). */
  unlikely(): void {
    this.hints.push(this.length, 0);
  }
  likely(): void {
    this.hints.push(this.length, 1);
  }
  if(type: ValueType | undefined = undefined): void {
    this.byte(0x04);
    this.byte(type ?? VOID);
  }
  else(): void {
    this.byte(0x05);
  }
  end(): void {
    this.byte(0x0b);
  }
  br(depth: number): void {
    this.byte(0x0c);
    this.unsigned(depth);
  }
  brIf(depth: number): void {
    this.byte(0x0d);
    this.unsigned(depth);
  }
  brTable(depths: readonly number[], otherwise: number): void {
    this.byte(0x0e);
    this.unsigned(depths.length);
    for (const depth of depths) this.unsigned(depth);
    this.unsigned(otherwise);
  }
  return(): void {
    this.byte(0x0f);
  }
  call(func: number): void {
    this.byte(0x10);
    this.unsigned(func);
  }
  returnCall(func: number): void {
    this.byte(0x12);
    this.unsigned(func);
  }
  returnCallIndirect(type: number, table: number): void {
    this.byte(0x13);
    this.unsigned(type);
    this.unsigned(table);
  }

  /** Puts instructions before all others: what only the whole function tells. */
  prepend(code: Code): void {
    this.hints.forEach((value, i) => {
      if (i % 2 === 0) this.hints[i] = value + code.length;
    });
    this.hints.unshift(...code.hints);
    const rest = this.take();
    this.length = 0;
    this.append(code.bytes.subarray(0, code.length));
    this.append(rest);
  }

  /** Appends the body as the code section wants it: its length, local declarations, instructions, end. */
  writeBody(out: ByteWriter): void {
    const declarations = this.declarations();
    out.unsigned(declarations.length + this.length + 1);
    out.append(declarations.bytes.subarray(0, declarations.length));
    out.append(this.bytes.subarray(0, this.length));
    out.byte(0x0b);
  }
  get hinted(): boolean {
    return this.hints.length > 0;
  }
  /** Appends the hints as their section wants them: offsets in the body, behind its length. */
  writeHints(out: ByteWriter): void {
    const { hints } = this;
    const start = this.declarations().length;
    out.unsigned(hints.length / 2);
    for (let k = 0; k < hints.length; k += 2) {
      out.unsigned(hints[k]! + start);
      out.unsigned(1);
      out.byte(hints[k + 1]!);
    }
  }
  private declarations(): ByteWriter {
    const out = new ByteWriter(16);
    const runs: [number, ValueType][] = [];
    for (const type of this.locals) {
      const last = runs.at(-1);
      if (last !== undefined && last[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    out.unsigned(runs.length);
    for (const [count, type] of runs) {
      out.unsigned(count);
      out.byte(type);
    }
    return out;
  }
}
