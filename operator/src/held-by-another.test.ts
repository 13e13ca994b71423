import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADOPT_ANNOTATION } from './api/names.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import { heldByAnother } from './held-by-another.ts'

const cases: ReadonlyArray<
  [name: string, holder: string | undefined, adopt: string | undefined, held: boolean]
> = [
  ['nobody holds it', undefined, undefined, false],
  ['we hold it', 'here/a', undefined, false],
  ['another holds it', 'there/b', undefined, true],
  ['handed over to us', 'there/b', 'here/a', false],
  ['handed over to a third', 'there/b', 'else/c', true],
  ['ours, to be handed over: still ours until that one claims it', 'here/a', 'there/b', false],
]
for (const [name, operator, adopt, held] of cases) {
  test(`heldByAnother: ${name}`, () => {
    const annotations = adopt === undefined ? {} : { [ADOPT_ANNOTATION]: adopt }
    const status = operator === undefined ? {} : { operator }
    assert.equal(heldByAnother({ metadata: { annotations }, status } as TrueNowCluster, 'here/a'), held)
  })
}
