// The guest's state as every page has it, as signals.

import { computed, signal } from '@preact/signals';
import type { GuestState } from '../../protocol/pages.ts';
import { savedState, saveState } from './vscode-api.ts';

export const guest = signal<GuestState | undefined>(undefined);

export const live = computed(() => (guest.value?.phase === 'live' ? guest.value : undefined));

/** The image that ran in this page before the window was loaded again, if that is why nothing runs now. */
export const endedWithWindow = signal<string | undefined>(undefined);

let seenLive = false;

export const setGuest = (state: GuestState): void => {
  guest.value = state;
  if (state.phase === 'live') {
    if (!seenLive) saveState({ ran: state.image });
    seenLive = true;
    endedWithWindow.value = undefined;
  } else if (state.phase === 'none') {
    const ran = savedState()['ran'];
    endedWithWindow.value = !seenLive && typeof ran === 'string' ? ran : undefined;
    // Stopped by the user while the page watched: not the window's doing.
    if (seenLive) saveState({ ran: undefined });
  }
};
