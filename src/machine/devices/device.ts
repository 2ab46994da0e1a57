// The contract every device keeps. A device knows its registers by offset, its clock and its interrupt line, and nothing
// else: neither the address it sits at, nor the CPU, nor who owns it (the bare machine's bus or a domain's virtual platform).

/** A device on a bus. One chip a file; the file's head names the datasheet. */
export interface Device {
  /** Short name as used in events and panels: "pic0", "pit", "uart0", "rtc", "i8042", "vga". */
  readonly name: string;
  /** True if the device decodes 16- and 32-bit accesses itself; otherwise the bus splits them into bytes. */
  readonly wide?: boolean;
  read(offset: number, size: 1 | 2 | 4): number;
  write(offset: number, size: 1 | 2 | 4, value: number): void;
  /** Register names by offset for events and panels, e.g. "THR", "IER". */
  registerName(offset: number, write: boolean): string;
  /** Back to the state after power-on. */
  reset(): void;
  /** The whole state as plain numbers in a fixed order and length: for state hashes and snapshots. */
  saveState(): number[];
  /** Inverse of saveState. Throws on a wrong length: a bug of ours. */
  loadState(state: readonly number[]): void;
}

/** An interrupt request line: the device raises and lowers it, the controller on the other side decides what it means. */
export interface InterruptLine {
  set(level: boolean): void;
}
