// The debug data of the committed sample kernel: functions, inlined calls, scopes, types and callers, without a tool to compare with.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { DebugInfo } from '../../src/symbols/debug-info.ts';
import { describeType, typeName } from '../../src/symbols/type-names.ts';

const bytes = new Uint8Array(readFileSync(join(import.meta.dirname, 'media/guests/tsubame/tsubame.elf')));
const open = (slide = 0): DebugInfo => {
  const result = DebugInfo.open('tsubame.elf', bytes, { slide });
  assert.ok(result.ok);
  return result.info;
};

describe('DebugInfo of the sample kernel', () => {
  it('has types as C writes them', () => {
    const info = open();
    const process = info.type('struct', 'process');
    assert.match(describeType(process!), /^struct process \{\n {4}u32 pid;\n/);
    const [main] = info.functionsNamed('kmain');
    assert.equal(typeName(main!.type), 'void (u32, u32)');
  });

  it('moves with the slide', () => {
    const slide = 0x0330_0000;
    const [here, there] = [open(), open(slide)].map((info) => info.functionsNamed('kmain')[0]!);
    assert.equal(there!.entry, here!.entry! + slide);
    const moved = open(slide).functionsAt(there!.entry!);
    assert.deepEqual(
      moved.map(({ name }) => name),
      ['kmain'],
    );
    assert.equal(moved[0]!.declared!.file, 'kmain.c');
  });
});
