// A PS/2 keyboard: its commands and the bytes it has to send. Not the controller it is plugged into (i8042.ts) and no key map.
// IBM PS/2 Hardware Technical Reference, 101- and 102-key keyboards.

import { BREAK_PREFIX, translateToSet1 } from './scan-codes.ts';

const Command = {
  SET_LEDS: 0xed,
  ECHO: 0xee,
  SCAN_CODE_SET: 0xf0,
  IDENTIFY: 0xf2,
  TYPEMATIC: 0xf3,
  ENABLE: 0xf4,
  DISABLE: 0xf5,
  DEFAULTS: 0xf6,
  /** F7h-FAh: make, break and typematic behaviour of all keys, which only scan-code set 3 has. */
  ALL_KEYS_FIRST: 0xf7,
  ALL_KEYS_LAST: 0xfa,
  RESEND: 0xfe,
  RESET: 0xff,
} as const;
const ACK = 0xfa;
const NOT_UNDERSTOOD = 0xfe;
const TEST_PASSED = 0xaa;
const IDENTITY = [0xab, 0x83] as const;
/** 10.9 characters a second after half a second. */
const DEFAULT_TYPEMATIC = 0x2b;

export class Ps2Keyboard {
  private scanning = true;
  private scanCodeSet = 2;
  private typematic = DEFAULT_TYPEMATIC;
  /** Scroll, num and caps lock: bits 0 to 2. */
  leds = 0;
  /** The command that waits for its parameter, or 0. */
  private command = 0;
  private lastSent = 0;
  /** Set 1 makes one byte of a break prefix and a code. */
  private breakPending = false;
  private output: number[] = [];

  /** Bytes that wait to be sent. */
  get waiting(): number {
    return this.output.length;
  }
  /** The next byte on the wire. Call only while `waiting` is not 0. */
  send(): number {
    this.lastSent = this.output.shift()!;
    return this.lastSent;
  }

  /** Keys pressed and released, as scan-code set 2 has them. Lost while the host has scanning disabled, as on the real thing. */
  key(codes: ArrayLike<number>): void {
    if (!this.scanning) return;
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i]! & 0xff;
      if (this.scanCodeSet === 2) this.output.push(code);
      else if (code === BREAK_PREFIX) this.breakPending = true;
      else {
        this.output.push(translateToSet1(code) | (this.breakPending ? 0x80 : 0));
        this.breakPending = false;
      }
    }
  }

  /** A byte from the host. */
  receive(value: number): void {
    const waitingFor = this.command;
    this.command = 0;
    // A command in place of a parameter takes its place.
    if (waitingFor !== 0 && value < 0x80) this.parameter(waitingFor, value);
    else this.start(value);
  }
  private parameter(command: number, value: number): void {
    switch (command) {
      case Command.SET_LEDS:
        this.leds = value & 7;
        this.output.push(ACK);
        break;
      case Command.TYPEMATIC:
        this.typematic = value;
        this.output.push(ACK);
        break;
      default:
        if (value === 0) this.output.push(ACK, this.scanCodeSet);
        else if (value < 3) {
          this.scanCodeSet = value;
          this.output.push(ACK);
        }
        // Set 3 is not there.
        else this.output.push(NOT_UNDERSTOOD);
        break;
    }
  }
  private start(value: number): void {
    switch (value) {
      case Command.SET_LEDS:
      case Command.SCAN_CODE_SET:
      case Command.TYPEMATIC:
        this.command = value;
        this.output.push(ACK);
        break;
      case Command.ECHO:
        this.output.push(Command.ECHO);
        break;
      case Command.IDENTIFY:
        this.output.push(ACK, ...IDENTITY);
        break;
      case Command.ENABLE:
        this.output = [ACK];
        this.scanning = true;
        break;
      case Command.DISABLE:
        this.defaults();
        this.output = [ACK];
        this.scanning = false;
        break;
      case Command.DEFAULTS:
        this.defaults();
        this.output = [ACK];
        break;
      case Command.RESEND:
        this.output.unshift(this.lastSent);
        break;
      case Command.RESET:
        this.defaults();
        this.leds = 0;
        this.scanning = true;
        this.output = [ACK, TEST_PASSED];
        break;
      default:
        this.output.push(value >= Command.ALL_KEYS_FIRST && value <= Command.ALL_KEYS_LAST ? ACK : NOT_UNDERSTOOD);
        break;
    }
  }
  private defaults(): void {
    this.scanCodeSet = 2;
    this.typematic = DEFAULT_TYPEMATIC;
    this.breakPending = false;
  }

  reset(): void {
    this.defaults();
    this.scanning = true;
    this.leds = 0;
    this.command = 0;
    this.lastSent = 0;
    this.output = [];
  }
  /** Seven words and then the bytes that wait. */
  saveState(): number[] {
    return [
      Number(this.scanning),
      this.scanCodeSet,
      this.typematic,
      this.leds,
      this.command,
      this.lastSent,
      Number(this.breakPending),
      ...this.output,
    ];
  }
  loadState(state: readonly number[]): void {
    this.scanning = state[0] === 1;
    this.scanCodeSet = state[1]!;
    this.typematic = state[2]!;
    this.leds = state[3]!;
    this.command = state[4]!;
    this.lastSent = state[5]!;
    this.breakPending = state[6] === 1;
    this.output = state.slice(7);
  }
}
