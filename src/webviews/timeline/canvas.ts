// A canvas that is drawn again whenever a signal its drawing reads has changed, at most once a frame.

import { effect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { RefObject } from 'preact';

export const useDrawing = (draw: (canvas: HTMLCanvasElement) => void): RefObject<HTMLCanvasElement | null> => {
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef(draw);
  latest.current = draw;
  useEffect(() => {
    let frame = 0;
    const stop = effect(() => {
      const element = canvas.current;
      if (element !== null) latest.current(element);
    });
    // A change of the screen's scale changes no signal.
    const again = (): void => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => canvas.current !== null && latest.current(canvas.current));
    };
    window.addEventListener('resize', again);
    return () => {
      stop();
      cancelAnimationFrame(frame);
      window.removeEventListener('resize', again);
    };
  }, []);
  return canvas;
};
