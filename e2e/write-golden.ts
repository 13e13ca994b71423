import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { releaseTree } from './release-tree.ts'

/*
 * `node e2e/write-golden.ts <version>`: operator/golden/<version>/, rendered by that release's own code. Written once; what
 * is there is never overwritten.
 */
type Rendered = Readonly<{ kind: string }>
const root = join(import.meta.dirname, '..')
const [version = ''] = process.argv.slice(2)
const tree = releaseTree(root, version)
const load = (path: string) => import(join(tree, 'operator/src', path))
const { childrenOf } = await load('resources/all-children.ts')
const { TrueNowClusterSpec } = await load('api/v1alpha1/truenow-cluster.ts')
const { Value } = await import(createRequire(join(tree, 'package.json')).resolve('typebox/value'))

const target = join(root, 'operator/golden', version)
if (existsSync(target)) throw new Error(`${target} is there already: golden templates are written once`)
mkdirSync(target)
for (const file of globSync(join(root, 'operator/golden/clusters/*.json'))) {
  // As the API server hands it out: with the defaults of that release's CRD.
  const spec = Value.Default(TrueNowClusterSpec, JSON.parse(readFileSync(file, 'utf8')))
  const metadata = { name: 'demo', namespace: 'quickstart', uid: 'uid-of-the-cluster', generation: 1 }
  const cluster = { apiVersion: 'truenow.io/v1alpha1', kind: 'TrueNowCluster', metadata, spec }
  const image = spec.image ?? 'registry.example/truenow:golden'
  const workloads = (childrenOf(cluster, image) as Rendered[]).filter(({ kind }) =>
    ['Deployment', 'StatefulSet'].includes(kind),
  )
  writeFileSync(join(target, basename(file)), `${JSON.stringify({ cluster, workloads }, undefined, 1)}\n`)
}
