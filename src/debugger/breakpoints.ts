// The breakpoints of a session: what the user set, where they came to lie, and what is done when one is met: condition, hit count, log.
// Not where a line has its code (places.ts) and not the machine's points themselves (target.ts).

import { reasonOf, type Saying, type Tell } from './saying.ts';
import type { DebugStop, StopPoint } from './target.ts';

type Without<T> = T extends unknown ? Omit<T, 'id'> : never;
/** A stop point whose id is not given yet. */
export type Spot = Without<StopPoint>;

export type BreakpointKind = 'source' | 'function' | 'instruction' | 'data' | 'exception';

export interface BreakpointOrder {
  readonly kind: BreakpointKind;
  /** What a person calls it: "kmain.c:25", "page_fault", "0x00101234". */
  readonly name: string;
  readonly spots: readonly Spot[];
  readonly condition?: string | undefined;
  readonly hitCondition?: string | undefined;
  readonly logMessage?: string | undefined;
  /** A function whose inlined copies count: where one is met the guest stands in it. */
  readonly inlined?: string | undefined;
  /** CR3 of the address space that the addresses are of; left out: they mean the same in all. It counts only where they mean the same bytes. */
  readonly space?: number | undefined;
}

/** How the book asks about the guest; kept by the session. */
export interface Judge {
  /** Value of a C expression where the guest stands. @throws Error with a sentence */
  truth(expression: string): boolean;
  /** The guest stands in the inlined call of that function that begins here; undefined: before it. */
  standIn(name: string | undefined): void;
  /** Whether an address means the same bytes in this moment's address space and in another. */
  means(address: number, space: number): boolean;
  /** Text of a log message whose {expressions} are replaced. */
  expand(message: string): string;
  readonly tell: Tell;
}

export interface Verdict {
  /** Breakpoints that stop the guest. */
  readonly stops: readonly Breakpoint[];
  /** Lines for the console. */
  readonly output: readonly string[];
}

type HitTest = (hits: number) => boolean;

export class Breakpoint {
  /** How often it was met with its condition true. */
  hits = 0;
  /** How often it was met while its condition was false. */
  refused = 0;
  private told = 0;
  readonly hitTest: HitTest | undefined;

  constructor(
    readonly id: number,
    readonly order: BreakpointOrder,
  ) {
    this.hitTest = order.hitCondition === undefined ? undefined : hitTest(order.hitCondition);
  }

  /** The same breakpoint at other places. */
  moved(order: BreakpointOrder): Breakpoint {
    const breakpoint = new Breakpoint(this.id, order);
    [breakpoint.hits, breakpoint.refused, breakpoint.told] = [this.hits, this.refused, this.told];
    return breakpoint;
  }

  /** Met, but never stopped, since it was last asked: a sentence that says why. */
  whyMissed(): Saying | undefined {
    const { condition, hitCondition, logMessage, name } = this.order;
    const met = this.hits + this.refused;
    if (met === this.told || logMessage !== undefined) return undefined;
    this.told = met;
    if (this.refused > 0 && this.hits === 0)
      return ['conditionFalse', { name, times: times(this.refused), condition: condition ?? '' }];
    if (this.hitTest !== undefined && !this.hitTest(this.hits))
      return ['hitsElsewhere', { name, times: times(met), count: hitCondition ?? '' }];
    return undefined;
  }
}

export class BreakpointBook {
  private readonly byGroup = new Map<string, readonly Breakpoint[]>();
  private lastId = 0;
  private owners = new Map<number, Breakpoint>();
  private list: StopPoint[] = [];

  /**
   * Replaces the breakpoints of one group: a source file, all functions, ... One that is ordered again as it was keeps its counts and id.
   * @param again the same breakpoints in the same order, which lie elsewhere now: all keep them
   */
  replace(group: string, orders: readonly BreakpointOrder[], again = false): readonly Breakpoint[] {
    const before = [...(this.byGroup.get(group) ?? [])];
    const now = orders.map((order, index) => {
      if (again && before[index] !== undefined) return before[index].moved(order);
      const same = before.findIndex((old) => JSON.stringify(old.order) === JSON.stringify(order));
      return same < 0 ? new Breakpoint(this.nextId(), order) : before.splice(same, 1)[0]!;
    });
    this.byGroup.set(group, now);
    this.rebuild();
    return now;
  }

  clear(): void {
    this.byGroup.clear();
    this.rebuild();
  }

  get all(): readonly Breakpoint[] {
    return [...this.byGroup.values()].flat();
  }

  /** A number that no point and no breakpoint has. */
  nextId(): number {
    return ++this.lastId;
  }

  /** The machine's points of all breakpoints. */
  get points(): readonly StopPoint[] {
    return this.list;
  }

  /** What the user wants done where points were met. */
  judge(stop: DebugStop & { readonly kind: 'point' }, judge: Judge): Verdict {
    const stops: Breakpoint[] = [];
    const output: string[] = [];
    for (const breakpoint of this.met(stop, judge)) {
      const { condition, logMessage, name, inlined } = breakpoint.order;
      judge.standIn(inlined);
      try {
        if (condition !== undefined && !judge.truth(condition)) {
          breakpoint.refused++;
          continue;
        }
      } catch (error) {
        // A condition that cannot be told is not one that is false: the guest stops, so that the mistake is seen.
        output.push(judge.tell('conditionUntold', { name, condition: condition ?? '', reason: reasonOf(error) }));
        breakpoint.hits++;
        stops.push(breakpoint);
        continue;
      }
      breakpoint.hits++;
      if (breakpoint.hitTest !== undefined && !breakpoint.hitTest(breakpoint.hits)) continue;
      if (logMessage === undefined) stops.push(breakpoint);
      else output.push(judge.expand(logMessage));
    }
    judge.standIn(stops[0]?.order.inlined);
    return { stops, output };
  }

  /** The breakpoints that stop at a moment of the past; counts of hits are the present's, they do not say. */
  stopsAt(stop: DebugStop & { readonly kind: 'point' }, judge: Judge): Breakpoint[] {
    const stops = this.met(stop, judge).filter(({ order: { condition, logMessage, inlined } }) => {
      if (logMessage !== undefined) return false;
      judge.standIn(inlined);
      try {
        return condition === undefined || judge.truth(condition);
      } catch {
        return true;
      }
    });
    judge.standIn(stops[0]?.order.inlined);
    return stops;
  }

  /** The breakpoints whose points were met, in the address space that they are of. */
  private met(stop: DebugStop & { readonly kind: 'point' }, judge: Judge): Breakpoint[] {
    const found = new Set<Breakpoint>();
    for (const id of stop.ids) {
      const owner = this.owners.get(id);
      if (owner === undefined) continue;
      const { space, spots } = owner.order;
      const [spot] = spots;
      const address =
        stop.detail?.on === 'access' ? stop.detail.address : spot?.on === 'execute' ? spot.address : undefined;
      if (space === undefined || (address !== undefined && judge.means(address, space))) found.add(owner);
    }
    return [...found];
  }

  private rebuild(): void {
    this.owners = new Map();
    this.list = [];
    for (const breakpoint of this.all) {
      for (const spot of breakpoint.order.spots) {
        const id = this.nextId();
        this.owners.set(id, breakpoint);
        this.list.push({ ...spot, id } as StopPoint);
      }
    }
  }
}

/** `5`, `>= 5`, `% 10` ...: undefined if the text is none of these. */
export const hitTest = (text: string): HitTest | undefined => {
  const match = /^\s*(==|=|>=|>|<=|<|%)?\s*(\d+)\s*$/.exec(text);
  if (match === null) return undefined;
  const number = Number(match[2]);
  switch (match[1]) {
    case '>=':
      return (hits) => hits >= number;
    case '>':
      return (hits) => hits > number;
    case '<=':
      return (hits) => hits <= number;
    case '<':
      return (hits) => hits < number;
    case '%':
      return number === 0 ? undefined : (hits) => hits % number === 0;
    default:
      return (hits) => hits === number;
  }
};

const times = (count: number): Saying => (count === 1 ? ['once'] : ['times', { count }]);
