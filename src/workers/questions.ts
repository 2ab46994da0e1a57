// What the pages ask of the machine, each question with its answer (protocol/machine.ts, Questions). Not what is told without being asked (reporter.ts).

import type { Question, Questions } from '../protocol/machine.ts';
import { rowsOf } from './event-text.ts';
import { guestLog } from './guest-log.ts';
import type { Session } from './session.ts';
import type { TimelineIndex } from './timeline-index.ts';

const MAX_ROWS = 5000;
const MAX_PIXELS = 8192;

export const answerTo = (
  session: Session,
  index: TimelineIndex,
  question: Question,
): Questions[Question['name']]['answer'] => {
  switch (question.name) {
    case 'locate':
      return session.locate(question.address, question.domain);
    case 'lookup':
      return session.lookup(question.symbol);
    case 'guestLog':
      return guestLog(session, question.domain);
    case 'window':
      return index.window(question.t0, question.t1, Math.min(MAX_PIXELS, Math.max(1, Math.floor(question.pixels))));
    case 'rows':
      return rows(session, question.from, Math.min(MAX_ROWS, question.count));
    case 'find': {
      const sequence = index.find(question.lane, question.from, question.direction);
      return sequence === undefined ? undefined : rows(session, sequence, 1)[0];
    }
    case 'trace': {
      const trace = session.trace();
      return trace.slice();
    }
  }
};

const rows = (session: Session, from: number, count: number): ReturnType<typeof rowsOf> => {
  const batch = session.events(from, count);
  return rowsOf(batch.records, batch.first, (address) => session.locate(address));
};
