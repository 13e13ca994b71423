/** Who may import whom (docs/style.md, "Direction"): one rule each. e2e/check-imports.ts runs them with their canary. */
const ours = '^(workloads/[^/]+|operator|cdk8s|e2e)/'
const only = (from, allowed, comment) => ({
  name: `${from.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, '')}-imports`,
  comment,
  severity: 'error',
  from: { path: `^${from}/`, pathNot: '/testing/|\\.test\\.ts$|/test/' },
  to: { path: ours, pathNot: [`^${from}/`, ...allowed.map((name) => `^${name}(/|\\.ts$)`)] },
})
const contained = (name, packages, home) => ({
  name: `${name}-only-in-${home.replaceAll(/[^a-z0-9]+/g, '-')}`,
  comment: 'A library with traps lives behind one port, so that it can be exchanged.',
  severity: 'error',
  from: { path: ours, pathNot: [`^${home}`, '\\.test\\.ts$', '/test/'] },
  to: { path: packages, dependencyTypesNot: ['type-only'] },
})
const roles = ['gateway', 'ingester', 'hot-tier', 'query', 'watermark', 'control-plane']

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    only(
      'workloads/contracts',
      [],
      'Contracts are what two processes agree on: they import nothing of ours.',
    ),
    only('workloads/kernels', ['workloads/contracts'], 'Kernels are pure.'),
    only('workloads/chassis', ['workloads/contracts'], 'The chassis knows no role.'),
    ...roles.map((role) =>
      only(
        `workloads/${role}`,
        ['workloads/contracts', 'workloads/kernels', 'workloads/chassis'],
        'A role never imports another role: they meet in contracts and on the wire.',
      ),
    ),
    only(
      'operator',
      ['workloads/contracts', 'workloads/kernels', 'workloads/chassis'],
      'The operator is not in the data path.',
    ),
    only(
      'e2e',
      [
        'workloads/contracts',
        'workloads/chassis/src/kafka-port',
        'workloads/chassis/src/kafka-client',
        'workloads/chassis/src/clock',
        'workloads/chassis/src/log',
      ],
      'End-to-end tests are black boxes; the sampler reads the log through the Kafka port to recount it.',
    ),
    only('cdk8s', [], 'Manifests are data.'),
    contained('kafkajs', 'node_modules/(kafkajs|ioredis|pg|@grpc/grpc-js)/', 'workloads/chassis/'),
    contained('client-node', 'node_modules/@kubernetes/client-node/', 'operator/src/kubernetes/'),
    {
      name: 'no-unresolved',
      severity: 'error',
      from: { path: ours },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: 'src/gen/|^workloads/[^/]+/assembly/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
}
