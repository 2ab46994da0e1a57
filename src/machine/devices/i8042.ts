// The keyboard controller of a PC: an 8042 at ports 60h and 64h with a PS/2 keyboard, translation to scan-code set 1, the output
// port (A20, reset) and IRQ 1. It has no mouse port; drivers that probe for one learn so at once. The keyboard: ps2-keyboard.ts.
// IBM PS/2 Hardware Technical Reference, keyboard and auxiliary device controller.

import type { Clock, Timer } from '../clock.ts';
import type { Device, InterruptLine } from './device.ts';
import { Ps2Keyboard } from './ps2-keyboard.ts';
import type { A20Gate } from './reset-control.ts';
import { BREAK_PREFIX, translateToSet1 } from './scan-codes.ts';

/** Controller commands, written to port 64h. */
const Command = {
  READ_RAM: 0x20,
  WRITE_RAM: 0x60,
  DISABLE_AUX: 0xa7,
  ENABLE_AUX: 0xa8,
  TEST_AUX: 0xa9,
  SELF_TEST: 0xaa,
  TEST_KEYBOARD: 0xab,
  DISABLE_KEYBOARD: 0xad,
  ENABLE_KEYBOARD: 0xae,
  READ_INPUT_PORT: 0xc0,
  READ_OUTPUT_PORT: 0xd0,
  WRITE_OUTPUT_PORT: 0xd1,
  WRITE_KEYBOARD_BUFFER: 0xd2,
  WRITE_AUX_BUFFER: 0xd3,
  WRITE_AUX: 0xd4,
  DISABLE_A20: 0xdd,
  ENABLE_A20: 0xdf,
  READ_TEST_INPUTS: 0xe0,
  PULSE: 0xf0,
} as const;
const Status = { OUTPUT_FULL: 1, SYSTEM: 4, COMMAND: 8, UNLOCKED: 0x10, AUX: 0x20, TIMEOUT: 0x40 } as const;
/** Command byte: byte 0 of the controller's memory. */
const Mode = {
  KEYBOARD_INTERRUPT: 1,
  SYSTEM: 4,
  KEYBOARD_DISABLED: 0x10,
  AUX_DISABLED: 0x20,
  TRANSLATE: 0x40,
} as const;
const OutputPort = { NOT_RESET: 1, A20: 2, OUTPUT_FULL: 0x10, IDLE: 0xc0 } as const;

const SELF_TEST_PASSED = 0x55;
/** Test result "clock line stuck low": what a port that is not wired answers. */
const NO_AUX_PORT = 0x01;
/** What the controller reports for a device that does not answer. */
const NO_ANSWER = 0xfe;
/** As firmware leaves it: translation and interrupt on; bit 5 stays set, because there is no second port. */
const INITIAL_MODE = Mode.KEYBOARD_INTERRUPT | Mode.SYSTEM | Mode.AUX_DISABLED | Mode.TRANSLATE;

const RAM_BYTES = 32;
/** Cycles between the bytes of the keyboard. The wire takes up to 1 ms; polling loops count on I/O that is slower than here. */
export const KEYBOARD_BYTE_CYCLES = 20_000;
const FIXED_WORDS = 7 + RAM_BYTES;

export class I8042 implements Device {
  readonly name = 'i8042';
  readonly keyboard = new Ps2Keyboard();
  private readonly ram = new Uint8Array(RAM_BYTES);
  /** Flags of the output buffer and of the last write. */
  private status = 0;
  private output = 0;
  /** Command that waits for its data byte at port 60h, or 0. */
  private pending = 0;
  private breakPending = false;
  /** Cycle at which the keyboard's next byte is complete, or -1. */
  private arrival = -1;
  /** Answers that wait for the output buffer: byte and status flags (AUX, TIMEOUT) above it. */
  private answers: number[] = [];
  private readonly timer: Timer;

  /** @param onReset the processor's reset pin is pulsed. */
  constructor(
    private readonly clock: Clock,
    private readonly line: InterruptLine,
    private readonly a20: A20Gate,
    private readonly onReset: () => void,
  ) {
    this.timer = clock.timer((now) => this.arrived(now));
    this.ram[0] = INITIAL_MODE;
  }

  /** Keys pressed and released on the keyboard, as scan-code set 2 has them. Any number: they queue. */
  key(scancodes: ArrayLike<number>): void {
    this.keyboard.key(scancodes);
    this.pump(this.clock.now);
  }

  read(offset: number): number {
    if (offset === 4) return this.status | (this.ram[0]! & Mode.SYSTEM ? Status.SYSTEM : 0) | Status.UNLOCKED;
    const value = this.output;
    if (this.status & Status.OUTPUT_FULL) {
      this.status &= ~(Status.OUTPUT_FULL | Status.AUX | Status.TIMEOUT);
      this.update();
      this.pump(this.clock.now);
    }
    return value;
  }

  write(offset: number, _size: number, value: number): void {
    if (offset === 4) {
      this.status |= Status.COMMAND;
      this.execute(value);
    } else {
      this.status &= ~Status.COMMAND;
      const command = this.pending;
      this.pending = 0;
      if (command !== 0) this.finish(command, value);
      else {
        // Talking to the keyboard enables its interface.
        this.ram[0] = this.ram[0]! & ~Mode.KEYBOARD_DISABLED;
        this.keyboard.receive(value);
      }
    }
    this.update();
    this.pump(this.clock.now);
  }

  private execute(command: number): void {
    this.pending = 0;
    if (command >= Command.PULSE) {
      // Bits 3:0 are the output port's pins to pulse low; pin 0 is the reset.
      if ((command & 1) === 0) this.onReset();
      return;
    }
    if (command >= Command.READ_RAM && command < Command.READ_RAM + RAM_BYTES) {
      this.answers.push(this.ram[command - Command.READ_RAM]!);
      return;
    }
    if (command >= Command.WRITE_RAM && command < Command.WRITE_RAM + RAM_BYTES) {
      this.pending = command;
      return;
    }
    switch (command) {
      case Command.TEST_AUX:
        this.answers.push(NO_AUX_PORT);
        break;
      case Command.SELF_TEST:
        this.ram[0] = this.ram[0]! | Mode.SYSTEM;
        this.answers.push(SELF_TEST_PASSED);
        break;
      case Command.TEST_KEYBOARD:
        this.answers.push(0);
        break;
      case Command.DISABLE_KEYBOARD:
        this.ram[0] = this.ram[0]! | Mode.KEYBOARD_DISABLED;
        break;
      case Command.ENABLE_KEYBOARD:
        this.ram[0] = this.ram[0]! & ~Mode.KEYBOARD_DISABLED;
        break;
      case Command.READ_INPUT_PORT:
        // Bit 7: the keyboard is not locked.
        this.answers.push(0x80);
        break;
      case Command.READ_OUTPUT_PORT:
        this.answers.push(
          OutputPort.IDLE |
            OutputPort.NOT_RESET |
            (this.a20.enabled ? OutputPort.A20 : 0) |
            (this.status & Status.OUTPUT_FULL ? OutputPort.OUTPUT_FULL : 0),
        );
        break;
      case Command.WRITE_OUTPUT_PORT:
      case Command.WRITE_KEYBOARD_BUFFER:
      case Command.WRITE_AUX_BUFFER:
      case Command.WRITE_AUX:
        this.pending = command;
        break;
      case Command.DISABLE_A20:
      case Command.ENABLE_A20:
        this.a20.enabled = command === Command.ENABLE_A20;
        break;
      case Command.READ_TEST_INPUTS:
        this.answers.push(0);
        break;
      default:
        // A7h and A8h switch a port that is not there; the rest is not assigned.
        break;
    }
  }
  /** The data byte of a controller command. */
  private finish(command: number, value: number): void {
    switch (command) {
      case Command.WRITE_OUTPUT_PORT:
        this.a20.enabled = (value & OutputPort.A20) !== 0;
        if ((value & OutputPort.NOT_RESET) === 0) this.onReset();
        break;
      case Command.WRITE_KEYBOARD_BUFFER:
      // A controller with a mouse port would mark the looped byte as the mouse's; without the mark a driver knows better at once.
      // falls through
      case Command.WRITE_AUX_BUFFER:
        this.answers.push(value);
        break;
      case Command.WRITE_AUX:
        this.answers.push(NO_ANSWER | ((Status.AUX | Status.TIMEOUT) << 8));
        break;
      case Command.WRITE_RAM:
        this.ram[0] = value | Mode.AUX_DISABLED;
        break;
      default:
        this.ram[command - Command.WRITE_RAM] = value;
        break;
    }
  }

  /** Fills the output buffer if it is empty: the controller's own answers first, then the keyboard's bytes in their time. */
  private pump(now: number): void {
    const answer = this.status & Status.OUTPUT_FULL ? undefined : this.answers.shift();
    if (answer !== undefined) this.fill(answer & 0xff, answer >> 8);
    const full = (this.status & Status.OUTPUT_FULL) !== 0;
    const wanted = !full && this.keyboard.waiting > 0 && (this.ram[0]! & Mode.KEYBOARD_DISABLED) === 0;
    if (wanted === this.arrival >= 0) return;
    this.arrival = wanted ? now + KEYBOARD_BYTE_CYCLES : -1;
    this.clock.arm(this.timer, wanted ? this.arrival : Infinity);
  }
  private arrived(now: number): void {
    this.arrival = -1;
    const byte = this.keyboard.send();
    if ((this.ram[0]! & Mode.TRANSLATE) === 0) this.fill(byte, 0);
    else if (byte === BREAK_PREFIX) this.breakPending = true;
    else {
      this.fill(translateToSet1(byte) | (this.breakPending ? 0x80 : 0), 0);
      this.breakPending = false;
    }
    this.pump(now);
  }
  private fill(byte: number, flags: number): void {
    this.output = byte;
    this.status |= Status.OUTPUT_FULL | flags;
    this.update();
  }
  private update(): void {
    const keyboardByte = (this.status & (Status.OUTPUT_FULL | Status.AUX)) === Status.OUTPUT_FULL;
    this.line.set(keyboardByte && (this.ram[0]! & Mode.KEYBOARD_INTERRUPT) !== 0);
  }

  registerName(offset: number, write: boolean): string {
    return offset === 4 ? (write ? 'command' : 'status') : 'data';
  }

  reset(): void {
    this.keyboard.reset();
    this.ram.fill(0);
    this.ram[0] = INITIAL_MODE;
    this.status = 0;
    this.output = 0;
    this.pending = 0;
    this.breakPending = false;
    this.answers = [];
    this.update();
    this.pump(this.clock.now);
  }
  /** A fixed part, then two queues whose length varies: the controller's answers and the keyboard's bytes. */
  saveState(): number[] {
    const keyboard = this.keyboard.saveState();
    return [
      ...[this.status, this.output, this.pending, Number(this.breakPending), this.arrival],
      ...[this.answers.length, keyboard.length],
      ...this.ram,
      ...this.answers,
      ...keyboard,
    ];
  }
  loadState(state: readonly number[]): void {
    const keyboardAt = FIXED_WORDS + (state[5] ?? 0);
    if (state.length !== keyboardAt + (state[6] ?? 0))
      throw new Error(`i8042: state of ${state.length} words does not fit`);
    this.status = state[0]!;
    this.output = state[1]!;
    this.pending = state[2]!;
    this.breakPending = state[3] === 1;
    this.arrival = state[4]!;
    this.ram.set(state.slice(7, FIXED_WORDS));
    this.answers = state.slice(FIXED_WORDS, keyboardAt);
    this.keyboard.loadState(state.slice(keyboardAt));
    this.clock.arm(this.timer, this.arrival < 0 ? Infinity : this.arrival);
  }
}
