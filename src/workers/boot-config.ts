// From what the user asked for to what the engine needs: memory checked, event mask, symbols, the image laid out by its boot protocol
// or put into a ROM.
// Mistakes of the user's become UserError here. Not the machine (engine-session.ts).

import { bootImage } from '../hypervisor/boot/detect.ts';
import type { BootImage } from '../hypervisor/boot/image.ts';
import { firmwareProblem, firmwareRom, type Rom } from '../machine/rom.ts';
import { type EventMask, idsOf, MASK_ALL, MASK_NONE, maskOf } from '../monitor/events.ts';
import { SymbolFile } from '../symbols/symbol-file.ts';
import {
  type BootConfig,
  type DomainConfig,
  type GuestConfig,
  type NamedBytes,
  UserError,
  type WithoutFiles,
} from './session.ts';
import { unpack } from './unpack.ts';

/** Guest memory that can be asked for, in bytes. The upper end leaves room for the engine's tables in a 4 GiB address space. */
const MIN_MEMORY = 4 << 20;
const MAX_MEMORY = 3 * 1024 * (1 << 20);

export const checkMemory = (bytes: number): void => {
  if (!Number.isInteger(bytes) || bytes < MIN_MEMORY || bytes > MAX_MEMORY || bytes % 4096 !== 0)
    throw new UserError(
      `memory of ${bytes} bytes: give between ${MIN_MEMORY >> 20} MiB and ${MAX_MEMORY / (1 << 20)} MiB, in whole pages of 4 KiB`,
    );
};

export const observeMask = (observe: BootConfig['observe']): EventMask => {
  if (observe === 'all') return MASK_ALL;
  if (observe === 'none') return MASK_NONE;
  const { mask, unknown } = maskOf(observe);
  if (unknown.length > 0)
    throw new UserError(`there is no event kind "${unknown[0]}"; kinds: ${idsOf(MASK_ALL).join(', ')}`);
  return mask;
};

export const loadSymbols = (config: GuestConfig, image: Uint8Array): SymbolFile => {
  const { symbols } = config;
  const known = symbols === undefined ? undefined : OPENED.get(symbols);
  if (known !== undefined) return known;
  const result = SymbolFile.open(
    (symbols ?? config.image).name,
    symbols === undefined ? image : unpack(symbols.name, symbols.bytes),
  );
  if (!result.ok) {
    if (symbols !== undefined) throw new UserError(result.reason);
    // An image without symbols (a bzImage) still runs.
    return SymbolFile.NONE;
  }
  if (symbols !== undefined) OPENED.set(symbols, result.file);
  return result.file;
};
/** A kernel's debug data may have hundreds of megabytes: a machine that is started again opens them no second time. */
const OPENED = new WeakMap<NamedBytes, SymbolFile>();

export const baseName = (path: string): string =>
  path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);

export const withoutFiles = <Config extends GuestConfig>(config: Config): WithoutFiles<Config> => {
  const { image, symbols, initrd: _, modules: __, ...rest } = config;
  return {
    ...rest,
    image: { name: image.name },
    ...(symbols === undefined ? {} : { symbols: { name: symbols.name } }),
  };
};

/** What the machine starts with: a kernel in the state that its boot protocol asks for, or firmware at the reset vector. */
export type Start = { readonly kernel: BootImage } | { readonly rom: Rom };

export const layOut = (config: BootConfig, image: Uint8Array): Start =>
  config.firmware === true ? { rom: layOutFirmware(config, image) } : { kernel: layOutKernel(config, image) };

/** What a further domain begins with. */
export interface FurtherGuest {
  readonly config: DomainConfig;
  readonly kernel: BootImage;
  readonly symbolFile: SymbolFile;
}

/** @throws UserError with the file's name */
export const layOutDomains = ({ bare, domains = [] }: BootConfig): readonly FurtherGuest[] => {
  if (bare && domains.length > 0)
    throw new UserError('further domains need the hypervisor: the bare machine has one guest');
  return domains.map((config) => {
    checkMemory(config.memoryBytes);
    const image = unpack(config.image.name, config.image.bytes);
    return { config, kernel: layOutKernel(config, image), symbolFile: loadSymbols(config, image) };
  });
};

const layOutFirmware = (config: BootConfig, image: Uint8Array): Rom => {
  if (!config.bare)
    throw new UserError(
      `${config.image.name}: firmware under the hypervisor is not in this release: it runs on the bare machine`,
    );
  const problem = firmwareProblem(image);
  if (problem !== undefined) throw new UserError(`${config.image.name}: ${problem}`);
  return firmwareRom(image);
};

const layOutKernel = (config: GuestConfig, image: Uint8Array): BootImage => {
  const named = (file: NamedBytes): Uint8Array => unpack(file.name, file.bytes);
  const result = bootImage({
    image,
    imageName: baseName(config.image.name),
    cmdline: config.cmdline,
    // An initrd is the kernel's to unpack.
    ...(config.initrd === undefined ? {} : { initrd: config.initrd.bytes }),
    modules: config.modules.map((m) => ({ bytes: named(m), cmdline: `${baseName(m.name)} ${m.cmdline}`.trimEnd() })),
    memoryBytes: config.memoryBytes,
  });
  if (result.ok) return result;
  const file = {
    image: config.image.name,
    initrd: config.initrd?.name,
    module: config.modules[result.module ?? 0]?.name,
    options: config.image.name,
  }[result.file];
  throw new UserError(`${file}: ${result.reason}`);
};
