// What the pointer rests on, in words. The text of an event is asked for once.

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { EventRow } from '../../protocol/timeline.ts';
import { shortPlace, symbolOf } from '../common/Address.tsx';
import { count, duration, hex, percent } from '../common/format.ts';
import { ask, t } from '../common/vscode-api.ts';
import { cyclesPerSecond, lanes } from './model.ts';
import type { Target } from './pointer.ts';

export interface Hover {
  readonly target: Target;
  readonly x: number;
  readonly y: number;
}
export const hover = signal<Hover | undefined>(undefined);

const row = signal<EventRow | undefined>(undefined);
const KEPT = 400;
const known = new Map<number, EventRow>();

export const forgetRows = (): void => known.clear();

const lookUp = async (sequence: number): Promise<void> => {
  if (!known.has(sequence)) {
    const [answer] = await ask({ name: 'rows', from: sequence, count: 1 });
    if (answer === undefined) return;
    if (known.size >= KEPT) known.clear();
    known.set(sequence, answer);
  }
  const current = hover.peek()?.target;
  if (current?.kind === 'event' && current.sequence === sequence) row.value = known.get(sequence);
};

const seconds = (cycles: number): number => cycles / cyclesPerSecond.value;

const EventText = ({ event }: { readonly event: EventRow }) => {
  const symbol = symbolOf(event.location);
  const place = shortPlace(event.location);
  return (
    <>
      <strong>{event.title}</strong>
      {event.operands.map((operand) => (
        <div key={operand}>{operand}</div>
      ))}
      <div class="facts">
        {duration(seconds(event.cycles), 1e-9)} · CPL {event.cpl} · {t('instruction {0}', count(event.instructions))}
      </div>
      <div class="mono">
        {hex(event.eip)} {symbol}
      </div>
      {place !== undefined && <div class="place">{t('{0}: click to open', place)}</div>}
    </>
  );
};

const Text = ({ target }: { readonly target: Target }) => {
  if (target.kind === 'event') {
    const event = row.value;
    return event?.sequence === target.sequence ? (
      <EventText event={event} />
    ) : (
      <>{lanes.value.get(target.lane)?.name}</>
    );
  }
  const span = duration(seconds(target.span.t1 - target.span.t0));
  if (target.kind === 'column') {
    return (
      <>
        <strong>{target.name}</strong>
        <div>{target.count === 1 ? t('1 event in {0}', span) : t('{0} events in {1}', count(target.count), span)}</div>
        <div class="facts">{t('More than a pixel can show: zoom in with W')}</div>
      </>
    );
  }
  return (
    <>
      <strong>
        {target.who === undefined
          ? t('{0} in the hypervisor, {1} blocked', percent(target.hypervisor), percent(target.blocked))
          : target.who === 'hypervisor'
            ? t('Hypervisor')
            : target.who === 'blocked'
              ? t('Blocked: halted until an interrupt')
              : t('Guest')}
      </strong>
      <div>{span}</div>
    </>
  );
};

export const Tooltip = () => {
  const current = hover.value;
  const sequence = current?.target.kind === 'event' ? current.target.sequence : undefined;
  useEffect(() => {
    if (sequence !== undefined) void lookUp(sequence).catch(() => {});
  }, [sequence]);
  if (current === undefined) return null;
  // To the side with room.
  const right = current.x > innerWidth / 2;
  const below = current.y < innerHeight / 2;
  const style = {
    [right ? 'right' : 'left']: `${right ? innerWidth - current.x + 12 : current.x + 12}px`,
    [below ? 'top' : 'bottom']: `${below ? current.y + 14 : innerHeight - current.y + 10}px`,
  };
  return (
    <div class="tooltip" role="tooltip" style={style}>
      <Text target={current.target} />
    </div>
  );
};
