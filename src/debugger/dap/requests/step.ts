// Steps forwards: next, stepIn with its targets, stepOut.

import { stepInstruction, stepLine, stepOut as leaveFrame, stepOutOfInlined } from '../../stepping.ts';
import { type Handler, Refusal } from '../protocol.ts';

export const next: Handler<'next'> = {
  capabilities: { supportsSteppingGranularity: true },
  answer: (session, { threadId, granularity }) => {
    session.threads.mustRun(threadId);
    const { context } = session;
    session.begin('step', granularity === 'instruction' ? stepInstruction(context, true) : stepLine(context, false));
  },
};

export const stepIn: Handler<'stepIn'> = {
  answer: (session, { threadId, granularity, targetId }) => {
    session.threads.mustRun(threadId);
    const { context } = session;
    session.begin(
      'step',
      granularity === 'instruction' ? stepInstruction(context, false) : stepLine(context, true, targetId),
    );
  },
};

/** The calls of the line. A target's id is the address of its CALL. */
export const stepInTargets: Handler<'stepInTargets'> = {
  capabilities: { supportsStepInTargetsRequest: true },
  answer: (session) => {
    const { context } = session;
    const line = context.line(context.pc, true);
    const targets = [];
    for (const { start, end } of line?.ranges ?? []) {
      // What lies before the pc has been called.
      for (let address = start; address < end;) {
        const instruction = context.instruction(address);
        address += instruction.length;
        if (instruction.flow !== 'call' || instruction.address < context.pc) continue;
        const label = instruction.target === undefined ? instruction.text : session.subject.nameOf(instruction.target);
        const place = session.guest.symbols.locate(instruction.address);
        targets.push({
          id: instruction.address,
          label: label ?? instruction.text,
          ...(place.line === undefined ? {} : { line: session.toLine(place.line) }),
          ...(place.column === undefined ? {} : { column: session.toColumn(place.column) }),
        });
      }
    }
    return { targets };
  },
};

export const stepOut: Handler<'stepOut'> = {
  answer: (session, { threadId }) => {
    session.threads.mustRun(threadId);
    const { context } = session;
    const inlined = context.inlinedRanges;
    const { cfa, returnAddress } = context;
    if (inlined !== undefined) session.begin('step', stepOutOfInlined(context, inlined));
    else if (cfa === undefined || returnAddress === undefined) throw new Refusal('noCaller');
    else session.begin('step', leaveFrame(context, { cfa, returnAddress }));
  },
};
