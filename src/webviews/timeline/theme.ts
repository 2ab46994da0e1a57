// The theme as the canvas needs it: colours read from VS Code's variables, read again when the theme changes; one fill pattern a tone,
// so that no two classes of events differ by hue alone.

import { signal } from '@preact/signals';
import { TONES, type Tone } from '../../protocol/timeline.ts';

export interface Theme {
  readonly tones: Readonly<Record<Tone, string>>;
  readonly foreground: string;
  readonly muted: string;
  readonly line: string;
  readonly background: string;
  readonly band: string;
  readonly selection: string;
  readonly accent: string;
  readonly font: string;
  readonly contrast: boolean;
}

const read = (): Theme => {
  const style = getComputedStyle(document.documentElement);
  const variable = (name: string, fallback: string): string =>
    style.getPropertyValue(`--vscode-${name}`).trim() || fallback;
  const contrast = /vscode-high-contrast/.test(document.body.className);
  const foreground = variable('foreground', '#888');
  const border = variable('contrastBorder', '') || variable('panel-border', 'rgba(128,128,128,0.35)');
  return {
    tones: Object.fromEntries(TONES.map((tone) => [tone, variable(`kansoku-${tone}`, foreground)])) as Record<
      Tone,
      string
    >,
    foreground,
    muted: variable('descriptionForeground', foreground),
    line: border,
    background: variable('editor-background', 'transparent'),
    band: contrast ? 'transparent' : variable('editor-lineHighlightBackground', '') || 'rgba(128,128,128,0.06)',
    selection: contrast ? 'transparent' : variable('editor-selectionBackground', 'rgba(80,140,220,0.3)'),
    accent: variable('focusBorder', '#07f'),
    font: `${variable('font-size', '13px').replace(/^(\d+)px$/, (_, size: string) => `${Math.max(10, Number(size) - 2)}px`)} ${variable('font-family', 'sans-serif')}`,
    contrast,
  };
};

export const theme = signal(read());

/** VS Code changes classes and variables in place when the user picks another theme. */
export const watchTheme = (): void => {
  const observer = new MutationObserver(() => {
    patterns.clear();
    theme.value = read();
  });
  observer.observe(document.body, { attributes: true, attributeFilter: ['class'] });
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'class'] });
};

type Hatch = 'solid' | 'rising' | 'falling' | 'dots' | 'rows' | 'columns' | 'grid';

const HATCHES: Readonly<Record<Tone, Hatch>> = {
  guestMode: 'solid',
  hypervisorMode: 'rising',
  exitMemory: 'solid',
  exitInterrupt: 'falling',
  exitInstruction: 'dots',
  exitIo: 'columns',
  exitControl: 'rows',
  exitFailure: 'grid',
  shadowEvent: 'rising',
  interruptEvent: 'falling',
  deviceEvent: 'columns',
  controlEvent: 'rows',
};

const SIZE = 6;
const patterns = new Map<string, CanvasPattern | string>();

const strokes: Readonly<
  Record<Exclude<Hatch, 'solid' | 'dots'>, readonly (readonly [number, number, number, number])[]>
> = {
  rising: [
    [-1, SIZE + 1, SIZE + 1, -1],
    [-1, 1, 1, -1],
    [SIZE - 1, SIZE + 1, SIZE + 1, SIZE - 1],
  ],
  falling: [
    [-1, -1, SIZE + 1, SIZE + 1],
    [SIZE - 1, -1, SIZE + 1, 1],
    [-1, SIZE - 1, 1, SIZE + 1],
  ],
  rows: [
    [0, 1.5, SIZE, 1.5],
    [0, 4.5, SIZE, 4.5],
  ],
  columns: [
    [1.5, 0, 1.5, SIZE],
    [4.5, 0, 4.5, SIZE],
  ],
  grid: [
    [0, 2.5, SIZE, 2.5],
    [2.5, 0, 2.5, SIZE],
  ],
};

/** The fill of a tone's areas: its colour under a hatch of the background. */
export const fillOf = (
  tone: Tone,
  { tones, background }: Theme,
  context: CanvasRenderingContext2D,
): CanvasPattern | string => {
  const colour = tones[tone];
  const hatch = HATCHES[tone];
  if (hatch === 'solid') return colour;
  const key = `${tone} ${colour} ${background}`;
  let pattern = patterns.get(key);
  if (pattern === undefined) {
    const tile = document.createElement('canvas');
    tile.width = tile.height = SIZE;
    const draw = tile.getContext('2d')!;
    draw.fillStyle = colour;
    draw.fillRect(0, 0, SIZE, SIZE);
    draw.globalAlpha = 0.55;
    draw.strokeStyle = draw.fillStyle = background;
    if (hatch === 'dots') {
      draw.fillRect(1, 1, 2, 2);
      draw.fillRect(4, 4, 2, 2);
    } else {
      draw.beginPath();
      for (const [x0, y0, x1, y1] of strokes[hatch]) {
        draw.moveTo(x0, y0);
        draw.lineTo(x1, y1);
      }
      draw.stroke();
    }
    pattern = context.createPattern(tile, 'repeat') ?? colour;
    patterns.set(key, pattern);
  }
  return pattern;
};
