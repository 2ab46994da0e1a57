// Bytes of a physical page, by their offsets, that a piece of translated code was made from. Not the code.

import { addGranules, type GranuleMask } from './code-granules.ts';

export class CodeSpans {
  /** Pairs [from, to). */
  private readonly spans: number[] = [];

  /** Bytes [from, to); instructions mostly come one behind the other. */
  add(from: number, to: number): void {
    const { spans } = this;
    if (spans.length > 0 && spans[spans.length - 1] === from) spans[spans.length - 1] = to;
    else spans.push(from, to);
  }
  overlap(from: number, to: number): boolean {
    const { spans } = this;
    for (let i = 0; i < spans.length; i += 2) if (spans[i]! < to && spans[i + 1]! > from) return true;
    return false;
  }
  addGranules(mask: GranuleMask): void {
    const { spans } = this;
    for (let i = 0; i < spans.length; i += 2) addGranules(mask, spans[i]!, spans[i + 1]!);
  }
}
