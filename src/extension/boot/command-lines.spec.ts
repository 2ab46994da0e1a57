import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { defaultCommandLine } from './command-lines.ts';

const bytes = (text: string): Uint8Array => Uint8Array.from([0xff, 0, ...new TextEncoder().encode(text), 0, 0x80]);

test('a kernel that is silent on the serial line is told to use it', () => {
  assert.equal(defaultCommandLine('multiboot', bytes('GNU Mach 1.8+git20221224-486')), 'console=com0');
  assert.equal(defaultCommandLine('bzimage', bytes('')), 'console=ttyS0,115200');
});

test('any other kernel is told nothing', () => {
  assert.equal(defaultCommandLine('multiboot', bytes('a kernel after GNU Mach of old')), '');
  assert.equal(defaultCommandLine('multiboot2', bytes('GNU Mach 1.8')), '');
  assert.equal(defaultCommandLine('multiboot', new Uint8Array(readFileSync('media/guests/tsubame/tsubame.elf'))), '');
});
