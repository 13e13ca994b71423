import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Each generator is one program that writes its files; with `--check` they must then equal what is committed. */
const GENERATORS: ReadonlyArray<readonly [what: string, cwd: string, argv: readonly string[]]> = [
  ['messages', 'workloads/contracts', ['buf', 'generate']],
  ['checksum', 'workloads/contracts', ['asc', '--config', 'asconfig.json']],
  ['kernels', 'workloads/kernels', ['asc', '--config', 'asconfig.json']],
  ['CRDs', '.', ['node', 'operator/src/api/generate-crds.ts']],
  ['chart: CRDs and RBAC', '.', ['node', 'charts/generate-chart.ts']],
  ['constructs', '.', ['node', 'cdk8s/src/generate-kinds.ts']],
  ['quickstart manifests', '.', ['node', 'cdk8s/src/main.ts']],
  ['example as code', '.', ['node', 'examples/cdk8s.ts']],
  ['reference docs', '.', ['node', 'workloads/truenow/src/generate-docs.ts']],
]
const GENERATED = [
  'workloads/contracts/src/gen',
  'workloads/kernels/src/gen',
  'crds',
  'charts/truenow',
  'cdk8s/src/gen',
  'cdk8s/dist',
  'examples/cdk8s.yaml',
  'docs/configuration.md',
  'docs/metrics.md',
]

for (const [what, cwd, [program = '', ...args]] of GENERATORS) {
  const { status } = spawnSync(program, args, { cwd: `${root}/${cwd}`, stdio: 'inherit' })
  if (status !== 0) {
    console.error(`generate: ${what} failed`)
    process.exit(1)
  }
}
if (process.argv.includes('--check')) {
  const options = { cwd: root, encoding: 'utf8' } as const
  const { stdout } = spawnSync('git', ['status', '--porcelain', '--', ...GENERATED], options)
  if (stdout !== '') {
    console.error(`Generated files differ from their sources. Run \`make generate\` and commit:\n${stdout}`)
    process.exit(1)
  }
}
