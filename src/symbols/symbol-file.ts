// The file that names a program's addresses, opened once: ELF with or without debug data, System.map, or none. What it says of the program where
// it runs, at any slide, is a `DebugInfo`. Not where the program runs (debugger/guest-symbols.ts).

import { AddressMap, looksLikeText } from './address-map.ts';
import { DebugData } from './debug-data.ts';
import { DebugInfo } from './debug-info.ts';
import type { InterruptHook } from './unwind/unwinder.ts';

export type SymbolFileResult =
  | { readonly ok: true; readonly file: SymbolFile }
  /** One sentence that starts with the file's name. */
  | { readonly ok: false; readonly reason: string };

export class SymbolFile {
  /** For images without symbols. */
  static readonly NONE = new SymbolFile('', (_, interrupted) => DebugInfo.ofSymbols(AddressMap.EMPTY, interrupted));

  private constructor(
    /** As the user knows it. */
    readonly name: string,
    /** What it says of the program that runs moved by so much. */
    readonly at: (slide: number, interrupted?: InterruptHook) => DebugInfo,
  ) {}

  static open(name: string, bytes: Uint8Array): SymbolFileResult {
    if (!looksLikeText(bytes)) {
      const opened = DebugData.open(name, bytes);
      if (!opened.ok) return opened;
      const at: SymbolFile['at'] = (slide, interrupted) =>
        DebugInfo.of(opened.data, { slide, ...(interrupted === undefined ? {} : { interrupted }) });
      return { ok: true, file: new SymbolFile(name, at) };
    }
    const loaded = AddressMap.load(name, bytes);
    if (!loaded.ok) return loaded;
    const moved = (slide: number): AddressMap => {
      const again = slide === 0 ? loaded : AddressMap.load(name, bytes, slide);
      return again.ok ? again.map : AddressMap.EMPTY;
    };
    return { ok: true, file: new SymbolFile(name, (slide, hook) => DebugInfo.ofSymbols(moved(slide), hook)) };
  }
}
