// What a debugger knows of the operating system in the guest: its tasks, modules, system calls and log, read from memory by the kernel's own
// symbols and types. Types only; linux.ts knows Linux, described.ts any kernel of which a file
// says where its tasks are. Nothing in the guest is changed or run.

import type { SectionPlace } from '../../symbols/object-file.ts';
import type { Registers } from '../../symbols/unwind/unwinder.ts';

export interface GuestTask {
  /** Number that users know it by: a thread's own on Linux. */
  readonly id: number;
  /** Number of the process it is a thread of. */
  readonly process: number;
  readonly name: string;
  /** As the system's own tools call it: "R", "S" ... */
  readonly state: string;
  /** Address of the kernel's structure. */
  readonly address: number;
  /** It has no user memory of its own. */
  readonly kernel: boolean;
  /** Registers with which it will go on in the kernel; undefined while it runs, and where that is not known. */
  readonly registers: Registers | undefined;
  /** CR3 while it runs; undefined: it uses whatever address space is there. */
  readonly pageTable: number | undefined;
  /** The system call that it is in. */
  readonly call: CallInProgress | undefined;
}

export interface CallInProgress {
  readonly number: number;
  /** As the program handed them over. */
  readonly arguments: readonly number[];
}

export interface GuestModule {
  readonly name: string;
  /** Linear address of its code. */
  readonly base: number;
  readonly bytes: number;
  /** All that it has in memory at this moment: code and data, and what its initialisation needs until that has ended. */
  readonly regions: readonly MemoryRegion[];
  /** Those of its file that are in memory; read when they are asked for. */
  readonly sections: readonly SectionPlace[];
  /** Hexadecimal; undefined: it has none in memory. Read when it is asked for. */
  readonly buildId: string | undefined;
  /** By the kernel's own table, ascending; read when it is asked for. */
  readonly functions: readonly ModuleFunction[];
}

export interface MemoryRegion {
  readonly base: number;
  readonly bytes: number;
}

export const holds = (regions: readonly MemoryRegion[], address: number): boolean =>
  regions.some(({ base, bytes }) => address >= base && address < base + bytes);

export interface ModuleFunction {
  readonly name: string;
  readonly address: number;
  readonly bytes: number;
}

export interface SystemCall {
  readonly number: number;
  readonly name: string;
  /** With their C types; empty where the kernel's debug data does not tell. */
  readonly parameters: readonly { readonly name: string; readonly type: string }[];
}

export interface LogLine {
  /** Virtual seconds since the boot, by the guest's own clock. */
  readonly seconds: number;
  /** 0 (emergency) to 7 (debug). */
  readonly level: number;
  readonly text: string;
}

export interface OsAwareness {
  /** "Linux 6.1.0-50-686". */
  readonly name: string;
  tasks(): readonly GuestTask[];
  /** Address of the structure of the task that a processor runs; undefined: not known. */
  currentTask(processor: number): number | undefined;
  /** Read once a moment. */
  modules(): readonly GuestModule[];
  /** No module lies below; undefined: not known. */
  readonly lowestModule: number | undefined;
  /** Where the kernel comes by with a module that is loaded and has not run yet; undefined: it has no such place. */
  readonly moduleStart: number | undefined;
  systemCall(number: number): SystemCall | undefined;
  log(): LogLine[];
}
