// The call stack as the editor draws it. Frames are unwound as far as they are asked for: first one, then nineteen.

import type { Frame } from '../../frames.ts';
import { type Dap, type Handler, Late } from '../protocol.ts';
import type { DebugSession } from '../session.ts';
import { canRestart } from './restart-frame.ts';

/** Told as further frames while there are some; the editor asks for as many. */
const PAGE = 20;

export const stackTrace: Handler<'stackTrace'> = {
  capabilities: { supportsDelayedStackTraceLoading: true },
  answer: (session, { threadId, startFrame = 0, levels = 0 }) => {
    if (session.running) throw new Late('runsNoStack');
    const stackFrames: Dap.StackFrame[] = [];
    const end = levels === 0 ? Infinity : startFrame + levels;
    let index = startFrame;
    for (; index < end; index++) {
      const frame = session.threads.frame(threadId, index);
      if (frame === undefined) return { stackFrames, totalFrames: index };
      stackFrames.push(shown(session, frame));
    }
    return { stackFrames, totalFrames: session.threads.frame(threadId, index) === undefined ? index : index + PAGE };
  },
};

/** Of a loaded module only the kernel's own table has names. */
const nameOf = (session: DebugSession, { label, place, lookup, name }: Frame): string => {
  if (label !== undefined) return session.tell(...label);
  return place.function === undefined ? (session.subject.nameOf(lookup) ?? name) : name;
};

const shown = (session: DebugSession, frame: Frame): Dap.StackFrame => {
  const id = session.frameHandles.add(frame);
  const { file, line, column } = frame.place;
  const recorded = session.machine.target.history.limit > 0;
  return {
    id,
    name: nameOf(session, frame),
    line: file === undefined || line === undefined ? 0 : session.toLine(line),
    column: file === undefined || line === undefined ? 0 : session.toColumn(column ?? 1),
    ...(file === undefined || line === undefined ? {} : { source: session.source(file) }),
    ...(frame.physical === undefined && frame.task !== undefined
      ? {}
      : {
          instructionPointerReference: session.subject.reference(
            frame.pc,
            session.subject.spaceOf(frame.pc, frame.task?.pageTable),
          ),
        }),
    // Left out, the editor offers it.
    ...(recorded ? { canRestart: canRestart(session, frame) } : {}),
    ...(frame.kind === 'label' ? { presentationHint: 'label' } : {}),
  };
};
