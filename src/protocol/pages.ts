// The messages between the extension and its pages (webviews), and the data a page finds in its HTML when it starts.
// Types only. The pages trust the extension; the extension checks what pages send with `isFromPage`.

import type { MachineStatus, Question, QuestionName, VmcsView, VmStateView } from './machine.ts';
import type { Lane } from './timeline.ts';
import type { SourceLocation, Stop } from './views.ts';

/** What a page shows when no machine runs, and beside the data when one does. */
export type GuestState =
  /** `last`: name of the image booted before, for Boot Again. */
  | { readonly phase: 'none'; readonly last: string | undefined }
  | { readonly phase: 'booting'; readonly image: string }
  | {
      readonly phase: 'live';
      readonly image: string;
      readonly lanes: readonly Lane[];
      readonly cyclesPerSecond: number;
      readonly status: MachineStatus;
      readonly stop: Stop | undefined;
      readonly stopLocation: SourceLocation | undefined;
    };

export type ToPage =
  | { readonly type: 'guest'; readonly guest: GuestState }
  | { readonly type: 'vmState'; readonly view: VmStateView }
  | { readonly type: 'vmcs'; readonly view: VmcsView }
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'failure'; readonly id: number; readonly message: string }
  | { readonly type: 'invoke'; readonly action: PageAction };

/** Actions that a command of the extension asks a page to do. */
export const PAGE_ACTIONS = ['fit', 'follow', 'help', 'copy', 'travel'] as const;
export type PageAction = (typeof PAGE_ACTIONS)[number];

/** Commands that a page may run. Anything else is refused. */
export const PAGE_COMMANDS = ['bootGuest', 'bootAgain', 'pause', 'resume', 'stop', 'reset', 'openTimeline'] as const;
export type PageCommand = (typeof PAGE_COMMANDS)[number];

export const PAGE_QUESTIONS = ['window', 'rows', 'find', 'locate'] as const satisfies readonly QuestionName[];

export type FromPage =
  | { readonly type: 'ready' }
  | { readonly type: 'command'; readonly command: PageCommand }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  /** `keepFocus`: the page keeps the keyboard. */
  | { readonly type: 'open'; readonly address: number; readonly keepFocus: boolean }
  /** The debugger is to go to an event; without one: none is chosen. */
  | { readonly type: 'travel'; readonly sequence?: number }
  | { readonly type: 'copy'; readonly text: string };

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** The number of an event in the stream. */
export const isSequence = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** True for a message that a page of ours could have sent. */
export const isFromPage = (value: unknown): value is FromPage => {
  if (!isRecord(value)) return false;
  switch (value['type']) {
    case 'ready':
      return true;
    case 'command':
      return (PAGE_COMMANDS as readonly unknown[]).includes(value['command']);
    case 'ask':
      return (
        typeof value['id'] === 'number' &&
        isRecord(value['question']) &&
        (PAGE_QUESTIONS as readonly unknown[]).includes(value['question']['name'])
      );
    case 'open':
      return typeof value['address'] === 'number' && typeof value['keepFocus'] === 'boolean';
    case 'travel':
      return value['sequence'] === undefined || isSequence(value['sequence']);
    case 'copy':
      return typeof value['text'] === 'string';
    default:
      return false;
  }
};
