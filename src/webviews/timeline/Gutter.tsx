// The names of the rows, beside the canvas: ordinary elements, so that they can be read, focused and clicked. Also the legend:
// each lane shows its mark and colour.

import chevron from '@vscode/codicons/src/icons/chevron-right.svg';
import { count, percent, shortCount } from '../common/format.ts';
import { Icon } from '../common/Icon.tsx';
import { t } from '../common/vscode-api.ts';
import { columnsOf } from './columns.ts';
import { data, lane, pixels, rows, toggleGroup, view, visible } from './model.ts';
import { GROUP_NAMES, type Row } from './rows.ts';
import { pathOf } from './shapes.ts';

const Mode = ({ row }: { readonly row: Row }) => {
  const part = visible.value?.hypervisor[0];
  return (
    <div class="row mode" style={{ height: `${row.height}px` }}>
      <span class="name">
        <span class="swatch guest" />
        {t('Guest')}
        <span class="swatch hypervisor" />
        {t('Hypervisor')}
      </span>
      <span class="tail" title={t('Share of the view spent in the hypervisor')}>
        {part === undefined || part < 0 ? '' : percent(part)}
      </span>
    </div>
  );
};

const Group = ({ row }: { readonly row: Extract<Row, { readonly kind: 'group' }> }) => (
  <button
    type="button"
    class="row group"
    style={{ height: `${row.height}px` }}
    aria-expanded={row.open}
    onClick={() => toggleGroup(row.group)}
  >
    <Icon svg={chevron} />
    <span class="name">{GROUP_NAMES[row.group]()}</span>
    <span class="tail">{shortCount(row.total)}</span>
  </button>
);

const LaneRow = ({ row }: { readonly row: Extract<Row, { readonly kind: 'lane' }> }) => {
  const { code, name, text, shape, tone } = row.lane;
  const window = data.value;
  const most = window === undefined ? 0 : columnsOf(window, row.index, view.value, pixels.value).most;
  return (
    <button
      type="button"
      class="row lane"
      style={{ height: `${row.height}px` }}
      tabIndex={-1}
      aria-pressed={lane.value === code}
      title={`${text}\n${t('{0} events in the run', count(row.total))}${most > 1 ? `\n${t('up to {0} in one pixel', count(most))}` : ''}`}
      onClick={() => (lane.value = code)}
    >
      <svg
        width="12"
        height="12"
        viewBox="0 0 12 12"
        aria-hidden="true"
        style={{ color: `var(--vscode-kansoku-${tone})` }}
      >
        <path d={pathOf(shape)} fill="currentColor" />
      </svg>
      <span class="name">{name}</span>
      <span class="tail">{most > 1 ? `≤${shortCount(most)}/px` : ''}</span>
    </button>
  );
};

export const Gutter = () => (
  <div class="gutter" role="group" aria-label={t('Lanes')}>
    {rows.value.map((row) =>
      row.kind === 'mode' ? (
        <Mode key="mode" row={row} />
      ) : row.kind === 'group' ? (
        <Group key={row.group} row={row} />
      ) : (
        <LaneRow key={row.lane.code} row={row} />
      ),
    )}
  </div>
);
