// The files that have the debug data of a kernel's modules, by module name: in folders and files that the user named. Listed when a module is asked
// for first, and read one by one. Which module is loaded where is not known here.

/** What is needed of a file system. Both wait until it has answered. */
export interface FileAccess {
  /** Paths of all files below a folder, sorted, or the file itself. @throws Error with the system's reason */
  list(path: string): readonly string[];
  /** @throws Error with the system's reason */
  read(path: string): Uint8Array;
}

/** Names of module files; distributions that split debug data off add to them. */
const MODULE_FILE = /([^/\\]+)\.ko(?:\.debug)?$/;

export class ModuleFiles {
  #byModule: Map<string, string[]> | undefined;
  readonly #problems: string[] = [];

  /** @param places folders and files */
  constructor(
    readonly places: readonly string[],
    private readonly access: FileAccess,
  ) {}

  /** Why a place cannot be looked into, a sentence each; known once something was asked. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Files of that name. The kernel writes `_` where file names may have `-`. */
  of(module: string): readonly string[] {
    return this.#index().get(module) ?? [];
  }

  /** @throws Error with the system's reason */
  read(path: string): Uint8Array {
    return this.access.read(path);
  }

  #index(): ReadonlyMap<string, string[]> {
    if (this.#byModule !== undefined) return this.#byModule;
    const byModule = (this.#byModule = new Map<string, string[]>());
    for (const place of this.places) {
      let paths: readonly string[] = [];
      try {
        paths = this.access.list(place);
      } catch (error) {
        this.#problems.push(
          `${place} cannot be looked into: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      for (const path of paths) {
        const name = MODULE_FILE.exec(path)?.[1]!.replaceAll('-', '_');
        if (name !== undefined) byModule.set(name, [...(byModule.get(name) ?? []), path]);
      }
    }
    return byModule;
  }
}
