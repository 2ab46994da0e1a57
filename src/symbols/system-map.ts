// System.map, the output of `nm` and a running kernel's own table as sources of symbols: lists of address, nm's letter and name, in any order.
// Sizes are not in them (except `nm -S`), so a symbol reaches to the next one, and the last one to the end of its page.
import { SymbolTable, type SymbolInfo, type SymbolKind } from './symbol-table.ts';

const PAGE = 4096;
/** `c0100000 T _text`, `c0100000 00000010 T f` (nm -S), `ffffffff a abs`; a name may have blanks (demangled C++), a module follows a tab. */
const LINE =
  /^(?:0x)?([0-9a-f]{8}|[0-9a-f]{16})\s+(?:([0-9a-f]{8}|[0-9a-f]{16})\s+)?([A-Za-z?-])\s+(\S[^\t]*?)(?:\t.*)?$/i;
/** nm's letters: text and weak text; anything else in a section is data; A is absolute, U undefined, N debugging, - stabs. */
const TEXT = new Set(['t', 'w', 'i']);
const NO_ADDRESS = new Set(['a', 'u', 'n', '-', '?']);

export type SystemMapResult =
  { readonly ok: true; readonly symbols: SymbolTable } | { readonly ok: false; readonly reason: string };

/** @param slide added to every address, modulo 2^32. Fails (one sentence, without the file's name) if a line is none of nm's or an address has over 32 bits. */
export function parseSystemMap(text: string, slide = 0): SystemMapResult {
  const symbols: LetteredSymbol[] = [];
  let number = 0;
  for (const line of text.split(/\r?\n/)) {
    number++;
    // Undefined symbols have no address; archives and several files put headings between.
    if (/^\s*$/.test(line) || /^\s+[Uvw] /.test(line) || /^\S.*:$/.test(line)) continue;
    const match = LINE.exec(line);
    if (match === null)
      return { ok: false, reason: `line ${number} is not "address type name" as nm and System.map have it` };
    const [address, size] = [parseInt(match[1]!, 16), match[2] === undefined ? 0 : parseInt(match[2], 16)];
    if (address > 0xffff_ffff)
      return { ok: false, reason: `line ${number} has a 64-bit address: only 32-bit kernels run here` };
    symbols.push({ address, size, letter: match[3]!, name: match[4]! });
  }
  if (symbols.length === 0) return { ok: false, reason: 'no symbols in it' };
  return { ok: true, symbols: tableOf(symbols, slide) };
}

export interface LetteredSymbol {
  readonly name: string;
  readonly address: number;
  /** In bytes; left out or 0 where nobody says. */
  readonly size?: number;
  /** nm's. */
  readonly letter: string;
}

/** @param slide added to every address but those of absolute symbols, modulo 2^32 */
export function tableOf(list: readonly LetteredSymbol[], slide = 0): SymbolTable {
  const symbols: SymbolInfo[] = [];
  const absolute: SymbolInfo[] = [];
  for (const { name, address: value, size = 0, letter } of list) {
    const type = letter.toLowerCase();
    const kind: SymbolKind = TEXT.has(type) ? 'function' : 'object';
    const global = letter !== type || type === 'w' || type === 'i';
    if (NO_ADDRESS.has(type)) {
      absolute.push({ name, address: value, size: 0, kind: 'label', global, limit: value });
    } else {
      const address = (value + slide) >>> 0;
      symbols.push({ name, address, size, kind, global, limit: (Math.floor(address / PAGE) + 1) * PAGE });
    }
  }
  // Only the last symbol ends at its page: between two others the next one is the end.
  const last = symbols.reduce((high, symbol) => Math.max(high, symbol.address), 0);
  const open = symbols.map((symbol) => (symbol.address < last ? { ...symbol, limit: last } : symbol));
  return new SymbolTable(open, absolute);
}
