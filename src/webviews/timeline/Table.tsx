// The events of the view as an accessible grid: the same selection as the canvas, rows made as they scroll into sight.

import { effect, signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { EventRow } from '../../protocol/timeline.ts';
import { shortPlace, symbolOf } from '../common/Address.tsx';
import { count, duration, hex } from '../common/format.ts';
import { ask, t } from '../common/vscode-api.ts';
import {
  cyclesPerSecond,
  lanes,
  menuOf,
  openSource,
  select,
  selected,
  selectSequence,
  view,
  visible,
} from './model.ts';
import { widthOf } from './scale.ts';
import { pathOf } from './shapes.ts';

const ROW_HEIGHT = 22;
const PAGE = 100;
const KEPT_PAGES = 40;
/** More rows than this is nothing anybody scrolls through, and browsers cannot lay out many more. */
const MOST_ROWS = 100_000;

const pages = signal<ReadonlyMap<number, readonly EventRow[]>>(new Map());
const asked = new Set<number>();

export const forgetPages = (): void => {
  asked.clear();
  pages.value = new Map();
};

const askPage = async (page: number): Promise<void> => {
  if (asked.has(page)) return;
  asked.add(page);
  try {
    const answer = await ask({ name: 'rows', from: page * PAGE, count: PAGE });
    const next = new Map(pages.peek());
    // The newest page may be half full; it is asked again when the table is drawn anew.
    if (answer.length < PAGE) asked.delete(page);
    if (next.size >= KEPT_PAGES) {
      for (const old of next.keys()) {
        if (Math.abs(old - page) > KEPT_PAGES / 4) {
          next.delete(old);
          asked.delete(old);
        }
      }
    }
    next.set(page, answer);
    pages.value = next;
  } catch {
    asked.delete(page);
  }
};

const rowOf = (sequence: number): EventRow | undefined => {
  const page = pages.value.get(Math.floor(sequence / PAGE));
  return page?.[sequence - page[0]!.sequence];
};

const scrollTop = signal(0);
const height = signal(200);

const firstRow = (): number => visible.value?.first ?? 0;
const rowCount = (): number => Math.min(MOST_ROWS, (visible.value?.next ?? 0) - firstRow());

/** The view's own events as lines of text, for the clipboard. */
export const visibleAsText = async (): Promise<string> => {
  const lines: string[] = [];
  const end = firstRow() + Math.min(rowCount(), 5000);
  for (let from = firstRow(); from < end; from += 1000) {
    const answer = await ask({ name: 'rows', from, count: Math.min(1000, end - from) });
    for (const row of answer) {
      lines.push(
        [
          timeOf(row),
          row.title,
          row.operands.join(' '),
          hex(row.eip),
          symbolOf(row.location) ?? '',
          shortPlace(row.location) ?? '',
        ]
          .join('\t')
          .trimEnd(),
      );
    }
  }
  return lines.join('\n');
};

const timeOf = (row: EventRow): string => duration(row.cycles / cyclesPerSecond.value, 1e-9);

const Row = ({ sequence, top }: { readonly sequence: number; readonly top: number }) => {
  const row = rowOf(sequence);
  const isSelected = selected.value?.sequence === sequence;
  const style = { transform: `translateY(${top}px)` };
  const index = sequence - firstRow() + 2;
  if (row === undefined) return <div class="tr" role="row" aria-rowindex={index} style={style} />;
  const lane = lanes.value.get(row.lane);
  const symbol = symbolOf(row.location);
  const place = shortPlace(row.location);
  return (
    <div
      class={`tr${isSelected ? ' selected' : ''}${lane === undefined ? ' part' : ''}`}
      role="row"
      aria-rowindex={index}
      aria-selected={isSelected}
      tabIndex={isSelected ? 0 : -1}
      data-sequence={sequence}
      data-vscode-context={menuOf(sequence)}
      onContextMenu={() => select(row)}
      style={style}
      onClick={() => select(row)}
      onDblClick={() => openSource(row, false)}
    >
      <span role="gridcell" class="mono number">
        {timeOf(row)}
      </span>
      <span role="gridcell" class="event">
        {lane === undefined ? (
          <span class="mark" aria-hidden="true">
            ·
          </span>
        ) : (
          <svg
            class="mark"
            width="12"
            height="12"
            viewBox="0 0 12 12"
            aria-hidden="true"
            style={{ color: `var(--vscode-kansoku-${lane.tone})` }}
          >
            <path d={pathOf(lane.shape)} fill="currentColor" />
          </svg>
        )}
        <span class="title">{row.title}</span>
      </span>
      <span role="gridcell" class="details" title={row.operands.join('\n')}>
        {row.operands.join('  ')}
      </span>
      <span role="gridcell" class="number">
        {row.cpl}
      </span>
      <span role="gridcell" class="where">
        {row.location.file === undefined ? (
          <span class="mono muted">{symbol ?? hex(row.eip)}</span>
        ) : (
          <button
            type="button"
            class="link"
            tabIndex={-1}
            title={`${hex(row.eip)} ${symbol ?? ''}`}
            onClick={() => openSource(row, true)}
          >
            {place} <span class="muted">{row.location.function}</span>
          </button>
        )}
      </span>
    </div>
  );
};

const Heading = () => (
  <div class="tr heading" role="row" aria-rowindex={1}>
    <span role="columnheader" class="number">
      {t('Time')}
    </span>
    <span role="columnheader">{t('Event')}</span>
    <span role="columnheader">{t('Details')}</span>
    <span role="columnheader" class="number" title={t('Current privilege level')}>
      CPL
    </span>
    <span role="columnheader">{t('Where')}</span>
  </div>
);

export const Table = () => {
  const body = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = body.current!;
    const observer = new ResizeObserver(() => (height.value = element.clientHeight));
    observer.observe(element);
    // Rows in sight are asked for.
    const stop = effect(() => {
      const first = firstRow() + Math.floor(scrollTop.value / ROW_HEIGHT);
      const last = Math.min(firstRow() + rowCount() - 1, first + Math.ceil(height.value / ROW_HEIGHT));
      for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page++) void askPage(page);
    });
    const stopSelected = effect(() => {
      const sequence = selected.value?.sequence;
      if (sequence === undefined) return;
      const top = (sequence - (visible.peek()?.first ?? 0)) * ROW_HEIGHT;
      if (top < element.scrollTop || top + ROW_HEIGHT > element.scrollTop + element.clientHeight) {
        element.scrollTop = top - element.clientHeight / 3;
      }
    });
    return () => {
      observer.disconnect();
      stop();
      stopSelected();
    };
  }, []);

  const move = async (event: KeyboardEvent): Promise<void> => {
    const shown = Math.max(1, Math.floor(height.peek() / ROW_HEIGHT) - 1);
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: shown,
      PageUp: -shown,
      Home: -Infinity,
      End: Infinity,
    };
    const by = steps[event.key];
    if (event.key === 'Enter' && selected.peek() !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      openSource(selected.peek(), false);
    } else if (by !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      event.stopPropagation();
      const [first, last] = [firstRow(), firstRow() + rowCount() - 1];
      const from = selected.peek()?.sequence ?? first - Math.sign(by);
      await selectSequence(Math.min(last, Math.max(first, from + by)));
      body.current?.querySelector<HTMLElement>('.tr.selected')?.focus({ preventScroll: true });
    }
  };

  const first = firstRow();
  const total = rowCount();
  const all = (visible.value?.next ?? 0) - first;
  const from = Math.max(0, Math.floor(scrollTop.value / ROW_HEIGHT) - 2);
  const to = Math.min(total, from + Math.ceil(height.value / ROW_HEIGHT) + 4);
  const anySelected =
    selected.value !== undefined && selected.value.sequence >= first && selected.value.sequence < first + total;
  return (
    <div
      class="table"
      role="grid"
      aria-label={t('Events of the view')}
      aria-rowcount={total + 1}
      tabIndex={anySelected ? -1 : 0}
      onKeyDown={(event) => void move(event).catch(() => {})}
    >
      <Heading />
      <div class="body" ref={body} onScroll={({ currentTarget }) => (scrollTop.value = currentTarget.scrollTop)}>
        <div class="sheet" role="presentation" style={{ height: `${total * ROW_HEIGHT}px` }}>
          {Array.from({ length: Math.max(0, to - from) }, (_, index) => (
            <Row key={first + from + index} sequence={first + from + index} top={(from + index) * ROW_HEIGHT} />
          ))}
        </div>
        {total === 0 && widthOf(view.value) > 0 && <p class="nothing muted">{t('No event in this view.')}</p>}
      </div>
      {all > total && (
        <p class="cut muted" role="note">
          {t('The first {0} of {1} records of the view; zoom in for the others.', count(total), count(all))}
        </p>
      )}
    </div>
  );
};
