// What all kinds of breakpoints have in common when the editor sets them: a group is replaced as a whole, conditions and hit counts are checked,
// each is answered with its number, and what could not be placed says why. When the symbols become others (a kernel has come up and says where it
// is) the groups are placed again. Not where a breakpoint of a kind lies (requests/) and not what is done when one is met (../breakpoints.ts).

import { type BreakpointKind, hitTest, type Spot } from '../breakpoints.ts';
import type { Dap } from './protocol.ts';
import type { DebugSession } from './session.ts';

/** What the editor sends with a breakpoint of any kind. */
interface Wanted {
  readonly condition?: string;
  readonly hitCondition?: string;
  readonly logMessage?: string;
}

export interface Placement {
  /** What a person calls it. */
  readonly name: string;
  /** Where it lies, or why it cannot be placed. */
  readonly spots: readonly Spot[] | string;
  /** The function whose inlined copies are among them. */
  readonly inlined?: string | undefined;
  readonly answer?: Partial<Dap.Breakpoint>;
  /** CR3 of the address space that it is of, where that is not the processor's. */
  readonly space?: number | undefined;
}

export const setGroup = <W extends Wanted>(
  session: DebugSession,
  kind: BreakpointKind,
  group: string,
  wanted: readonly W[],
  place: (wanted: W) => Placement,
): Dap.Breakpoint[] => {
  const set = (again: boolean): Dap.Breakpoint[] => {
    const placed = wanted.map((one) => {
      const { name, spots, answer, space, inlined } = place(one);
      const problem = typeof spots === 'string' ? spots : (badHit(session, one) ?? badCondition(session, one));
      return { name, spots: problem === undefined ? (spots as readonly Spot[]) : [], answer, problem, space, inlined };
    });
    const breakpoints = session.book.replace(
      group,
      placed.map(({ name, spots, space, inlined }, index) => ({
        kind,
        name,
        spots,
        condition: given(wanted[index]!.condition),
        hitCondition: given(wanted[index]!.hitCondition),
        logMessage: given(wanted[index]!.logMessage),
        ...(space === undefined ? {} : { space }),
        ...(inlined === undefined ? {} : { inlined }),
      })),
      again,
    );
    session.arm();
    return placed.map(({ answer, problem }, index) => {
      const { id } = breakpoints[index]!;
      return problem === undefined
        ? { id, verified: true, ...answer }
        : { id, verified: false, message: problem, reason: 'failed' };
    });
  };
  let told = set(false);
  session.arrivals.groups.set(group, () => {
    const before = told;
    told = set(true);
    return told.filter((breakpoint, index) => JSON.stringify(breakpoint) !== JSON.stringify(before[index]));
  });
  return told;
};

const given = (text: string | undefined): string | undefined =>
  text === undefined || text.trim() === '' ? undefined : text;

/** A condition that is no C is told where it is set; one whose names mean nothing, where it is met. */
const badCondition = (session: DebugSession, { condition }: Wanted): string | undefined => {
  const problem = given(condition) === undefined ? undefined : session.context.notC(condition!);
  return problem === undefined ? undefined : session.tell(...problem);
};

const badHit = (session: DebugSession, { hitCondition }: Wanted): string | undefined =>
  given(hitCondition) === undefined || hitTest(hitCondition!) !== undefined
    ? undefined
    : session.tell('noHitCount', { text: hitCondition! });
