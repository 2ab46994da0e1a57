// The keys and gestures of the timeline, from the same table that handles them.

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../common/vscode-api.ts';
import { ACTIONS, GESTURES } from './keys.ts';

export const helpOpen = signal(false);

export const Help = () => {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = helpOpen.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  const rows: readonly (readonly [string, () => string])[] = [
    ...Object.values(ACTIONS).map(({ show, text }) => [show, text] as const),
    ...GESTURES.map(([gesture, text]) => [gesture(), text] as const),
  ];
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (helpOpen.value = false)}>
      <h2 id="help-title">{t('Keys of the Event Timeline')}</h2>
      <dl>
        {rows.map(([keys, text]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{text()}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit" class="button primary">
          {t('Close')}
        </button>
      </form>
    </dialog>
  );
};
