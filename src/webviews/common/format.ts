// Numbers as people read them: addresses, durations, rates, counts.

import { grouped } from './vscode-api.ts';

export const hex = (value: number, digits = 8): string => (value >>> 0).toString(16).padStart(digits, '0');

const UNITS = [
  { unit: 's', seconds: 1 },
  { unit: 'ms', seconds: 1e-3 },
  { unit: 'µs', seconds: 1e-6 },
  { unit: 'ns', seconds: 1e-9 },
] as const;

/** A duration with a fitting unit. `resolution` in seconds: digits below it are left out. */
export const duration = (seconds: number, resolution?: number): string => {
  const size = Math.abs(seconds);
  const { unit, seconds: factor } = UNITS.find((candidate) => size >= candidate.seconds) ?? UNITS[size === 0 ? 2 : 3];
  const value = seconds / factor;
  const digits =
    resolution === undefined
      ? Math.abs(value) >= 100
        ? 0
        : Math.abs(value) >= 10
          ? 1
          : 2
      : Math.min(9, Math.max(0, Math.ceil(-Math.log10(resolution / factor) - 1e-9)));
  return `${value.toFixed(digits)} ${unit}`;
};

export const count = (value: number): string => grouped.format(value);

/** 12 k, 3.4 M: for places where the exact number has no room. */
export const shortCount = (value: number): string => {
  if (value < 10_000) return grouped.format(value);
  if (value < 1e6) return `${(value / 1e3).toFixed(value < 1e5 ? 1 : 0)} k`;
  if (value < 1e9) return `${(value / 1e6).toFixed(value < 1e7 ? 2 : 1)} M`;
  return `${(value / 1e9).toFixed(2)} G`;
};

export const bytes = (value: number): string => {
  const mib = value / (1024 * 1024);
  return mib >= 1 ? `${mib.toFixed(mib >= 10 ? 0 : 1)} MiB` : `${(value / 1024).toFixed(0)} KiB`;
};

export const speed = (perSecond: number): string => {
  const mips = perSecond / 1e6;
  if (mips >= 10) return `${mips.toFixed(0)} MIPS`;
  return mips >= 0.1 ? `${mips.toFixed(1)} MIPS` : `${(perSecond / 1e3).toFixed(0)} kIPS`;
};

export const percent = (part: number): string => `${(part * 100).toFixed(part < 0.1 ? 1 : 0)} %`;
