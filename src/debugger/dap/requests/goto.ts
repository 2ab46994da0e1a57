// "Jump to Cursor": the guest goes on at another line of the function it stands in; nothing between is executed.

import { type Handler, Refusal } from '../protocol.ts';
import { reference } from '../references.ts';

/** A target's id is its address. */
export const gotoTargets: Handler<'gotoTargets'> = {
  capabilities: { supportsGotoTargetsRequest: true },
  answer: (session, { source, line }) => {
    const { context, guest } = session;
    const here = guest.symbols.symbol(context.pc)?.address;
    const wanted = session.fromLine(line);
    const places = guest.symbols.statements(source.path ?? source.name ?? '', wanted, wanted);
    // In another function the stack would be another's.
    const within = places.filter(({ address }) => guest.symbols.symbol(address)?.address === here);
    return {
      targets: within.map((place) => ({
        id: place.address,
        label: `${session.subject.nameOf(place.address) ?? reference(place.address)}`,
        line: session.toLine(place.line),
        column: session.toColumn(place.column),
        instructionPointerReference: session.subject.reference(place.address),
      })),
    };
  },
};

export const goto: Handler<'goto'> = {
  answer: (session, { threadId, targetId }) => {
    session.threads.mustRun(threadId);
    if (session.running) throw new Refusal('runsPauseFirst');
    const { vcpu } = session.context;
    if (!vcpu.write('eip', (targetId - vcpu.read('cs_base')) >>> 0))
      throw new Refusal('cannotGoOnAt', { place: reference(targetId) });
    session.forget();
    session.later(() => session.stand('goto', 'pausedAfterJump'));
  },
};
