// VMCS: every field by group, decoded; fields that changed between the last two VM exits carry a dot and weight besides colour.

import { computed, signal } from '@preact/signals';
import { render } from 'preact';
import chevron from '@vscode/codicons/src/icons/chevron-right.svg';
import type { VmcsView } from '../../protocol/machine.ts';
import type { VmcsFieldView } from '../../protocol/views.ts';
import { Address } from '../common/Address.tsx';
import { hex } from '../common/format.ts';
import { Frame } from '../common/Frame.tsx';
import { setGuest } from '../common/guest.ts';
import { Icon } from '../common/Icon.tsx';
import { listen, savedState, saveState, t } from '../common/vscode-api.ts';
import '../common/page.css';
import './vmcs.css';

const saved = savedState();
const view = signal<VmcsView | undefined>(undefined);
const filter = signal(typeof saved['filter'] === 'string' ? saved['filter'] : '');
const changedOnly = signal(saved['changedOnly'] === true);
const closed = signal<ReadonlySet<string>>(
  new Set(Array.isArray(saved['closed']) ? saved['closed'].filter((name) => typeof name === 'string') : []),
);

/** A meaning that only says the value again is none. */
const PLAIN_NUMBER = /^0x[0-9a-f]+$/i;

const valueOf = (field: VmcsFieldView): string =>
  field.width === 64 ? `${hex(field.high)} ${hex(field.low)}` : hex(field.low, field.width / 4);

/** What the last exit says comes first. Groups not named here follow as the session has them. */
const FIRST_GROUPS = ['Exit information', 'Guest state'];
const rank = (group: string): number => {
  const at = FIRST_GROUPS.indexOf(group);
  return at < 0 ? FIRST_GROUPS.length : at;
};

const shown = computed(() => {
  const words = filter.value
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const groups = new Map<string, VmcsFieldView[]>();
  for (const field of view.value?.fields ?? []) {
    if (changedOnly.value && !field.changed) continue;
    const text = `${field.name} ${field.decoded} ${hex(field.encoding, 4)} ${valueOf(field)}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    const group = groups.get(field.group);
    if (group === undefined) groups.set(field.group, [field]);
    else group.push(field);
  }
  return [...groups].sort(([a], [b]) => rank(a) - rank(b));
});

const toggle = (group: string, open: boolean): void => {
  const next = new Set(closed.value);
  if (open) next.delete(group);
  else next.add(group);
  closed.value = next;
  saveState({ closed: [...next] });
};

const Field = ({ field }: { readonly field: VmcsFieldView }) => {
  const location = view.value?.locations[field.low];
  const linked = location !== undefined && /\b(RIP|RSP|linear address)\b/i.test(field.name);
  return (
    <tr class={field.changed ? 'is-changed' : ''}>
      <th scope="row" title={t('Encoding {0}', `0x${hex(field.encoding, 4)}`)}>
        <span class={field.changed ? 'changed' : ''}>{field.name}</span>
        {field.changed && <span class="visually-hidden">{t('changed')}</span>}
      </th>
      <td class="mono value">
        {linked ? <Address value={field.low} location={location} text={valueOf(field)} /> : valueOf(field)}
      </td>
      <td class="decoded">{PLAIN_NUMBER.test(field.decoded) ? '' : field.decoded}</td>
    </tr>
  );
};

const Page = () => {
  const fields = view.value?.fields ?? [];
  const changes = fields.filter((field) => field.changed).length;
  return (
    <Frame promise={t('Boot a guest to see the fields of its virtual-machine control structure here.')}>
      <main>
        <div class="tools" role="search">
          <input
            class="input"
            type="search"
            placeholder={t('Filter fields')}
            aria-label={t('Filter fields')}
            value={filter.value}
            onInput={({ currentTarget }) => {
              filter.value = currentTarget.value;
              saveState({ filter: currentTarget.value });
            }}
          />
          <label title={t('Fields that changed between the last two VM exits')}>
            <input
              type="checkbox"
              checked={changedOnly.value}
              onChange={({ currentTarget }) => {
                changedOnly.value = currentTarget.checked;
                saveState({ changedOnly: currentTarget.checked });
              }}
            />
            <span class="changed">{t('{0} changed', changes)}</span>
          </label>
        </div>
        {fields.length > 0 && shown.value.length === 0 && <p class="nothing muted">{t('No field matches.')}</p>}
        {view.value !== undefined && fields.length === 0 && (
          <p class="nothing muted">{t('There is no VMCS: the kernel runs on the bare machine.')}</p>
        )}
        {shown.value.map(([group, members]) => (
          <details
            key={group}
            open={!closed.value.has(group)}
            onToggle={({ currentTarget }) => toggle(group, currentTarget.open)}
          >
            <summary>
              <Icon svg={chevron} />
              {group}
              <span class="tail">{members.length}</span>
            </summary>
            <table>
              <thead class="visually-hidden">
                <tr>
                  <th scope="col">{t('Field')}</th>
                  <th scope="col">{t('Value')}</th>
                  <th scope="col">{t('Meaning')}</th>
                </tr>
              </thead>
              <tbody>
                {members.map((field) => (
                  <Field key={field.encoding} field={field} />
                ))}
              </tbody>
            </table>
          </details>
        ))}
      </main>
    </Frame>
  );
};

listen((message) => {
  if (message.type === 'guest') {
    if (message.guest.phase !== 'live') view.value = undefined;
    setGuest(message.guest);
  } else if (message.type === 'vmcs') view.value = message.view;
});

render(<Page />, document.getElementById('page')!);
