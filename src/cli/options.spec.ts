import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { UserError } from '../workers/session.ts';
import { BOOT_OPTIONS, helpText, parseArguments, parseCount, type ParsedArguments, parseSize } from './options.ts';

const parse = (...argv: string[]): ParsedArguments => parseArguments(argv, BOOT_OPTIONS, 'boot');

describe('arguments', () => {
  it('takes --name value and --name=value, repeats where allowed, and what is no option in order', () => {
    const { positional, options } = parse(
      'a',
      '--module',
      'm1 x=1',
      '--bare',
      '--module=m2',
      '--cmdline=--quiet a=b',
      'b',
      '-',
      '--',
    );
    assert.deepEqual(positional, ['a', 'b', '-', '--']);
    assert.deepEqual(Object.fromEntries(options), { module: ['m1 x=1', 'm2'], bare: [''], cmdline: ['--quiet a=b'] });
  });
  it('refuses by name every option that is not in this release, and only those', () => {
    for (const [name, info] of Object.entries(BOOT_OPTIONS)) {
      const argv = 'argument' in info ? [`--${name}`, 'x'] : [`--${name}`];
      if ('later' in info)
        assert.throws(() => parse(...argv), {
          name: 'UserError',
          message: `kansoku boot: --${name} is not in this release: ${info.later}`,
        });
      else assert.deepEqual(parse(...argv).options.get(name), ['argument' in info ? 'x' : '']);
    }
  });
  it('throws nothing but UserErrors, of one line', () => {
    const word = fc.oneof(
      fc.string(),
      fc.string().map((s) => `--${s}`),
      fc.constantFrom(...Object.keys(BOOT_OPTIONS)).map((s) => `--${s}`),
    );
    fc.assert(
      fc.property(fc.array(word), (argv) => {
        try {
          parse(...argv.map((text) => text.replaceAll(/\s/g, '_')));
        } catch (error) {
          assert.ok(error instanceof UserError);
          assert.doesNotMatch(error.message, /\n/);
        }
      }),
    );
  });
  it('help has every option', () => {
    const text = helpText(BOOT_OPTIONS);
    for (const name of Object.keys(BOOT_OPTIONS)) assert.match(text, new RegExp(`^  --${name}( |$)`, 'm'));
  });
});

describe('sizes and counts', () => {
  it('reads a size in any unit', () => {
    const units = { '': 0, k: 10, M: 20, G: 30, t: 40, KiB: 10, mib: 20, GB: 30 };
    fc.assert(
      fc.property(fc.nat({ max: 4096 }), fc.constantFrom(...Object.entries(units)), (n, [unit, bits]) =>
        assert.equal(parseSize(`${n}${unit}`, '--memory'), n * 2 ** bits),
      ),
    );
  });
  for (const text of ['', 'M', '64Q', '-1', '1.5G', '64 M', '0x10', '1e3'])
    it(`"${text}" is no size`, () =>
      assert.throws(
        () => parseSize(text, '--memory'),
        new UserError(`--memory: "${text}" is no size (examples: 64M, 1G)`),
      ));
  it('a count is a positive whole number', () => {
    assert.equal(parseCount('7', 'n'), 7);
    assert.equal(parseCount('1e9', 'n'), 1e9);
    for (const text of ['', '0', '-3', '1.5', 'x', '1e99', 'Infinity'])
      assert.throws(() => parseCount(text, 'n'), UserError);
  });
});
