import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identityProblem, tableIdentity } from './table-identity.ts'
import { tableOf } from './testing/any-table.ts'

const { namespace: _namespace, name: _name, ...unnamed } = tableOf().spec
const byDefault = (name: string, namespace: string) => ({
  ...tableOf({}, { name, namespace }),
  spec: unnamed,
})

test('tableIdentity: what the spec names, and beyond that the Kubernetes names with - and . as _', () => {
  assert.deepEqual(tableIdentity(tableOf({ namespace: 'tenant', name: 'clicks' })), {
    namespace: 'tenant',
    name: 'clicks',
  })
  assert.deepEqual(tableIdentity(byDefault('web-clicks.v2', 'team-a')), {
    namespace: 'team_a',
    name: 'web_clicks_v2',
  })
  assert.deepEqual(tableIdentity({ ...byDefault('clicks', 'apps'), spec: { ...unnamed, name: 'hits' } }), {
    namespace: 'apps',
    name: 'hits',
  })
})

const cases: ReadonlyArray<[what: string, name: string, namespace: string, said: RegExp | undefined]> = [
  ['lawful', 'clicks', 'team-a', undefined],
  ['as long as allowed', 'c'.repeat(63), 'apps', undefined],
  ['too long', 'c'.repeat(64), 'apps', /^spec\.name: .*set spec\.name$/],
  ['a name that begins with a digit', '3clicks', 'apps', /^spec\.name: /],
  ['a namespace that begins with a digit', 'clicks', '3apps', /^spec\.namespace: .*set spec\.namespace$/],
]
for (const [what, name, namespace, said] of cases) {
  test(`identityProblem: ${what}`, () => {
    const problem = identityProblem(byDefault(name, namespace))
    if (said === undefined) assert.equal(problem, undefined)
    else assert.match(problem ?? '', said)
  })
}
