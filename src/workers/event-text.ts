// Records as rows of text for the timeline's table and tooltips. All wording of operands comes from monitor/codes.ts and the
// exit qualification's own table. Not the timeline's lanes (lanes.ts).

import { describeExit, EXIT_REASONS } from '../machine/vmx/exit-reasons.ts';
import { formatOperand } from '../monitor/codes.ts';
import { EVENT_BY_NUMBER, Kind } from '../monitor/events.ts';
import { cplAt, cyclesAt, eipAt, icountAt, kindAt, operandAt, RECORD_WORDS } from '../monitor/record.ts';
import type { EventRow } from '../protocol/timeline.ts';
import type { SourceLocation } from './session.ts';
import { laneName, laneOf } from './lanes.ts';

const exitOperands = (words: Uint32Array, at: number): string[] => {
  const reason = operandAt(words, at, 0);
  const meaning = describeExit(reason, operandAt(words, at, 1), operandAt(words, at, 2));
  return meaning === '' ? [] : [meaning];
};

/** Rows of `count` records from word 0 on; `first` is the sequence number of the first. */
export const rowsOf = (words: Uint32Array, first: number, locate: (address: number) => SourceLocation): EventRow[] => {
  const rows: EventRow[] = [];
  for (let at = 0; at < words.length; at += RECORD_WORDS) {
    const kind = kindAt(words, at);
    const event = EVENT_BY_NUMBER[kind];
    const isExit = kind === Kind['vmx.exit'];
    const lane = laneOf(words, at);
    const reason = operandAt(words, at, 0) & 0xffff;
    const eip = eipAt(words, at);
    rows.push({
      sequence: first + at / RECORD_WORDS,
      cycles: cyclesAt(words, at),
      instructions: icountAt(words, at),
      lane,
      title: isExit
        ? EXIT_REASONS[reason] === undefined
          ? `VM exit ${reason}`
          : laneName(lane)
        : (event?.id ?? `kind ${kind}`),
      operands: isExit
        ? exitOperands(words, at)
        : (event?.operands ?? []).map(
            ({ name, format }, index) => `${name} ${formatOperand(format, operandAt(words, at, index))}`,
          ),
      cpl: cplAt(words, at),
      eip,
      location: locate(eip),
    });
  }
  return rows;
};
