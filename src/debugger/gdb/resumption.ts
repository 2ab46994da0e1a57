// What GDB asks to run: the actions of vCont, and who goes on by them. All guests share the processor and run whenever one does; GDB hears of what
// happens in those that it has resumed. Not the running (running.ts). GDB manual, appendix E.2 "Packets": vCont.

import type { Processes, Whom } from './processes.ts';

export interface Step {
  /** Whose: place among the guests. */
  readonly guest: number;
  /** It goes on while EIP is in this range; GDB leaves the steps of a source line to us. */
  readonly first: number;
  readonly end: number;
}

export interface Resumption {
  /** Places of those whose stops GDB hears of. */
  readonly resumed: readonly number[];
  /** Left out: they go on. */
  readonly step?: Step;
  /** GDB believes that others which it has stand still meanwhile. */
  readonly partly: boolean;
}

/** All, or one, without a step. */
export const resumptionOf = (whom: Whom, { attached }: Processes): Resumption => {
  const resumed = whom === 'all' ? attached : [whom];
  return { resumed, partly: resumed.length < attached.length };
};

/** One instruction. */
export const singleStep = (guest: number): Step => ({ guest, first: 0, end: 0 });

/** A signal means nothing to a machine. */
const ACTION = /^(?:[cs]|[CS][0-9a-fA-F]+|r[0-9a-fA-F]+,[0-9a-fA-F]+)$/;

const stepOf = (guest: number, action: string): Step | undefined => {
  const [, first, end] = /^r([0-9a-f]+),([0-9a-f]+)$/i.exec(action) ?? [];
  if (first !== undefined && end !== undefined) return { guest, first: parseInt(first, 16), end: parseInt(end, 16) };
  return /^[sS]/.test(action) ? singleStep(guest) : undefined;
};

/** Of each thread the first action counts that names it. Undefined: that makes no sense. */
export const resumptionOfActions = (actions: string, processes: Processes): Resumption | undefined => {
  const chosen = new Map<number, string>();
  let goesOn = false;
  for (const text of actions.split(';')) {
    const [action = '', id = '-1'] = text.split(':');
    const whom = processes.whom(id);
    if (whom === undefined || !ACTION.test(action)) return undefined;
    goesOn ||= /^c/i.test(action);
    for (const index of whom === 'all' ? processes.attached : [whom]) if (!chosen.has(index)) chosen.set(index, action);
  }
  const steps = [...chosen].map(([guest, action]) => stepOf(guest, action));
  const step = steps.find((one) => one !== undefined);
  const resumed = [...chosen.keys()];
  if (resumed.length === 0) return undefined;
  // A step alone is what GDB does on its own before it goes on.
  const partly = goesOn && resumed.length < processes.attached.length;
  return { resumed, partly, ...(step === undefined ? {} : { step }) };
};
