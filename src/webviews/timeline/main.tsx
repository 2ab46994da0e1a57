// Event Timeline: tools, lanes, table and status line, and the keys for all of them.

import { signal } from '@preact/signals';
import { render } from 'preact';
import goToEvent from '@vscode/codicons/src/icons/history.svg';
import question from '@vscode/codicons/src/icons/question.svg';
import zoomInIcon from '@vscode/codicons/src/icons/zoom-in.svg';
import zoomOutIcon from '@vscode/codicons/src/icons/zoom-out.svg';
import { count, duration } from '../common/format.ts';
import { Frame } from '../common/Frame.tsx';
import { live, setGuest } from '../common/guest.ts';
import { Icon } from '../common/Icon.tsx';
import { listen, post, savedState, saveState, t } from '../common/vscode-api.ts';
import { Help, helpOpen } from './Help.tsx';
import { type ActionName, actionOf } from './keys.ts';
import { Lanes } from './Lanes.tsx';
import {
  cyclesPerSecond,
  forget,
  mode,
  moveLane,
  openSource,
  pan,
  pixels,
  pointer,
  range,
  selected,
  start,
  step,
  toEnd,
  toStart,
  travel,
  view,
  visible,
  zoom,
  zoomToRange,
} from './model.ts';
import { widthOf } from './scale.ts';
import { forgetPages, Table, visibleAsText } from './Table.tsx';
import { watchTheme } from './theme.ts';
import { forgetRows, Tooltip } from './Tooltip.tsx';
import '../common/page.css';
import './timeline.css';

const LEAST_TABLE = 80;
const savedHeight = savedState()['tableHeight'];
const tableHeight = signal(
  typeof savedHeight === 'number' ? savedHeight : Math.max(LEAST_TABLE, Math.min(220, innerHeight * 0.32)),
);
const announced = signal('');

const actions: Readonly<Record<ActionName, () => void>> = {
  zoomIn: () => zoom(1 / 1.5),
  zoomOut: () => zoom(1.5),
  panLeft: () => pan(-0.25),
  panRight: () => pan(0.25),
  laneUp: () => moveLane(-1),
  laneDown: () => moveLane(1),
  next: () => void step(1).then(announce, () => {}),
  previous: () => void step(-1).then(announce, () => {}),
  open: () => openSource(selected.value, false),
  travel,
  fit: () => (mode.value = 'fit'),
  zoomToRange,
  follow: () => (mode.value = mode.value === 'follow' ? 'free' : 'follow'),
  start: toStart,
  end: toEnd,
  clear: () => {
    range.value = undefined;
    selected.value = undefined;
  },
  help: () => (helpOpen.value = true),
};

/** Screen readers hear the event that the keys went to; the pointer is silent. */
const announce = (): void => {
  const row = selected.value;
  if (row === undefined) return;
  const place = row.location.function ?? '';
  announced.value = `${row.title}, ${duration(row.cycles / cyclesPerSecond.value)}, ${place} ${row.operands.join(', ')}`;
};

const onKeyDown = (event: KeyboardEvent): void => {
  const target = event.target as HTMLElement;
  if (helpOpen.value || event.defaultPrevented) return;
  // Buttons keep Enter; the table handles its own arrows.
  if (event.key === 'Enter' && target.closest('button') !== null) return;
  const action = actionOf(event);
  if (action === undefined) return;
  event.preventDefault();
  actions[action]();
};

const Tools = () => {
  const running = live.value?.status.state === 'running';
  return (
    <div class="tools" role="toolbar" aria-label={t('Timeline tools')}>
      <button
        type="button"
        class="tool"
        aria-pressed={mode.value === 'fit'}
        title={t('Fit the whole run (F)')}
        onClick={actions.fit}
      >
        {t('Fit')}
      </button>
      <button
        type="button"
        class="tool"
        aria-pressed={mode.value === 'follow'}
        disabled={!running && mode.value !== 'follow'}
        title={t('Follow the newest events (L)')}
        onClick={actions.follow}
      >
        {t('Follow')}
      </button>
      <button
        type="button"
        class="tool"
        title={t('Zoom in (W)')}
        aria-label={t('Zoom in (W)')}
        onClick={actions.zoomIn}
      >
        <Icon svg={zoomInIcon} />
      </button>
      <button
        type="button"
        class="tool"
        title={t('Zoom out (S)')}
        aria-label={t('Zoom out (S)')}
        onClick={actions.zoomOut}
      >
        <Icon svg={zoomOutIcon} />
      </button>
      <button
        type="button"
        class="tool"
        disabled={selected.value === undefined}
        title={t('Go to the selected event in the debugger (G)')}
        aria-label={t('Go to the selected event in the debugger (G)')}
        onClick={actions.travel}
      >
        <Icon svg={goToEvent} />
      </button>
      <Range />
      <button type="button" class="tool" title={t('Keys (?)')} aria-label={t('Keys (?)')} onClick={actions.help}>
        <Icon svg={question} />
      </button>
    </div>
  );
};

const seconds = (cycles: number): number => cycles / cyclesPerSecond.value;

/** T1, T2 and their distance, always in the same place; without a range T1 is the pointer. */
const Range = () => {
  const chosen = range.value;
  const resolution = seconds(widthOf(view.value)) / Math.max(1, pixels.value);
  const text = (cycles: number | undefined): string =>
    cycles === undefined ? '–' : duration(seconds(cycles), resolution);
  const t1 = chosen === undefined ? pointer.value : Math.min(chosen.t0, chosen.t1);
  const t2 = chosen === undefined ? undefined : Math.max(chosen.t0, chosen.t1);
  return (
    <dl class="range">
      <dt>T1</dt>
      <dd>{text(t1)}</dd>
      <dt>T2</dt>
      <dd>{text(t2)}</dd>
      <dt>Δ</dt>
      <dd>{chosen === undefined ? '–' : duration(seconds(t2! - t1!))}</dd>
    </dl>
  );
};

const Status = () => {
  const state = live.value;
  if (state === undefined) return null;
  const shown = visible.value;
  const { extent } = state.status;
  const records = shown === undefined ? 0 : shown.next - shown.first;
  return (
    <footer class="status">
      <span>{t('View {0}', duration(seconds(widthOf(view.value))))}</span>
      <span>{t('1 px = {0}', duration(seconds(widthOf(view.value)) / pixels.value))}</span>
      <span>{t('{0} of {1} records', count(records), count(extent.records))}</span>
      {extent.lost > 0 && <span class="lost">{t('{0} lost', count(extent.lost))}</span>}
      <span class="tail">
        {state.status.state === 'running' ? t('running') : state.status.state === 'paused' ? t('paused') : t('stopped')}
      </span>
    </footer>
  );
};

const setTableHeight = (wanted: number): void => {
  tableHeight.value = Math.min(innerHeight - 160, Math.max(LEAST_TABLE, wanted));
  saveState({ tableHeight: tableHeight.value });
};

/** Between lanes and table: drag it, or arrow keys on it. */
const Sash = () => (
  <div
    class="sash"
    role="separator"
    aria-orientation="horizontal"
    aria-label={t('Height of the table')}
    aria-valuenow={Math.round(tableHeight.value)}
    tabIndex={0}
    onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
    onPointerMove={(event) => {
      if (event.buttons === 1) setTableHeight(innerHeight - event.clientY - 26);
    }}
    onKeyDown={(event) => {
      const by = event.key === 'ArrowUp' ? 22 : event.key === 'ArrowDown' ? -22 : 0;
      if (by === 0) return;
      event.preventDefault();
      setTableHeight(tableHeight.value + by);
    }}
  />
);

const Page = () => {
  const nothing = live.value !== undefined && live.value.status.extent.records === 0;
  return (
    <Frame promise={t('Boot a guest to see its VM exits, shadow-page events and interrupts on a timeline.')}>
      <main class="timeline" tabIndex={-1}>
        <Tools />
        {nothing && (
          <p class="nothing muted">
            {t('No event was recorded yet. The setting kansoku.observe says which kinds are.')}
          </p>
        )}
        <Lanes />
        <Sash />
        <div class="below" style={{ height: `${tableHeight.value}px` }}>
          <Table />
        </div>
        <Status />
        <Tooltip />
        <Help />
        <div class="visually-hidden" aria-live="polite">
          {announced.value}
        </div>
      </main>
    </Frame>
  );
};

listen((message) => {
  switch (message.type) {
    case 'guest': {
      const wasLive = live.value !== undefined;
      setGuest(message.guest);
      if (wasLive && message.guest.phase !== 'live') {
        forget();
        forgetPages();
        forgetRows();
      }
      return;
    }
    case 'invoke':
      if (message.action === 'copy')
        void visibleAsText().then(
          (text) => post({ type: 'copy', text }),
          () => {},
        );
      else actions[message.action]();
      return;
    default:
  }
});

watchTheme();
start();
window.addEventListener('keydown', onKeyDown);
render(<Page />, document.getElementById('page')!);
