// Debug data of the kernel's loaded modules: each from its .ko, placed where guest memory says that the module's sections are. A file is read when
// something asks for its module, and kept while its place is the same. Which modules are loaded is asked of the guest at each moment, so that names follow
// it, also back in time. Not how modules are listed (os/linux.ts) and not which files there are (os/module-files.ts).

import { Elf, parseElf } from '../machine/elf.ts';
import type { DebugInfo } from '../symbols/debug-info.ts';
import { debugLinkOf } from '../symbols/debug-link.ts';
import { DebugSections } from '../symbols/dwarf/sections.ts';
import type { Parts } from '../symbols/program.ts';
import { holds, type GuestModule, type OsAwareness } from './os/awareness.ts';
import type { ModuleFiles } from './os/module-files.ts';
import { type Part, reasonOf, type Saying } from './saying.ts';

/** What is known of a module's file. */
export type ModuleSymbolState =
  /** There is a file; it was not needed yet. */
  | { readonly kind: 'unread'; readonly path: string }
  | { readonly kind: 'read'; readonly path: string; readonly info: DebugInfo }
  /** Without a full stop. */
  | { readonly kind: 'missing'; readonly reason: Saying };

type System = Pick<OsAwareness, 'modules' | 'lowestModule'>;

export class ModuleSymbols implements Parts {
  /** By name, build and place. */
  private readonly known = new Map<string, ModuleSymbolState>();
  /** Names of modules that files were looked at for. */
  private readonly asked = new Set<string>();
  private opened: { readonly modules: readonly GuestModule[]; readonly infos: readonly DebugInfo[] } | undefined;
  /** The source files that a module's file names, as one text. */
  private readonly sources = new Map<string, string>();

  constructor(
    private readonly kernel: DebugInfo,
    private readonly files: ModuleFiles,
    private readonly system: () => System | undefined,
  ) {}

  at(address: number): DebugInfo | undefined {
    const system = this.system();
    if (system === undefined || address < (system.lowestModule ?? 0)) return undefined;
    const module = system.modules().find(({ regions }) => holds(regions, address));
    return module === undefined ? undefined : this.read(module);
  }

  get open(): readonly DebugInfo[] {
    if (this.asked.size === 0) return [];
    const { modules } = this;
    if (this.opened?.modules !== modules) {
      // Of those that nobody has asked for, not even the place is looked up.
      const states = modules.flatMap((module) => (this.asked.has(module.name) ? [this.state(module)] : []));
      this.opened = { modules, infos: states.flatMap((state) => (state.kind === 'read' ? [state.info] : [])) };
    }
    return this.opened.infos;
  }

  naming(file: string): readonly DebugInfo[] {
    const name = file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1);
    return this.modules
      .filter((module) => {
        const state = this.state(module);
        return state.kind === 'read' || (state.kind === 'unread' && this.sourcesOf(state.path).includes(`${name}\0`));
      })
      .map((module) => this.read(module))
      .filter((info) => info !== undefined);
  }

  /** What is known, without reading anything. */
  state(module: GuestModule): ModuleSymbolState {
    const known = this.asked.has(module.name) ? this.known.get(keyOf(module)) : undefined;
    if (known !== undefined) return known;
    const [path] = this.files.of(module.name);
    if (path !== undefined) return { kind: 'unread', path };
    const where = this.files.problems.length > 0 ? this.files.problems.join('; ') : this.files.places.join(', ');
    return { kind: 'missing', reason: ['noModuleFile', { name: module.name, where }] };
  }

  /** Whether there is a file for a module of that name, loaded or not. */
  has(module: string): boolean {
    return this.files.of(module).length > 0;
  }

  private get modules(): readonly GuestModule[] {
    return this.system()?.modules() ?? NONE;
  }

  private read(module: GuestModule): DebugInfo | undefined {
    if (!this.has(module.name)) return undefined;
    const key = keyOf(module);
    let state = this.known.get(key);
    if (state === undefined) {
      this.known.set(key, (state = this.load(module)));
      this.asked.add(module.name);
      this.opened = undefined;
    }
    return state?.kind === 'read' ? state.info : undefined;
  }

  /** The first file that is of the build that is loaded. */
  private load(module: GuestModule): ModuleSymbolState {
    const { name, sections, buildId } = module;
    if (sections.length === 0) return { kind: 'missing', reason: ['noSections', { name }] };
    if (buildId === undefined) return { kind: 'missing', reason: ['noBuildIdInMemory', { name }] };
    const reasons: Part[] = [];
    for (const path of this.files.of(name)) {
      try {
        const bytes = this.files.read(path);
        const problem = mismatch(bytes, buildId);
        const opened = problem === undefined ? this.kernel.openLoaded(path, bytes, sections) : undefined;
        if (opened?.ok === true) return { kind: 'read', path, info: opened.info };
        reasons.push(opened?.ok === false ? opened.reason : ['withReason', { text: path, reason: problem ?? '' }]);
      } catch (error) {
        reasons.push(['cannotBeRead', { name: path, reason: reasonOf(error) }]);
      }
    }
    return { kind: 'missing', reason: joined(reasons) };
  }

  /** Version 5 of DWARF has the names in .debug_line_str, others in the line tables themselves. */
  private sourcesOf(path: string): string {
    let text = this.sources.get(path);
    if (text === undefined) {
      text = '';
      try {
        const parsed = parseElf(this.files.read(path));
        const sections = parsed.ok ? new DebugSections(parsed.elf) : undefined;
        for (const name of ['line_str', 'line'])
          if (sections !== undefined) text += new TextDecoder('latin1').decode(sections.get(name));
      } catch {
        // Reading it for its module says why.
      }
      this.sources.set(path, text);
    }
    return text;
  }
}

const NONE: readonly GuestModule[] = [];

const keyOf = ({ name, sections, buildId }: GuestModule): string =>
  `${name} ${buildId} ${sections.map((section) => `${section.name}@${section.address}`).join(' ')}`;

/** One behind the other. */
const joined = (reasons: readonly Part[]): Saying => {
  const [first = '', ...rest] = reasons;
  return rest.reduce<Saying>((before, reason) => ['both', { before, reason }], ['plain', { text: first }]);
};

/** Why a file is not the one of the module that is loaded. */
const mismatch = (bytes: Uint8Array, buildId: string): Part | undefined => {
  const parsed = parseElf(bytes);
  if (!parsed.ok) return parsed.reason;
  if (parsed.elf.type !== Elf.ET_REL) return ['linkedAlready'];
  const own = debugLinkOf(parsed.elf)?.buildId;
  if (own === undefined) return ['noBuildId'];
  return own === buildId ? undefined : ['otherModule', { own, loaded: buildId }];
};
