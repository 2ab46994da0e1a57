// The page's end of the line to the extension: messages, questions with answers, and the small state that survives a reload.
// Not what any page shows.

import type { Question, QuestionName, Questions } from '../../protocol/machine.ts';
import type { FromPage, ToPage } from '../../protocol/pages.ts';
import { translator } from '../../protocol/strings.ts';

interface Api {
  postMessage(message: FromPage): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): Api;

const api = acquireVsCodeApi();

export const post = (message: FromPage): void => api.postMessage(message);

/** Small, structured-cloneable. What it holds came from an earlier version of the page perhaps: check it. */
export const savedState = (): Readonly<Record<string, unknown>> => {
  const state = api.getState();
  return typeof state === 'object' && state !== null ? (state as Record<string, unknown>) : {};
};

export const saveState = (change: Readonly<Record<string, unknown>>): void =>
  api.setState({ ...savedState(), ...change });

const strings = document.getElementById('strings')?.textContent ?? '{}';
/** Text in the display language. */
export const t = translator(JSON.parse(strings) as Record<string, string>);

/** The display language, for numbers. */
const language = document.documentElement.lang || 'en';
export const grouped = new Intl.NumberFormat(language);

const pending = new Map<number, { readonly ok: (answer: never) => void; readonly fail: (error: Error) => void }>();
let lastQuestion = 0;

export const ask = <N extends QuestionName>(
  question: { readonly name: N } & Questions[N]['ask'],
): Promise<Questions[N]['answer']> => {
  const id = ++lastQuestion;
  return new Promise((ok, fail) => {
    pending.set(id, { ok, fail });
    post({ type: 'ask', id, question: question as Question });
  });
};

type Pushed = Exclude<ToPage, { readonly type: 'answer' } | { readonly type: 'failure' }>;

/** Starts the conversation. `receive` gets everything but answers. */
export const listen = (receive: (message: Pushed) => void): void => {
  window.addEventListener('message', ({ data }: MessageEvent<ToPage>) => {
    if (data.type === 'answer') {
      pending.get(data.id)?.ok(data.answer as never);
      pending.delete(data.id);
    } else if (data.type === 'failure') {
      pending.get(data.id)?.fail(new Error(data.message));
      pending.delete(data.id);
    } else receive(data);
  });
  post({ type: 'ready' });
};
