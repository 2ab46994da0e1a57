// What all kinds of breakpoints have in common when the editor sets them: a group is replaced as a whole, conditions and hit counts are checked,
// each is answered with its number, and what could not be placed says why. When the symbols become others (a kernel has come up and says where it
// is) the groups are placed again. Not where a breakpoint of a kind lies (requests/) and not what is done when one is met (../breakpoints.ts).

import { type BreakpointKind, hitTest, type Spot } from '../breakpoints.ts';
import type { Dap } from './protocol.ts';
import type { DebugSession } from './session.ts';
import type { Subject } from './subject.ts';

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
  /** Number of its guest's domain, where there are several. */
  readonly domain?: number;
}

/** @param place where one lies in the guest that is looked at @param subjectOf the guest that it is of; left out: it may lie in all */
export const setGroup = <W extends Wanted>(
  session: DebugSession,
  kind: BreakpointKind,
  group: string,
  wanted: readonly W[],
  place: (wanted: W) => Placement,
  subjectOf?: (wanted: W) => Subject,
): Dap.Breakpoint[] => {
  const set = (again: boolean): Dap.Breakpoint[] => {
    const placed = wanted.map((one) => {
      const { name, spots, answer, space, inlined } = placeIn(
        session,
        subjectOf === undefined ? session.subjects : [subjectOf(one)],
        () => place(one),
      );
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
  session.placings.set(group, () => {
    const before = told;
    told = set(true);
    return told.filter((breakpoint, index) => JSON.stringify(breakpoint) !== JSON.stringify(before[index]));
  });
  return told;
};

/** In each of the guests where it has a place; where it has none, why it has none in the first. */
const placeIn = (session: DebugSession, subjects: readonly Subject[], place: () => Placement): Placement => {
  const all = subjects.map((subject) => {
    const placement = session.within(subject, place);
    const { spots } = placement;
    const { domain } = subject;
    return typeof spots === 'string' || domain === undefined
      ? placement
      : { ...placement, domain, spots: spots.map((spot) => ({ ...spot, domain })) };
  });
  const found = all.filter(({ spots }) => typeof spots !== 'string');
  const [first] = found;
  if (first === undefined) return all[0]!;
  if (session.subjects.length === 1) return first;
  const domains = found.map(({ domain }) => `d${domain}`).join(', ');
  const where = session.tell('inDomains', { domains });
  const message = first.answer?.message === undefined ? where : `${first.answer.message}; ${where}`;
  return {
    ...first,
    spots: found.flatMap(({ spots }) => spots as readonly Spot[]),
    answer: { ...first.answer, message },
  };
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
