// Writes the reference pages that are tables of the source: docs/events.md, docs/processor.md, docs/vmx.md, and the option tables of
// docs/command-line.md and docs/debugging.md (between their "generated" comments). `--check` writes nothing and fails if a page is out of date.
// Not the prose of those pages: the heads of the generated ones are here, all other text is in docs/.
import { build } from 'esbuild';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The source's tables, compiled in memory. */
const loadTables = async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        export { EVENTS } from './monitor/events.ts';
        export { CODE_SETS } from './monitor/codes.ts';
        export { EXPORT_FORMATS } from './monitor/export/index.ts';
        export { BOOT_OPTIONS, GDB_OPTIONS } from './cli/options.ts';
        export { TRACE_OPTIONS } from './cli/trace.ts';
        export { VECTORS_OPTIONS } from './cli/vectors/command.ts';
        export { BENCH_OPTIONS } from './cli/bench/command.ts';
        export { ENGINES } from './cli/bench/engines.ts';
        export { CPU_MODELS } from './machine/cpu/model.ts';
        export { FEATURES } from './machine/cpu/features.ts';
        export { CONTROLS } from './machine/vmx/controls.ts';
        export { FIELDS } from './machine/vmx/fields.ts';
        export { supportedEncodings } from './machine/vmx/vmcs.ts';
        export { EXIT_REASONS } from './machine/vmx/exit-reasons.ts';
        export { INSTRUCTION_ERRORS, InstructionError } from './machine/vmx/instruction-errors.ts';
        export * as checks from './machine/vmx/entry-checks.ts';
        export { exitHandlers } from './hypervisor/exits.ts';
        export { NUMBER_FORMATS } from './symbols/value/number-formats.ts';
        export { COST_PROFILES, exitCost } from './hypervisor/costs.ts';
      `,
      resolveDir: join(root, 'src'),
      loader: 'ts',
    },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // Exit handlers are told apart by their names.
    keepNames: true,
    logLevel: 'warning',
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
};

/** A table in Markdown. Cells are text; a bar would end a cell. */
const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
const code = (text) => `\`${text}\``;
const hex = (value, digits) => `0x${value.toString(16).padStart(digits, '0')}`;
const mark = (yes) => (yes ? 'yes' : 'no');
const GENERATED = '<!-- Written by scripts/generate-docs.mjs from the tables of the source. -->';

const GROUPS = {
  mode: 'Execution mode: VM entries, VM exits, VMX instructions',
  memory: 'Virtualized memory: shadow page tables, page faults, control registers, TLB',
  interrupt: 'Interrupt controllers: lines, acknowledgements, windows, injections',
  sched: 'Domains, run states, hypercalls',
  device: 'Devices',
  control: "Markers and the monitor's own events",
};

const eventsPage = ({ EVENTS, CODE_SETS }) => {
  const operands = (event) =>
    event.operands
      .map((o) => (o.format in CODE_SETS ? `${o.name} ([${o.format}](#${o.format}))` : `${o.name} (${o.format})`))
      .join(', ');
  const used = new Set(EVENTS.flatMap((event) => event.operands.map((o) => o.format)));
  // Sets that an operand carries together with other numbers.
  const packed = new Set(['handler', 'shadow-cause']);
  const groups = Object.entries(GROUPS).map(([group, title]) => {
    const rows = EVENTS.filter((event) => event.group === group).map((event) => [
      event.number,
      code(event.id),
      event.text,
      operands(event),
      event.xen === undefined ? '' : hex(event.xen, 5),
      event.kvm === undefined ? '' : code(event.kvm),
    ]);
    return `## ${group}\n\n${title}.\n\n${table(['No.', 'Event', 'Meaning', 'Operands (format)', 'Xen', 'KVM'], rows)}`;
  });
  const sets = Object.entries(CODE_SETS)
    .filter(([name]) => used.has(name) || packed.has(name))
    .map(([name, values]) => `### ${name}\n\n${table(['Value', 'Meaning'], Object.entries(values))}`);
  return `# Events

${GENERATED}

Every event that the monitor can record. \`--observe\` and the setting \`kansoku.observe\` take the names of events (\`vmx.exit\`), of
groups (\`memory\`) and the first part of a name (\`shadow\`), besides \`all\` and \`none\`. What is recorded never changes what the guest does.

A record is twelve little-endian 32-bit words: event, domain and vCPU; the time in cycles and in retired guest instructions; EIP, CR3
and CPL; and up to five operands. A trace file (\`.ktrace\`) has the table below in its header, so that it explains itself.
\`Xen\` is the event's number in Xen's trace format, \`KVM\` the tracepoint of Linux's KVM that comes nearest.

${groups.join('\n\n')}

## Code sets

Operands whose format is one of these hold a code. The low half of \`lead\` is an exit reason and its high half a [handler](#handler) code;
\`slot\` holds the entry's index in bits 11:0, the level in bits 15:12 and a [shadow-cause](#shadow-cause) code in its high half.

${sets.join('\n\n')}
`;
};

/** Exit reasons the machine's own code names: those it can produce. */
const producedReasons = () => {
  const folder = join(root, 'src', 'machine');
  const files = readdirSync(folder, { recursive: true }).filter(
    (f) => /\.ts$/.test(f) && !/\.(spec|fixture)\.ts$/.test(f),
  );
  const text = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
  return new Set([...text.matchAll(/\bExitReason\.([A-Z_]+)/g)].map((match) => match[1]));
};

const WORDS = {
  pin: 'Pin-based VM-execution controls',
  primary: 'Primary processor-based VM-execution controls',
  secondary: 'Secondary processor-based VM-execution controls',
  exit: 'VM-exit controls',
  entry: 'VM-entry controls',
};
const FIELD_GROUPS = {
  control: 'Control fields',
  'exit-info': 'VM-exit information fields (read-only)',
  guest: 'Guest-state fields',
  host: 'Host-state fields',
};
const AREAS = [
  [['CONTROL_CHECKS', 'INJECTION_CHECKS'], 'On the control fields: VMfailValid(7)'],
  [['HOST_CHECKS'], 'On the host state: VMfailValid(8)'],
  [['GUEST_REGISTERS'], 'On the guest state, control registers and MSRs: exit reason 33'],
  [['GUEST_SEGMENTS'], 'On the guest state, segment registers: exit reason 33'],
  [['GUEST_REST', 'GUEST_PDPTES'], 'On the guest state, the rest: exit reason 33'],
];

const vmxPage = (t) => {
  const models = Object.values(t.CPU_MODELS);
  const ids = models.map((model) => code(model.id));
  const setting = (model, { word, bit }) => {
    const { allowed0, allowed1 } = model.vmx.controls[word];
    if (((allowed1 >>> bit) & 1) === 0) return 'no';
    return ((allowed0 >>> bit) & 1) === 1 ? 'always 1' : 'yes';
  };
  const words = Object.entries(WORDS).map(([word, title]) => {
    const rows = t.CONTROLS.filter((c) => c.word === word).map((c) => [
      c.bit,
      c.name,
      ...models.map((m) => setting(m, c)),
    ]);
    return `### ${title}\n\n${table(['Bit', 'Control', ...ids], rows)}`;
  });
  const encodings = models.map((model) => t.supportedEncodings(model.vmx));
  const fields = Object.entries(FIELD_GROUPS).map(([group, title]) => {
    const rows = t.FIELDS.filter((f) => f.group === group).map((f) => [
      hex(f.encoding, 4),
      code(f.id),
      f.name,
      f.width === 'natural' ? 'natural (32)' : f.width,
      ...encodings.map((supported) => mark(supported[f.encoding] !== 0)),
    ]);
    return `### ${title}\n\n${table(['Encoding', 'Name', 'Field', 'Bits', ...ids], rows)}`;
  });
  const produced = producedReasons();
  const handlers = t.exitHandlers(t.CPU_MODELS['core-duo'], undefined);
  const handling = {
    invalidOpcode: '#UD to the guest',
    nothing: 'skipped: caches are not modelled',
    tripleFault: 'stops the domain',
  };
  const failure = (reason) => t.EXIT_REASONS[reason].id.startsWith('ENTRY_FAILURE');
  const exits = t.EXIT_REASONS.filter((info) => info !== undefined && produced.has(info.id)).map((info) => {
    const handler = handlers[info.reason];
    return [
      info.reason,
      info.name,
      handler !== undefined
        ? (handling[handler.name] ?? 'handled')
        : failure(info.reason)
          ? 'stops the domain'
          : 'no handler',
      t.exitCost(t.COST_PROFILES[1], info.reason),
    ];
  });
  const others = t.EXIT_REASONS.filter((info) => info !== undefined && !produced.has(info.id)).map(
    (info) => `${info.reason} ${info.name}`,
  );
  const reported = new Set(Object.values(t.InstructionError));
  const errors = Object.entries(t.INSTRUCTION_ERRORS).filter(([number]) => reported.has(Number(number)));
  const checks = AREAS.map(([lists, title]) => {
    const all = lists.flatMap((list) => t.checks[list]);
    const rows = all.map((check) => [check.section, code(check.id), check.rule]);
    return `### ${title}\n\n${table(['SDM vol. 3', 'Check', 'Rule'], rows)}`;
  });
  return `# VMX

${GENERATED}

What the emulated processors have of Intel VT-x. Names and numbers are those of the Intel SDM, volume 3. \`--cpu\` and the setting
\`kansoku.cpu\` choose the model; no model of this release has EPT, unrestricted guest or the virtual APIC.

## Controls

"Always 1": software may not clear it. Reserved bits are as the SDM's default1 class has them; the capability MSRs (480h and up) say the same.

${words.join('\n\n')}

## VMCS fields

VMREAD and VMWRITE of a field that a model does not have fail with VM-instruction error 12.

${fields.join('\n\n')}

## VM exits

The exits that the processor can produce, and what Kansoku's hypervisor does with each. It sets no control that leads to an exit without
a handler; on the bare machine (\`--bare\`) a kernel may use them all. Cycles: what one exit and its handler are charged in the profile "${t.COST_PROFILES[1].name}";
they appear in reports and on the timeline, and the guest's clock does not see them.

${table(['Reason', 'Exit', 'Hypervisor', 'Cycles'], exits)}

Defined by the SDM, never produced here: ${others.join(', ')}.

## VM-instruction errors

${table(['Number', 'Meaning'], errors)}

## Checks of a VM entry

In the order they are made. A report names the one that failed.

${checks.join('\n\n')}
`;
};

const processorPage = ({ FEATURES, CPU_MODELS }) => {
  const place = ({ word, bit }) => {
    const [leaf, register] = word.split('.');
    return `${leaf === '1' ? '1' : `${leaf}h`} ${register} bit ${bit}`;
  };
  const present = FEATURES.filter((f) => f.absent === undefined).map((f) => [f.id, f.text, place(f)]);
  const absent = FEATURES.filter((f) => f.absent !== undefined).map((f) => [f.id, f.text, place(f), f.absent]);
  return `# The processor

${GENERATED}

What CPUID of the emulated processors says. The models are ${Object.values(CPU_MODELS)
    .map((model) => `${code(model.id)} ("${model.name.replace(/ +/g, ' ')}")`)
    .join(' and ')}; they differ in VMX only (see
vmx.md). A flag is set only where the machine implements the feature. Under the hypervisor a guest sees the same flags without VMX and
MONITOR, no performance counters, and no machine-check banks.

## Features

${table(['Flag', 'Feature', 'CPUID leaf'], present)}

## What a Core Duo T2400 has besides

${table(['Flag', 'Feature', 'CPUID leaf', 'Why it is clear'], absent)}
`;
};

const options = (list) =>
  table(
    ['Option', 'Meaning'],
    Object.entries(list).map(([name, o]) => [
      code(`--${name}${o.argument === undefined ? '' : ` ${o.argument}`}`),
      `${o.help}${o.repeatable ? '; may be given several times' : ''}${o.later === undefined ? '' : '. **Not in this release**'}`,
    ]),
  );

const debuggingPage = (t) =>
  fill(readFileSync(join(root, 'docs', 'debugging.md'), 'utf8'), {
    'number formats': table(
      ['Behind the expression', 'Integers and addresses are written'],
      Object.entries(t.NUMBER_FORMATS).map(([letter, { means }]) => [code(`,${letter}`), means]),
    ),
  });

/** Replaces what stands between \`<!-- generated: NAME -->\` and \`<!-- end -->\`. */
const fill = (text, parts) =>
  Object.entries(parts).reduce((page, [name, part]) => {
    const pattern = new RegExp(`(<!-- generated: ${name} -->\n)[^]*?(<!-- end -->)`);
    if (!pattern.test(page)) throw new Error(`a page of docs has no part "${name}"`);
    return page.replace(pattern, (_, open, close) => `${open}\n${part}\n\n${close}`);
  }, text);

const commandLinePage = (t) =>
  fill(readFileSync(join(root, 'docs', 'command-line.md'), 'utf8'), {
    boot: options(t.BOOT_OPTIONS),
    gdb: options(t.GDB_OPTIONS),
    trace: options(t.TRACE_OPTIONS),
    vectors: options(t.VECTORS_OPTIONS),
    bench: options(t.BENCH_OPTIONS),
    engines: table(
      ['Engine', 'What it is'],
      t.ENGINES.map((engine) => [code(engine.id), engine.text]),
    ),
    formats: table(
      ['Format', 'What it is'],
      t.EXPORT_FORMATS.map((f) => [
        code(f.name),
        `${f.text}${f.write === undefined ? '. **Not in this release**' : ''}`,
      ]),
    ),
  });

const check = process.argv.includes('--check');
const tables = await loadTables();
const stale = [];
for (const [name, page] of Object.entries({
  'events.md': eventsPage,
  'processor.md': processorPage,
  'vmx.md': vmxPage,
  'command-line.md': commandLinePage,
  'debugging.md': debuggingPage,
})) {
  const file = join(root, 'docs', name);
  const text = page(tables);
  let old;
  try {
    old = readFileSync(file, 'utf8');
  } catch {
    old = undefined;
  }
  if (old === text) continue;
  if (check) stale.push(`docs/${name}`);
  else writeFileSync(file, text);
}
if (stale.length > 0) console.log(`out of date: ${stale.join(', ')}; run node scripts/generate-docs.mjs`);
process.exitCode = stale.length > 0 ? 1 : 0;
