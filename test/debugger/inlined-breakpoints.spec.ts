// Breakpoints on functions that exist only inlined: all copies are places of one breakpoint, and where one is met the guest stands in the copy.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dap } from '../../src/debugger/dap/protocol.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';

test('a function that exists only inlined', () => {
  const bench = new DapBench(configOf(TSUBAME, { record: { limit: 256 << 20, every: 20_000 } }));
  bench.launch({}, () => {
    const { breakpoints } = bench.request('setFunctionBreakpoints', {
      breakpoints: [{ name: 'outb' }, { name: 'kmain' }],
    });
    assert.match(breakpoints[0]!.message!, /^The function is inlined, in \d+ places\.$/);
    assert.equal(breakpoints[0]!.verified, true);
    assert.equal(breakpoints[0]!.source?.name, 'x86.h');
    assert.equal(breakpoints[1]!.message, undefined);
  });
  const met: string[] = [];
  for (let i = 0; i < 12; i++) {
    met.push(bench.stack(2).join(' < '));
    bench.run('continue');
  }
  assert.match(met.join('\n'), /^outb x86\.h:1\d < serial_init serial\.c:32$/m);
  assert.ok(
    met.every((stack) => /^(outb x86\.h:1\d < \w+ |kmain )/.test(stack)),
    met.join('\n'),
  );
  // Its parameters have their values, its caller is one step out, and back in time it is met again.
  const port = (): number => Number(bench.request('evaluate', { expression: 'port' }).result);
  const [at, name] = [port(), bench.stack(2)[1]!];
  assert.ok(at > 0 && at < 0x10000);
  bench.run('stepOut');
  assert.equal(bench.where.split(' ')[0], name.split(' ')[0]);
  bench.run('reverseContinue');
  assert.match(bench.where, /^outb x86\.h/);
  assert.equal(port(), at);
  // The line of the call is what is shown where the guest came by another way.
  bench.request('setFunctionBreakpoints', { breakpoints: [] });
});

test('conditions and log messages see its parameters', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({}, () =>
    bench.request('setFunctionBreakpoints', {
      breakpoints: [
        { name: 'outb', condition: 'port == 0x43' },
        { name: 'outb', logMessage: 'out {port,x}' } as Dap.FunctionBreakpoint,
      ],
    }),
  );
  assert.equal(bench.request('evaluate', { expression: 'port == 0x43' }).result, '1');
  assert.match(bench.stack(2)[1]!, /^pit_init /);
  const said = bench.events.flatMap(({ event, body }) =>
    event === 'output' ? [(body as { output: string }).output] : [],
  );
  assert.ok(said.includes('out 0x20\n') && said.at(-1) === 'out 0x43\n', said.join(''));
});

test('in one file only, and at an offset', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({}, () => {
    const { breakpoints } = bench.request('setFunctionBreakpoints', {
      breakpoints: [{ name: 'x86.h:outb' }, { name: 'pit.c:outb' }, { name: 'kmain+0x5' }, { name: 'kmain' }],
    });
    const [header, source, offset] = breakpoints;
    assert.match(header!.message!, /^The function is inlined/);
    assert.match(source!.message!, /no function outb in pit\.c/);
    assert.equal(offset!.verified, true);
  });
});
