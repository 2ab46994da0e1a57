import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutFiles } from './boot-config.ts';
import type { BootConfig } from './session.ts';

test('what a session keeps of its config has names of files and none of their bytes', () => {
  const file = (name: string) => ({ name, bytes: new Uint8Array(8) });
  const config: BootConfig = {
    image: file('kernel'),
    initrd: file('initrd'),
    modules: [{ ...file('module'), cmdline: '' }],
    symbols: file('kernel.dbg'),
    cmdline: 'quiet',
    memoryBytes: 1 << 24,
    cpu: 'modern',
    bare: false,
    observe: 'all',
    stateHashEvery: 0,
  };
  assert.deepEqual(withoutFiles(config), {
    image: { name: 'kernel' },
    symbols: { name: 'kernel.dbg' },
    cmdline: 'quiet',
    memoryBytes: 1 << 24,
    cpu: 'modern',
    bare: false,
    observe: 'all',
    stateHashEvery: 0,
  });
});
