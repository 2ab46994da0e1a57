// The frame of GDB's remote protocol: `$data#checksum`, escapes, acknowledgements, the interrupt byte. Bytes in, packets out. Not what packets
// say (stub.ts). GDB manual, appendix E.1 "Overview" and E.2 "Packets".

const DOLLAR = 0x24;
const HASH = 0x23;
const ESCAPE = 0x7d;
const STAR = 0x2a;
const PLUS = 0x2b;
const MINUS = 0x2d;
const INTERRUPT = 0x03;
const ESCAPED_WITH = 0x20;

const encoder = new TextEncoder();
/** Bytes as characters of the same number: packets mix text and binary data. */
export const textOf = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
};
const sumOf = (bytes: Iterable<number>): number => {
  let sum = 0;
  for (const byte of bytes) sum = (sum + byte) & 0xff;
  return sum;
};
export const hexByte = (value: number): string => (value & 0xff).toString(16).padStart(2, '0');

/** A packet of text, or of bytes as characters. */
const frame = (data: string): Uint8Array => {
  const bytes: number[] = [];
  for (let i = 0; i < data.length; i++) {
    const byte = data.charCodeAt(i) & 0xff;
    if (byte === DOLLAR || byte === HASH || byte === ESCAPE || byte === STAR) bytes.push(ESCAPE, byte ^ ESCAPED_WITH);
    else bytes.push(byte);
  }
  return Uint8Array.from([DOLLAR, ...bytes, HASH, ...encoder.encode(hexByte(sumOf(bytes)))]);
};

export interface PacketHandler {
  /** A whole packet, escapes undone. */
  packet(data: Uint8Array): void;
  /** Ctrl-C. */
  interrupt(): void;
}

export class PacketStream {
  /** Both sides have agreed to send no acknowledgements. */
  noAck = false;
  private buffer: number[] = [];
  private inside = false;
  /** Characters of the checksum that are still to come; the first one. */
  private checksumLeft = 0;
  private checksum = '';
  private last: Uint8Array | undefined;

  constructor(
    private readonly send: (bytes: Uint8Array) => void,
    private readonly handler: PacketHandler,
  ) {}

  write(data: string): void {
    const bytes = frame(data);
    this.last = bytes;
    this.send(bytes);
  }

  receive(bytes: Uint8Array): void {
    for (const byte of bytes) this.take(byte);
  }
  private take(byte: number): void {
    if (this.checksumLeft > 0) {
      this.checksum += String.fromCharCode(byte);
      if (--this.checksumLeft === 0) this.finish();
    } else if (this.inside) {
      if (byte === HASH) {
        this.inside = false;
        this.checksumLeft = 2;
        this.checksum = '';
      } else if (byte === DOLLAR) this.buffer = [];
      else this.buffer.push(byte);
    } else if (byte === DOLLAR) {
      this.buffer = [];
      this.inside = true;
    } else if (byte === INTERRUPT) this.handler.interrupt();
    else if (byte === MINUS && this.last !== undefined) this.send(this.last);
  }
  private finish(): void {
    const { buffer } = this;
    this.buffer = [];
    if (!this.noAck) {
      const good = parseInt(this.checksum, 16) === sumOf(buffer);
      this.send(Uint8Array.of(good ? PLUS : MINUS));
      if (!good) return;
    }
    const data: number[] = [];
    for (let i = 0; i < buffer.length; i++) data.push(buffer[i] === ESCAPE ? buffer[++i]! ^ ESCAPED_WITH : buffer[i]!);
    this.handler.packet(Uint8Array.from(data));
  }
}

export const hexOf = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes) text += hexByte(byte);
  return text;
};
/** Undefined: not pairs of hexadecimal digits. */
export const bytesOfHex = (text: string): Uint8Array | undefined => {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
};
export const hexOfText = (text: string): string => hexOf(encoder.encode(text));
