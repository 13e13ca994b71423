import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { parseAllDocuments } from 'yaml'
import { clusterProblems } from '../cluster-problems.ts'
import { tableProblems } from '../table-problems.ts'
import type { ObjectMeta } from './object-meta.ts'
import { RebalanceSpec } from './v1alpha1/rebalance.ts'
import { TableSpec } from './v1alpha1/table.ts'
import { TrueNowClusterSpec } from './v1alpha1/truenow-cluster.ts'

/*
 * Every example is one that the CRDs let in, with no field that they do not know, and one that the operator finds legal. CEL
 * and the API server's own rules are asked by e2e/specs-refused.test.ts.
 */
const root = fileURLToPath(new URL('../../..', import.meta.url))
type Example = Readonly<{ kind: string; metadata: ObjectMeta; spec: unknown }>
const SCHEMAS: Readonly<Record<string, TSchema>> = {
  TrueNowCluster: TrueNowClusterSpec,
  Table: TableSpec,
  Rebalance: RebalanceSpec,
}
const files = globSync('{examples,cdk8s/dist}/*.yaml', { cwd: root }).toSorted()
const examples = files.flatMap((file) =>
  parseAllDocuments(readFileSync(`${root}/${file}`, 'utf8')).map((document) => ({
    file,
    ...(document.toJS() as Example),
  })),
)
const problemsOf = (kind: string, metadata: ObjectMeta, spec: unknown): string[] => {
  if (kind === 'TrueNowCluster') return clusterProblems(spec as Parameters<typeof clusterProblems>[0])
  const table = { apiVersion: '', kind: 'Table', metadata: { ...metadata, namespace: 'apps' }, spec }
  return kind === 'Table' ? tableProblems(table as Parameters<typeof tableProblems>[0]) : []
}

test('examples: there are some, of clusters and tables', () => {
  assert.ok(files.length >= 4, files.join(', '))
  for (const kind of ['TrueNowCluster', 'Table'])
    assert.ok(
      examples.some((one) => one.kind === kind),
      kind,
    )
})
for (const { file, kind, metadata, spec } of examples) {
  const schema = SCHEMAS[kind]
  if (schema === undefined) continue
  test(`examples: ${kind} ${metadata.name} of ${file}`, () => {
    const whole = Value.Default(schema, structuredClone(spec))
    assert.deepEqual([...Value.Errors(schema, whole)].map(({ instancePath, message }) => `${instancePath} ${message}`), []) // biome-ignore format: one line
    assert.deepEqual(Value.Clean(schema, structuredClone(spec)), spec, 'a field that the CRD does not know')
    assert.deepEqual(problemsOf(kind, metadata, whole), [])
  })
}
