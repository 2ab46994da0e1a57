// The lanes and the ruler above them: drawing, pointer and wheel. Keys are the page's (main.tsx).

import { useEffect, useRef } from 'preact/hooks';
import { ask, t } from '../common/vscode-api.ts';
import { useDrawing } from './canvas.ts';
import { drawLanes, drawOverview, drawRuler, prepare, type Scene } from './draw.ts';
import { Gutter } from './Gutter.tsx';
import {
  cyclesPerSecond,
  data,
  lane,
  lanesHeight,
  menuOf,
  mode,
  openSource,
  pan,
  pixels,
  pointer,
  range,
  rows,
  run,
  select,
  selected,
  selectSequence,
  show,
  view,
  whole,
  zoom,
} from './model.ts';
import { type Target, targetAt } from './pointer.ts';
import { fitted, panned, widthOf } from './scale.ts';
import { theme } from './theme.ts';
import { hover } from './Tooltip.tsx';

const RULER_HEIGHT = 24;
const OVERVIEW_HEIGHT = 32;
/** A press that moves less is a click. */
const CLICK = 4;

const scene = (height: number): Scene | undefined =>
  data.value === undefined
    ? undefined
    : {
        window: data.value,
        view: view.value,
        rows: rows.value,
        theme: theme.value,
        width: pixels.value,
        height,
        range: range.value,
        selected: selected.value?.cycles,
        selectedLane: lane.value,
        cyclesPerSecond: cyclesPerSecond.value,
      };

const cyclesAt = (x: number): number => view.peek().t0 + (x / pixels.peek()) * widthOf(view.peek());

const openTarget = async (target: Target): Promise<void> => {
  if (target.kind === 'event') openSource(await selectSequence(target.sequence), true);
  else if (target.kind === 'column') {
    const { first } = await ask({ name: 'window', t0: target.span.t0, t1: target.span.t1, pixels: 1 });
    const row = await ask({ name: 'find', from: first - 1, direction: 1, lane: target.lane });
    if (row !== undefined) {
      select(row);
      openSource(row, true);
    }
  }
};

type Drag =
  | { readonly kind: 'range'; readonly from: number; readonly x: number; readonly y: number; readonly ruler: boolean }
  | { readonly kind: 'pan'; readonly x: number; readonly view: { readonly t0: number; readonly t1: number } };

const usePointer = (ruler: boolean) => {
  const drag = useRef<Drag | undefined>(undefined);
  const moved = useRef(false);
  return {
    onPointerDown: (event: PointerEvent) => {
      if (event.button > 1) return;
      const element = event.currentTarget as HTMLElement;
      element.setPointerCapture(event.pointerId);
      moved.current = false;
      const { offsetX: x, offsetY: y } = event;
      drag.current =
        event.shiftKey || event.button === 1
          ? { kind: 'pan', x, view: view.peek() }
          : { kind: 'range', from: cyclesAt(x), x, y, ruler };
      if (event.button === 1) event.preventDefault();
    },
    onPointerMove: (event: PointerEvent) => {
      const { offsetX: x, offsetY: y } = event;
      pointer.value = cyclesAt(x);
      const current = drag.current;
      if (current !== undefined && Math.abs(x - current.x) >= CLICK) moved.current = true;
      if (current === undefined) {
        const window = data.peek();
        const target =
          ruler || window === undefined ? undefined : targetAt(window, rows.peek(), view.peek(), pixels.peek(), x, y);
        hover.value = target === undefined ? undefined : { target, x: event.clientX, y: event.clientY };
      } else if (moved.current) {
        hover.value = undefined;
        if (current.kind === 'pan') {
          const cycles = ((current.x - x) / pixels.peek()) * widthOf(current.view);
          mode.value = 'free';
          view.value = panned(current.view, cycles, run.peek());
        } else range.value = { t0: current.from, t1: cyclesAt(x) };
      }
    },
    onPointerUp: (event: PointerEvent) => {
      const current = drag.current;
      drag.current = undefined;
      if (current === undefined) return;
      if (moved.current) {
        if (current.kind === 'range' && current.ruler && range.peek() !== undefined) {
          const { t0, t1 } = range.peek()!;
          show({ t0: Math.min(t0, t1), t1: Math.max(t0, t1) });
          range.value = undefined;
        }
        return;
      }
      const window = data.peek();
      if (ruler || window === undefined) return;
      const target = targetAt(window, rows.peek(), view.peek(), pixels.peek(), event.offsetX, event.offsetY);
      if (target === undefined || target.kind === 'mode') range.value = undefined;
      else void openTarget(target).catch(() => {});
    },
    onPointerLeave: () => {
      hover.value = undefined;
      pointer.value = undefined;
    },
    onContextMenu: (event: MouseEvent) => {
      const window = data.peek();
      const target =
        ruler || window === undefined
          ? undefined
          : targetAt(window, rows.peek(), view.peek(), pixels.peek(), event.offsetX, event.offsetY);
      const sequence = target?.kind === 'event' ? target.sequence : undefined;
      // VS Code reads it when the event has come up to the window.
      (event.currentTarget as HTMLElement).dataset['vscodeContext'] = menuOf(sequence);
      hover.value = undefined;
      if (sequence !== undefined) void selectSequence(sequence).catch(() => {});
    },
    onDblClick: () => {
      if (ruler) mode.value = 'fit';
    },
  };
};

const onWheel = (event: WheelEvent): void => {
  const sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
  if (event.ctrlKey) {
    event.preventDefault();
    zoom(1.0015 ** event.deltaY);
  } else if (sideways !== 0 && (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))) {
    event.preventDefault();
    pan(sideways / pixels.peek());
  }
};

const Overview = () => {
  const canvas = useDrawing((element) => {
    const context = prepare(element, pixels.value, OVERVIEW_HEIGHT);
    drawOverview(context, whole.value, view.value, theme.value, pixels.value, OVERVIEW_HEIGHT);
  });
  const centre = (event: PointerEvent): void => {
    if (event.buttons !== 1) return;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    const all = fitted(run.peek());
    const at = all.t0 + (event.offsetX / pixels.peek()) * widthOf(all);
    const half = widthOf(view.peek()) / 2;
    show({ t0: at - half, t1: at + half });
  };
  return (
    <canvas
      ref={canvas}
      class="overview"
      style={{ width: `${pixels.value}px`, height: `${OVERVIEW_HEIGHT}px` }}
      aria-hidden="true"
      onPointerDown={centre}
      onPointerMove={centre}
    />
  );
};

const Ruler = () => {
  const canvas = useDrawing((element) => {
    const context = prepare(element, pixels.value, RULER_HEIGHT);
    const current = scene(RULER_HEIGHT);
    if (current !== undefined) drawRuler(context, current);
  });
  return (
    <canvas
      ref={canvas}
      class="ruler"
      style={{ width: `${pixels.value}px`, height: `${RULER_HEIGHT}px` }}
      aria-hidden="true"
      {...usePointer(true)}
    />
  );
};

export const Lanes = () => {
  const box = useRef<HTMLDivElement>(null);
  const area = useRef<HTMLDivElement>(null);
  const canvas = useDrawing((element) => {
    const height = lanesHeight.value;
    const context = prepare(element, pixels.value, height);
    const current = scene(height);
    if (current !== undefined) drawLanes(context, current);
  });
  useEffect(() => {
    const element = area.current!;
    // A multiple of four, so that the margin beside the view is a whole number of pixels.
    const measure = (): void => void (pixels.value = Math.max(80, Math.floor(element.clientWidth / 4) * 4));
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    // Preact's listeners are passive for wheel; ours has to keep the browser from zooming.
    const whole = box.current!;
    whole.addEventListener('wheel', onWheel, { passive: false });
    return () => {
      observer.disconnect();
      whole.removeEventListener('wheel', onWheel);
    };
  }, []);
  useEffect(() => {
    if (lane.value === undefined) return;
    const row = rows.value.find((one) => one.kind === 'lane' && one.lane.code === lane.value);
    const scroll = box.current?.querySelector('.scroll');
    if (row === undefined || scroll === undefined || scroll === null) return;
    if (row.top < scroll.scrollTop) scroll.scrollTop = row.top;
    else if (row.top + row.height > scroll.scrollTop + scroll.clientHeight) {
      scroll.scrollTop = row.top + row.height - scroll.clientHeight;
    }
  }, [lane.value]);
  return (
    <div class="lanes" ref={box}>
      <div class="head">
        <div class="corner muted">{t('Whole run')}</div>
        <Overview />
        <div class="corner" />
        <Ruler />
      </div>
      <div class="scroll">
        <Gutter />
        <div class="area" ref={area}>
          <canvas
            ref={canvas}
            style={{ width: `${pixels.value}px`, height: `${lanesHeight.value}px` }}
            role="img"
            aria-label={t('Timeline of the events; the table below lists them')}
            {...usePointer(false)}
          />
        </div>
      </div>
    </div>
  );
};
