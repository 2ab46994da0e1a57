// Whether V8 has to be told to follow branch hints. Translated code says of each slow path that it is rarely taken (machine/wasm/code.ts,
// WebAssembly's branch hinting proposal). V8 does so by itself from 13.7 on and before that behind a flag, which works while a process runs and
// concerns nothing but modules with hints. Without it V8 keeps values in memory around slow paths, and hot loops take up to twice as long.
// Not who asks for it: Node's programs do (cli, extension/host), as the engine knows no host.

export const FOLLOW_BRANCH_HINTS = '--experimental-wasm-branch-hinting';

/** The first V8 that needs no flag. */
const BY_ITSELF = [13, 7] as const;

/** Programs that embed Node may have frozen V8's flags, where setting one ends the process: there nothing is set. */
const EMBEDDERS = ['electron', 'nw'] as const;

/** Whether `FOLLOW_BRANCH_HINTS` is to be set in a process of these `process.versions`. */
export const branchHintsNeedFlag = (versions: Readonly<Record<string, string | undefined>>): boolean => {
  if (EMBEDDERS.some((name) => versions[name] !== undefined)) return false;
  const [major, minor] = (versions['v8'] ?? '').split('.').map(Number);
  if (major === undefined || minor === undefined || Number.isNaN(major) || Number.isNaN(minor)) return false;
  return major < BY_ITSELF[0] || (major === BY_ITSELF[0] && minor < BY_ITSELF[1]);
};

/** Makes V8 follow them in this process. @param setFlag node:v8's setFlagsFromString */
export const followBranchHints = (
  versions: Readonly<Record<string, string | undefined>>,
  setFlag: (flag: string) => void,
): void => {
  if (branchHintsNeedFlag(versions)) setFlag(FOLLOW_BRANCH_HINTS);
};
