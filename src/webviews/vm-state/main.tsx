// VM State: domains, their vCPUs with mode, run state and registers, and where the time goes (exits by reason).
// Values that changed since the last picture are marked while the guest stands still; a running guest changes all the time.

import { render } from 'preact';
import { signal } from '@preact/signals';
import chevron from '@vscode/codicons/src/icons/chevron-right.svg';
import type { VmStateView } from '../../protocol/machine.ts';
import type { DomainView, Stop, VcpuView } from '../../protocol/views.ts';
import { shortPlace, symbolOf } from '../common/Address.tsx';
import { bytes, count, duration, percent, shortCount, speed } from '../common/format.ts';
import { Frame } from '../common/Frame.tsx';
import { live, setGuest } from '../common/guest.ts';
import { Icon } from '../common/Icon.tsx';
import { listen, post, t } from '../common/vscode-api.ts';
import { Registers } from './registers.tsx';
import '../common/page.css';
import './vm-state.css';

const view = signal<VmStateView | undefined>(undefined);
/** The picture when the guest last stood still: what is marked as changed is compared with it. */
const before = signal<VmStateView | undefined>(undefined);

const RUN_STATES: Readonly<Record<VcpuView['runState'], () => string>> = {
  running: () => t('running'),
  runnable: () => t('runnable'),
  blocked: () => t('blocked'),
  paused: () => t('paused'),
  shutdown: () => t('shut down'),
};

const Summary = () => {
  const state = live.value;
  if (state === undefined) return null;
  const { status } = state;
  const facts: readonly (readonly [string, string])[] = [
    [t('Instructions'), count(status.instructions)],
    [t('Virtual time'), duration(status.virtualSeconds)],
    [
      t('Speed'),
      status.state !== 'running' ? '–' : status.idle ? `${speed(status.speed)} (${t('idle')})` : speed(status.speed),
    ],
    [t('VM exits'), count(status.exits)],
    [
      t('Events'),
      status.extent.lost === 0
        ? count(status.extent.records)
        : t('{0}, {1} lost', count(status.extent.records), count(status.extent.lost)),
    ],
  ];
  return (
    <section class="summary" aria-label={t('Summary')}>
      <header>
        <h2>{state.image}</h2>
        <span class={`badge ${status.state}`}>
          {status.state === 'running' ? t('running') : status.state === 'paused' ? t('paused') : t('stopped')}
        </span>
      </header>
      {state.stop !== undefined && <StopBox stop={state.stop} />}
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
};

const StopBox = ({ stop }: { readonly stop: Stop }) => {
  const place = live.value?.stopLocation;
  const orderly = ['power-off', 'debug-exit', 'reset'].includes(stop.kind);
  return (
    <div class={`stop ${orderly ? 'orderly' : 'died'}`} role="status">
      <p>{stop.message}</p>
      {stop.details.length > 0 && (
        <ul>
          {stop.details.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      )}
      {!orderly && place?.file !== undefined && (
        <button
          type="button"
          class="link"
          onClick={() => post({ type: 'open', address: place.address, keepFocus: false })}
        >
          {t('Open {0}', shortPlace(place) ?? '')}
        </button>
      )}
    </div>
  );
};

const Vcpu = ({ domain, vcpu }: { readonly domain: DomainView; readonly vcpu: VcpuView }) => {
  const current = view.value!;
  const place = current.locations[vcpu.registers.eip];
  // The session knows nothing of our pausing.
  const runState = live.value?.status.state === 'paused' && vcpu.runState !== 'shutdown' ? 'paused' : vcpu.runState;
  const old = before.value?.domains.find(({ id }) => id === domain.id)?.vcpus.find(({ id }) => id === vcpu.id);
  return (
    <details open>
      <summary>
        <Icon svg={chevron} />
        {t('vCPU {0}', vcpu.id)}
        <span class="tail">
          {RUN_STATES[runState]()} · {vcpu.mode}
        </span>
      </summary>
      {place !== undefined && (
        <p class="here">
          <button
            type="button"
            class="link"
            onClick={() => post({ type: 'open', address: place.address, keepFocus: false })}
          >
            <span class="mono">{symbolOf(place)}</span>
            {shortPlace(place) !== undefined && ` ${shortPlace(place)}`}
          </button>
        </p>
      )}
      <Registers
        registers={vcpu.registers}
        old={live.value?.status.state === 'running' ? undefined : old?.registers}
        locations={current.locations}
      />
    </details>
  );
};

const Exits = ({ current }: { readonly current: VmStateView }) => {
  const exits = [...current.counters.exits].filter((exit) => exit.count > 0).sort((a, b) => b.count - a.count);
  const total = exits.reduce((sum, exit) => sum + exit.count, 0);
  const cycles = exits.reduce((sum, exit) => sum + exit.cycles, 0);
  if (exits.length === 0) return null;
  return (
    <details open>
      <summary>
        <Icon svg={chevron} />
        {t('VM exits by reason')}
        <span class="tail">{shortCount(total)}</span>
      </summary>
      <table class="exits">
        <thead>
          <tr>
            <th scope="col">{t('Reason')}</th>
            <th scope="col" class="number">
              {t('Count')}
            </th>
            <th scope="col" class="number" title={t('Share of the hypervisor’s cycles')}>
              {t('Cycles')}
            </th>
          </tr>
        </thead>
        <tbody>
          {exits.map((exit) => (
            <tr key={exit.reason}>
              <td title={`${exit.reason}: ${exit.name}`}>
                <div class="bar" style={{ width: `${(100 * exit.count) / exits[0]!.count}%` }} />
                <span>{exit.name}</span>
              </td>
              <td class="number">{shortCount(exit.count)}</td>
              <td class="number">{cycles === 0 ? '–' : percent(exit.cycles / cycles)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
};

const Counts = ({ title, counts }: { readonly title: string; readonly counts: Readonly<Record<string, number>> }) => {
  const rows = Object.entries(counts).filter(([, value]) => value > 0);
  if (rows.length === 0) return null;
  return (
    <details>
      <summary>
        <Icon svg={chevron} />
        {title}
      </summary>
      <table>
        <tbody>
          {rows.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="number">{count(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
};

const Page = () => (
  <Frame promise={t('Boot a guest to see its domains, processors and registers here.')}>
    <main>
      <Summary />
      {view.value?.domains.map((domain) => (
        <section key={domain.id} class="domain" aria-label={domain.name}>
          <h3>
            {t('Domain {0}', domain.id)}{' '}
            <span class="muted">
              {domain.name} · {bytes(domain.memoryBytes)}
            </span>
          </h3>
          {domain.vcpus.map((vcpu) => (
            <Vcpu key={vcpu.id} domain={domain} vcpu={vcpu} />
          ))}
        </section>
      ))}
      {view.value !== undefined && (
        <>
          <Exits current={view.value} />
          <Counts title={t('Shadow paging')} counts={view.value.counters.shadow} />
          <Counts title={t('Interrupts')} counts={view.value.counters.interrupts} />
        </>
      )}
    </main>
  </Frame>
);

listen((message) => {
  if (message.type === 'guest') {
    if (message.guest.phase !== 'live') view.value = before.value = undefined;
    setGuest(message.guest);
  } else if (message.type === 'vmState') {
    if (live.value?.status.state === 'running' || before.value === undefined) before.value = view.value;
    view.value = message.view;
  }
});

render(<Page />, document.getElementById('page')!);
