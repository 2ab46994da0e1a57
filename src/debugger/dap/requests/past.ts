// Two questions about the past that the Debug Adapter Protocol has no request for: who wrote this last, and when was this line last executed. The
// answer is the moment itself: the guest stands there. Requests of ours, named as custom requests are: kansoku/lastWrite, kansoku/lastExecution.

import { lastExecution, lastWrite, type Met } from '../../reverse.ts';
import type { Saying } from '../../saying.ts';
import type { StepEnd } from '../../stepping.ts';
import type { DebugStop, Work } from '../../target.ts';
import { type Handler, Refusal } from '../protocol.ts';
import type { DebugSession } from '../session.ts';
import { placeOf } from './data-breakpoints.ts';
import { mayGoBack } from './reverse.ts';

/** A search that says so where it finds nothing; the guest then stands where it stood. */
function* search(session: DebugSession, found: Work<Met | undefined>, nothing: Saying): Work<StepEnd> {
  const met = yield* found;
  if (met === undefined) session.say(session.tell(...nothing));
  return { kind: 'done' };
}

export const lastWriteRequest: Handler<'kansoku/lastWrite'> = {
  answer: (session, wanted) => {
    mayGoBack(session);
    const { name } = wanted;
    const { address, bytes, space } = placeOf(session, wanted);
    const { target } = session.execution;
    session.beginOfOurs(
      'step',
      search(
        session,
        lastWrite(target, address, bytes, session.book.points, (stop) => inSpace(session, stop, space), whose(session)),
        ['nothingWrote', { name, bytes, place: session.subject.place(address) }],
      ),
      { title: ['searchingWrite'], ownPoints: true },
    );
  },
};

/** The guest that is asked about. */
const whose = ({ subject: { domain } }: DebugSession): { readonly domain?: number } =>
  domain === undefined ? {} : { domain };

/** What another address space has at the same address is something else. */
const inSpace = (session: DebugSession, stop: DebugStop, space: number | undefined): boolean =>
  space === undefined ||
  (stop.kind === 'point' && stop.detail?.on === 'access' && session.subject.means(stop.detail.address, space));

export const lastExecutionRequest: Handler<'kansoku/lastExecution'> = {
  answer: (session, { source, line }) => {
    mayGoBack(session);
    const { symbols } = session.guest;
    const wanted = session.fromLine(line);
    const path = source.path ?? source.name ?? '';
    const places = symbols.statements(path, wanted, wanted).filter((place) => place.line === wanted);
    if (places.length === 0) throw new Refusal('lineHasNoCode', { line, file: path });
    const { target } = session.execution;
    session.beginOfOurs(
      'step',
      search(
        session,
        lastExecution(
          target,
          places.map(({ address }) => address),
          session.book.points,
          whose(session),
        ),
        ['lineNotExecuted', { line }],
      ),
      { title: ['searchingLine'], ownPoints: true },
    );
  },
};
