// What every page does when there is no machine to show: says so, says why, and offers the next step.

import type { ComponentChildren } from 'preact';
import play from '@vscode/codicons/src/icons/play.svg';
import rerun from '@vscode/codicons/src/icons/debug-rerun.svg';
import { endedWithWindow, guest } from './guest.ts';
import { Icon } from './Icon.tsx';
import { post, t } from './vscode-api.ts';

interface Props {
  /** What this page shows once a guest runs. */
  readonly promise: string;
  readonly children: ComponentChildren;
}

const Empty = ({ promise }: { readonly promise: string }) => {
  const state = guest.value;
  if (state === undefined) return null;
  if (state.phase === 'booting') {
    return (
      <main class="empty" aria-busy="true">
        <div class="progress" role="progressbar" aria-label={t('Booting {0}', state.image)} />
        <p>{t('Booting {0}', state.image)}</p>
      </main>
    );
  }
  if (state.phase !== 'none') return null;
  const ended = endedWithWindow.value;
  return (
    <main class="empty">
      <h2>{t('No guest is running')}</h2>
      <p>
        {ended === undefined
          ? promise
          : t('{0} ended when the window was loaded again: the machine lives in this window.', ended)}
      </p>
      <div class="buttons">
        {state.last !== undefined && (
          <button type="button" class="button primary" onClick={() => post({ type: 'command', command: 'bootAgain' })}>
            <Icon svg={rerun} />
            {t('Boot {0} Again', state.last)}
          </button>
        )}
        <button
          type="button"
          class={`button ${state.last === undefined ? 'primary' : 'secondary'}`}
          onClick={() => post({ type: 'command', command: 'bootGuest' })}
        >
          <Icon svg={play} />
          {t('Boot Guest…')}
        </button>
      </div>
    </main>
  );
};

export const Frame = ({ promise, children }: Props) =>
  guest.value?.phase === 'live' ? <>{children}</> : <Empty promise={promise} />;
