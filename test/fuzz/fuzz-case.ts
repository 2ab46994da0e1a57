// A fuzz case as plain data: what memory holds, the processor's first state, the code in pieces that the shrinker can take away.
// Not how it is made (scene.ts) and not how it is run (executor.ts).

/** Where the case runs. */
export type Environment =
  /** The bare processor, with VMX but without devices; an interrupt source of the harness. */
  | 'processor'
  /** The bare machine with the PC's devices. */
  | 'machine'
  /** A guest in VMX non-root operation whose root is the harness: random controls, injections, broken VMCS fields. */
  | 'vmx'
  /** A guest of the hypervisor, through the session. */
  | 'hypervisor'
  /** The instruction emulator, instruction by instruction. */
  | 'emulator';
export const ENVIRONMENTS: readonly Environment[] = ['processor', 'machine', 'vmx', 'hypervisor', 'emulator'];

export type Mode = 'real' | 'protected16' | 'protected32' | 'v86';
export const MODES: readonly Mode[] = ['real', 'protected16', 'protected32', 'v86'];
export type Paging = 'off' | 'two-level' | 'pae';

export interface SegmentState {
  readonly selector: number;
  readonly base: number;
  readonly limit: number;
  /** VMX access-rights word. */
  readonly access: number;
}

export interface InitialState {
  readonly gpr: readonly number[];
  readonly eip: number;
  readonly eflags: number;
  readonly cpl: number;
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  /** ES CS SS DS FS GS LDTR TR. */
  readonly segments: readonly SegmentState[];
  readonly gdtr: { readonly base: number; readonly limit: number };
  readonly idtr: { readonly base: number; readonly limit: number };
  readonly dr: readonly number[];
}

export interface FuzzCase {
  readonly seed: number;
  readonly environment: Environment;
  readonly mode: Mode;
  readonly paging: Paging;
  readonly cpu: 'core-duo' | 'modern';
  /** The program starts in VMX root operation with a current VMCS (environments 'processor' and 'machine'). */
  readonly vmxRoot: boolean;
  /** Memory besides the code. */
  readonly memory: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  /** Physical address of the first piece. */
  readonly codeAddress: number;
  readonly pieces: readonly (readonly number[])[];
  readonly state: InitialState;
  /** The page tables lie where the guest cannot store: what the TLB holds must equal a fresh walk at any time. */
  readonly tablesProtected: boolean;
  /** Cycles to run. */
  readonly cycles: number;
}

export const describeCase = (c: FuzzCase): string =>
  `${c.environment} ${c.mode} ring ${c.state.cpl} paging ${c.paging}${c.vmxRoot ? ' vmx-root' : ''} ${c.cpu}, ${c.cycles} cycles`;
