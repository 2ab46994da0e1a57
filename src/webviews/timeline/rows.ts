// The rows of the timeline from top to bottom: the mode bar, then groups with their lanes. Where each is, and what is at a height.

import { LANE_GROUPS, type Lane, type LaneGroup, type TimelineWindow } from '../../protocol/timeline.ts';
import { t } from '../common/vscode-api.ts';

export const MODE_HEIGHT = 34;
export const GROUP_HEIGHT = 24;
export const LANE_HEIGHT = 24;

interface At {
  readonly top: number;
  readonly height: number;
}
export type Row = At &
  (
    | { readonly kind: 'mode' }
    | {
        readonly kind: 'group';
        readonly group: LaneGroup;
        readonly total: number;
        readonly open: boolean;
        /** Indices in the window's counts. */
        readonly members: readonly number[];
      }
    | {
        readonly kind: 'lane';
        readonly lane: Lane;
        /** Index in the window's counts. */
        readonly index: number;
        readonly total: number;
      }
  );

export const GROUP_NAMES: Readonly<Record<LaneGroup, () => string>> = {
  exit: () => t('VM exits by reason'),
  mode: () => t('VMX'),
  memory: () => t('Memory and shadow paging'),
  interrupt: () => t('Interrupts'),
  sched: () => t('Scheduling'),
  device: () => t('Devices'),
  control: () => t('Run and monitor'),
};

export const rowsOf = (
  window: Pick<TimelineWindow, 'lanes' | 'totals'>,
  lanes: ReadonlyMap<number, Lane>,
  closed: ReadonlySet<string>,
): Row[] => {
  const rows: Row[] = [];
  let top = 0;
  const push = (height: number): At => {
    const at = { top, height };
    top += height;
    return at;
  };
  rows.push({ kind: 'mode', ...push(MODE_HEIGHT) });
  for (const group of LANE_GROUPS) {
    const members = [...lanes.values()].flatMap((lane) => {
      const index = lane.group === group ? window.lanes.indexOf(lane.code) : -1;
      return index < 0 ? [] : [{ lane, index, total: window.totals[index]! }];
    });
    if (members.length === 0) continue;
    const open = !closed.has(group);
    const total = members.reduce((sum, member) => sum + member.total, 0);
    rows.push({ kind: 'group', group, total, open, members: members.map(({ index }) => index), ...push(GROUP_HEIGHT) });
    if (open) for (const member of members) rows.push({ kind: 'lane', ...member, ...push(LANE_HEIGHT) });
  }
  return rows;
};

export const rowAt = (rows: readonly Row[], y: number): Row | undefined =>
  rows.find(({ top, height }) => y >= top && y < top + height);

export const heightOf = (rows: readonly Row[]): number => {
  const last = rows.at(-1);
  return last === undefined ? 0 : last.top + last.height;
};
