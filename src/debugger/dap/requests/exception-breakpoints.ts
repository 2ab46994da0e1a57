// Exceptions, VM exits, ports and MSRs as the editor's exception filters: setExceptionBreakpoints and exceptionInfo.

import { exceptionName, FILTERS } from '../../exceptions.ts';
import type { BreakpointOrder, Spot } from '../../breakpoints.ts';
import { english, reasonOf, type Tell } from '../../saying.ts';
import { type Dap, type Handler, Refusal } from '../protocol.ts';

export const filtersIn = (tell: Tell): Dap.ExceptionBreakpointsFilter[] =>
  FILTERS.map(({ id, label, description, enabled, text = ['cCondition'] }) => ({
    filter: id,
    label: tell(...label),
    description: tell(...description),
    default: enabled,
    // The guest's end has no condition.
    supportsCondition: id !== 'triple-fault' && id !== 'vm-entry-failure',
    conditionDescription: tell(...text),
  }));

export const setExceptionBreakpoints: Handler<'setExceptionBreakpoints'> = {
  // `initialize` tells the filters in the user's language.
  capabilities: { exceptionBreakpointFilters: filtersIn(english), supportsExceptionFilterOptions: true },
  answer: (session, { filters: plain, filterOptions = [] }) => {
    const wanted: Dap.ExceptionFilterOptions[] = [...plain.map((filterId) => ({ filterId })), ...filterOptions];
    session.standsAtEnd = new Set(wanted.map(({ filterId }) => filterId));
    const answers = wanted.map(({ filterId, condition }): { order: BreakpointOrder; message: string | undefined } => {
      const filter = FILTERS.find(({ id }) => id === filterId);
      let spots: readonly Spot[] = [];
      let message: string | undefined;
      try {
        if (filter === undefined)
          throw new Refusal('noFilter', { id: filterId, ids: FILTERS.map(({ id }) => id).join(', ') });
        spots = filter.spots(filter.text === undefined ? '' : (condition ?? ''));
        const problem = filter.text === undefined && condition?.trim() ? session.context.notC(condition) : undefined;
        if (problem !== undefined) throw new Refusal(...problem);
      } catch (error) {
        spots = [];
        message = session.tell('plain', { text: reasonOf(error) });
      }
      return {
        order: {
          kind: 'exception',
          name: filter === undefined ? filterId : session.tell(...filter.label),
          spots,
          condition: filter?.text === undefined ? condition : undefined,
        },
        message,
      };
    });
    const set = session.book.replace(
      'exception',
      answers.map(({ order }) => order),
    );
    session.arm();
    return {
      breakpoints: answers.map(({ message }, index) => ({
        id: set[index]!.id,
        verified: message === undefined,
        ...(message === undefined ? {} : { message }),
      })),
    };
  },
};

export const exceptionInfo: Handler<'exceptionInfo'> = {
  capabilities: { supportsExceptionInfoRequest: true },
  answer: (session) => {
    const { lastStop } = session;
    const { end } = session.guest;
    if (end !== undefined)
      return { exceptionId: end.kind, description: [end.message, ...end.details].join('\n'), breakMode: 'always' };
    const detail = lastStop?.detail;
    if (detail === undefined) throw new Refusal('noException');
    const text = session.describeStop(detail, lastStop?.breakpoints[0]);
    const id =
      detail.on === 'exception' ? exceptionName(detail.vector) : (lastStop?.breakpoints[0]?.order.name ?? detail.on);
    return { exceptionId: id, description: text, breakMode: 'always' };
  },
};
