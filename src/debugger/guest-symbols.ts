// What the guest's addresses are called at this moment: by the symbols that were given, moved to where the kernel runs, or by the table that a
// Linux kernel has of itself in memory. A kernel that places itself (a bzImage, with or without KASLR) is looked for when somebody asks, once it
// is up; a guest that runs is never slowed by it. Not how symbols are read (symbols/) and not what the names are for.

import { Cr0 } from '../machine/cpu/state.ts';
import { AddressMap } from '../symbols/address-map.ts';
import { DebugInfo } from '../symbols/debug-info.ts';
import { findKallsymsIn, type KernelSymbol } from '../symbols/kallsyms.ts';
import { formatAddress } from '../symbols/location.ts';
import { joinProgram, type CodeMap, type ProgramInfo } from '../symbols/program.ts';
import type { SymbolFile } from '../symbols/symbol-file.ts';
import type { InterruptHook } from '../symbols/unwind/unwinder.ts';
import type { Spot } from './breakpoints.ts';
import { gateSelector } from './descriptor-tables.ts';
import { interruptFrames } from './interrupt-frames.ts';
import { ModuleSymbols } from './module-symbols.ts';
import { linuxStart } from './os/linux-start.ts';
import { Linux, type LinuxGuest, PT_REGS } from './os/linux.ts';
import type { ModuleFiles } from './os/module-files.ts';
import type { Saying } from './saying.ts';
import type { DebugGuest } from './target.ts';

/** What of the machine is looked at. */
type Guest = LinuxGuest & Pick<DebugGuest, 'vcpu' | 'readPhysical'>;

/** Kernels are above the memory that the boot protocols of real mode know. */
const FIRST_KERNEL = 1 << 20;
/** So many of the kernel's symbols are compared with those of the file. */
const COMPARED = 500;
/** A file of the same build agrees in all; of two symbols of one name either may be met. */
const LEAST_EQUAL = 0.9;
const PAGE_FAULT = 14;

export class GuestSymbols {
  /** Counts how often the answers have changed. */
  generation = 0;
  /** Why the file that was given is not used. */
  problem: Saying | undefined;
  private current: DebugInfo;
  private found = false;
  private nextLook = 0;
  private system: { readonly linux: Linux | undefined } | undefined;
  /** Debug data of the kernel's modules; undefined: no files were given. */
  modules: ModuleSymbols | undefined;
  private whole: ProgramInfo;

  /** @param zeroPage boot parameters of a Linux kernel, which places itself; undefined: another, which runs where its file says */
  constructor(
    private readonly file: SymbolFile,
    private readonly image: string,
    private readonly zeroPage: number | undefined,
    private readonly guest: () => Guest,
    private readonly moduleFiles?: ModuleFiles,
  ) {
    this.current = file.at(0, this.interrupted);
    this.whole = this.join();
  }

  /** Functions, types, variables, callers, of modules too; knows nothing where there are no symbols. */
  get info(): ProgramInfo {
    return this.whole;
  }
  /** Lines and symbols, of modules too. */
  get map(): CodeMap {
    return this.whole.map;
  }
  /** Without modules. */
  get kernel(): DebugInfo {
    return this.current;
  }
  /** Where the kernel runs is not known yet: addresses of the file may be others than the kernel's. */
  get awaited(): boolean {
    return this.zeroPage !== undefined && !this.found;
  }
  /** Where to stop the guest so that `lookNow` finds its kernel before it does anything; undefined: there is no such place, or it has passed. */
  get start(): Spot | undefined {
    if (!this.awaited || this.pagingIsOn) return undefined;
    return linuxStart(this.guest(), this.zeroPage!);
  }
  private get pagingIsOn(): boolean {
    return (this.guest().vcpu.read('cr0') & Cr0.PG) !== 0;
  }

  /** Looks for the kernel if it may have come up since the last time. True: the answers are others now. */
  look(): boolean {
    if (!this.awaited) return false;
    if (this.guest().position.instructions < this.nextLook || !this.pagingIsOn) return false;
    return this.lookNow();
  }

  /** Looks for the kernel though it has not switched paging on. */
  lookNow(): boolean {
    if (!this.awaited) return false;
    const guest = this.guest();
    const symbols = findKallsymsIn((physical, into) => guest.readPhysical(physical, into), FIRST_KERNEL);
    // A kernel without the table has none later either: it is looked for ever more seldom.
    this.nextLook = 2 * guest.position.instructions + 1;
    if (symbols === undefined) return false;
    this.found = true;
    this.system = undefined;
    this.current = this.movedFile(symbols) ?? DebugInfo.ofSymbols(this.ownTable(symbols), this.interrupted);
    this.whole = this.join();
    this.generation++;
    return true;
  }

  private join(): ProgramInfo {
    const { moduleFiles, current } = this;
    if (moduleFiles === undefined || !current.hasDebugData) return current;
    this.modules = new ModuleSymbols(current, moduleFiles, () => this.linux);
    return joinProgram(current, this.modules, this.interrupted);
  }

  private ownTable(symbols: readonly KernelSymbol[]): AddressMap {
    return AddressMap.fromSymbols(`${this.image} (kallsyms in its memory)`, symbols);
  }

  /** The file's symbols moved to where the kernel says that it is; undefined: it has none, or those of another build. */
  private movedFile(symbols: readonly KernelSymbol[]): DebugInfo | undefined {
    const { map } = this.current;
    if (!map.hasSymbols) return undefined;
    const slides = new Map<number, number>();
    const compared = symbols.filter(({ letter, name }) => letter === 'T' && map.lookup(name) !== undefined);
    const step = Math.max(1, Math.floor(compared.length / COMPARED));
    for (let i = 0; i < compared.length; i += step) {
      const { name, address } = compared[i]!;
      const slide = (address - map.lookup(name)!) >>> 0;
      slides.set(slide, (slides.get(slide) ?? 0) + 1);
    }
    const total = [...slides.values()].reduce((sum, count) => sum + count, 0);
    const [slide, count] = [...slides].sort((a, b) => b[1] - a[1])[0] ?? [0, 0];
    if (total > 0 && count / total >= LEAST_EQUAL) return this.file.at(slide, this.interrupted);
    const odd = compared.find(({ name, address }) => (address - map.lookup(name)!) >>> 0 !== slide);
    const example: Saying =
      odd === undefined
        ? ['noneOfItsFunctions']
        : [
            'oddFunction',
            {
              name: odd.name,
              there: formatAddress(odd.address),
              byFile: formatAddress((map.lookup(odd.name)! + slide) >>> 0),
            },
          ];
    this.problem = ['otherKernel', { file: this.file.name, example }];
    return undefined;
  }

  // ---- frames behind interrupts -------------------------------------------------------------------------------------

  private readonly interrupted = this.hook();

  private hook(): InterruptHook {
    const symbols = this;
    return interruptFrames({
      map: () => symbols.map,
      kernelCs: () => gateSelector(symbols.guest(), PAGE_FAULT) ?? symbols.guest().vcpu.read('cs') & ~3,
      get ptRegs() {
        return symbols.linux?.ptRegs ?? (symbols.found ? PT_REGS : undefined);
      },
    });
  }

  /** By what the kernel's types say of it. */
  get linux(): Linux | undefined {
    return (this.system ??= { linux: Linux.recognise(this.current, this.guest) }).linux;
  }
}
