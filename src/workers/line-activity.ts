// VM exits by source line: what lenses and hovers in the editor say. Counts per address and reason are kept; lines are looked up
// once an address. Not the timeline: no time, only totals.

import { Kind } from '../monitor/events.ts';
import { eipAt, kindAt, RECORD_WORDS } from '../monitor/record.ts';
import type { LineActivity } from '../protocol/machine.ts';
import type { SourceLocation } from './session.ts';
import { laneName, laneOf } from './lanes.ts';

interface Line {
  readonly file: string;
  readonly line: number;
  readonly function: string | undefined;
  readonly functionLine: number | undefined;
  readonly counts: Map<number, number>;
}

export interface Symbols {
  locate(address: number): SourceLocation;
  lookup(symbol: string): number | undefined;
}

export class LineActivityCounter {
  private readonly lineOfAddress = new Map<number, Line | undefined>();
  private readonly lines = new Map<string, Line>();
  private readonly functionStarts = new Map<string, SourceLocation | undefined>();
  private changed = false;

  constructor(private readonly symbols: Symbols) {}

  append(words: Uint32Array): void {
    for (let at = 0; at < words.length; at += RECORD_WORDS) {
      if (kindAt(words, at) !== Kind['vmx.exit']) continue;
      const line = this.lineAt(eipAt(words, at));
      if (line === undefined) continue;
      const lane = laneOf(words, at);
      line.counts.set(lane, (line.counts.get(lane) ?? 0) + 1);
      this.changed = true;
    }
  }

  /** All lines with exits, or undefined if nothing came since the last call. */
  take(): LineActivity[] | undefined {
    if (!this.changed) return undefined;
    this.changed = false;
    return [...this.lines.values()].map(({ file, line, function: name, functionLine, counts }) => ({
      file,
      line,
      ...(name === undefined ? {} : { function: name }),
      ...(functionLine === undefined ? {} : { functionLine }),
      exits: [...counts.values()].reduce((sum, count) => sum + count, 0),
      reasons: [...counts]
        .map(([lane, count]) => ({ name: laneName(lane), count }))
        .sort((a, b) => b.count - a.count || a.name.localeCompare(b.name)),
    }));
  }

  private lineAt(address: number): Line | undefined {
    if (this.lineOfAddress.has(address)) return this.lineOfAddress.get(address);
    const line = this.makeLine(this.symbols.locate(address));
    this.lineOfAddress.set(address, line);
    return line;
  }

  private makeLine(place: SourceLocation): Line | undefined {
    if (place.file === undefined || place.line === undefined) return undefined;
    const key = `${place.file}:${place.line}`;
    let line = this.lines.get(key);
    if (line === undefined) {
      const start = this.functionStart(place.function);
      line = {
        file: place.file,
        line: place.line,
        function: place.function,
        functionLine: start?.file === place.file ? start.line : undefined,
        counts: new Map(),
      };
      this.lines.set(key, line);
    }
    return line;
  }

  private functionStart(name: string | undefined): SourceLocation | undefined {
    if (name === undefined) return undefined;
    if (!this.functionStarts.has(name)) {
      const address = this.symbols.lookup(name);
      this.functionStarts.set(name, address === undefined ? undefined : this.symbols.locate(address));
    }
    return this.functionStarts.get(name);
  }
}
