// To the moment of a recorded event, back or forwards in what is recorded. The Debug Adapter Protocol has no request for it: kansoku/travel, a
// request of ours. Not how a moment is reached (history.ts).

import { comparePositions } from '../../position.ts';
import type { StepEnd } from '../../stepping.ts';
import type { Position, Work } from '../../target.ts';
import { type Handler, Refusal } from '../protocol.ts';
import type { DebugSession } from '../session.ts';

export const travel: Handler<'kansoku/travel'> = {
  answer: (session, { sequence }) => {
    const { history } = session.machine.target;
    if (history.limit === 0) throw new Refusal('notRecorded', { then: ['thenGoToEvents'] });
    const to = session.machine.moment(sequence);
    if (to === undefined) throw new Refusal('eventIsGone', { sequence });
    if (comparePositions(to, history.oldest) < 0) throw new Refusal('eventTooOld');
    if (comparePositions(to, history.newest) > 0) throw new Refusal('eventTooNew');
    // What runs is not waited for: the editor hears of the next stop.
    session.abandon();
    session.beginOfOurs('event', travelled(session, to), { title: ['goingToEvent'] });
  },
};

function* travelled(session: DebugSession, to: Position): Work<StepEnd> {
  yield* session.machine.target.history.travel(to);
  return { kind: 'done' };
}
