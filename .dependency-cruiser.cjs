// The house's layers as rules: arrows point one way only. docs/architecture.md says why for each.
const ENGINE = '^src/(machine|hypervisor|monitor|symbols|debugger)/';
/** Lower layers first: a layer may import itself and those before it. */
const LAYERS = ['machine', 'hypervisor', 'monitor', 'symbols', 'debugger'];
const layerRules = LAYERS.map((layer, i) => ({
  name: `${layer}-imports-no-later-layer`,
  severity: 'error',
  from: { path: `^src/${layer}/`, pathNot: '\\.spec\\.ts$' },
  to: {
    path: `^src/(${[...LAYERS.slice(i + 1), 'language', 'protocol', 'workers', 'extension', 'webviews', 'cli'].join('|')})/`,
  },
}));

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'vscode-only-in-extension',
      severity: 'error',
      from: { pathNot: '^(src/extension/|test/extension/|test/e2e/)' },
      to: { path: '^vscode$' },
    },
    {
      name: 'engine-has-no-node',
      comment: 'The same code runs in a browser extension host.',
      severity: 'error',
      from: { path: ENGINE, pathNot: '\\.(spec|fixture)\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'webviews-import-only-protocol',
      severity: 'error',
      from: { path: '^src/webviews/' },
      to: { path: '^src/', pathNot: '^src/(webviews|protocol)/' },
    },
    {
      name: 'protocol-imports-no-code',
      comment: 'Types of the views cross the wire as they are; nothing that runs does.',
      severity: 'error',
      from: { path: '^src/protocol/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^src/', pathNot: '^src/protocol/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'devices-never-import-the-cpu',
      comment: 'Only the type of the interrupt source is shared.',
      severity: 'error',
      from: { path: '^src/machine/devices/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^src/machine/(cpu|vmx|isa|translate)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'hypervisor-is-root-software',
      comment:
        'It reaches the machine as real hypervisor code would: VMX, memory, buses, devices; not the translator or the MMU.',
      severity: 'error',
      from: { path: '^src/hypervisor/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^src/machine/(isa|translate|wasm)/|^src/machine/cpu/(run|mmu|build)' },
    },
    {
      name: 'no-circular',
      severity: 'error',
      from: { pathNot: '\\.spec\\.ts$' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^src/', pathNot: '\\.(d|spec)\\.ts$' },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|out)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
