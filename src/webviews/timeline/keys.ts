// The keys of the timeline: ONE table for the handler and the help. The same keys as Perfetto and Trace Compass.

import { t } from '../common/vscode-api.ts';

export const ACTIONS = {
  zoomIn: { keys: ['w', '+', '='], show: 'W  +', text: () => t('Zoom in, about the pointer') },
  zoomOut: { keys: ['s', '-'], show: 'S  −', text: () => t('Zoom out') },
  panLeft: { keys: ['a', 'ArrowLeft'], show: 'A  ←', text: () => t('Earlier') },
  panRight: { keys: ['d', 'ArrowRight'], show: 'D  →', text: () => t('Later') },
  laneUp: { keys: ['ArrowUp'], show: '↑', text: () => t('Lane above') },
  laneDown: { keys: ['ArrowDown'], show: '↓', text: () => t('Lane below') },
  next: { keys: ['.'], show: '.', text: () => t('Next event of the lane') },
  previous: { keys: [','], show: ',', text: () => t('Previous event of the lane') },
  open: { keys: ['Enter'], show: 'Enter', text: () => t('Open the source line of the selected event') },
  travel: { keys: ['g'], show: 'G', text: () => t('Go to the selected event in the debugger') },
  fit: { keys: ['f'], show: 'F', text: () => t('Fit the whole run') },
  zoomToRange: { keys: ['z'], show: 'Z', text: () => t('Zoom to T1–T2') },
  follow: { keys: ['l'], show: 'L', text: () => t('Follow the newest events') },
  start: { keys: ['Home'], show: 'Home', text: () => t('Start of the run') },
  end: { keys: ['End'], show: 'End', text: () => t('End of the run') },
  clear: { keys: ['Escape'], show: 'Esc', text: () => t('Clear T1–T2 and the selection') },
  help: { keys: ['?'], show: '?', text: () => t('This help') },
} as const;

export type ActionName = keyof typeof ACTIONS;

/** The mouse has no names in a table of keys; the help shows these as well. */
export const GESTURES: readonly (readonly [() => string, () => string])[] = [
  [() => t('Ctrl+wheel'), () => t('Zoom about the pointer')],
  [() => t('Shift+wheel'), () => t('Earlier, later')],
  [() => t('Drag'), () => t('Select T1–T2')],
  [() => t('Shift+drag'), () => t('Move the view')],
  [() => t('Click'), () => t('Select an event and open its source line')],
  [() => t('Double-click on the ruler'), () => t('Fit the whole run')],
];

const BY_KEY = new Map<string, ActionName>(
  (Object.entries(ACTIONS) as [ActionName, (typeof ACTIONS)[ActionName]][]).flatMap(([name, { keys }]) =>
    keys.map((key) => [key, name] as const),
  ),
);

/** Undefined: not ours, VS Code may have it. */
export const actionOf = (event: KeyboardEvent): ActionName | undefined =>
  event.ctrlKey || event.metaKey || event.altKey
    ? undefined
    : BY_KEY.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
