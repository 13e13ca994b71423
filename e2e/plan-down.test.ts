import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Presence, planDown } from './plan-down.ts'
import { whyCrdsStay } from './why-crds-stay.ts'

/* What `make down` decides on a cluster that it did not make; good-guest.test.ts runs it on one where nothing is its own. */
const PRESENCES: readonly Presence[] = ['absent', 'ours', 'foreign']

test('planDown: exactly what is ours goes, and exactly what is foreign is named as left', () => {
  for (const operator of PRESENCES)
    for (const quickstart of PRESENCES) {
      const plan = planDown({ operator, quickstart })
      assert.equal(plan.operator, operator === 'ours')
      assert.equal(plan.quickstart, quickstart === 'ours')
      assert.equal(plan.left.length, [operator, quickstart].filter((one) => one === 'foreign').length)
    }
})

const OURS = 'truenow-system/truenow'
const none = { truenowclusters: 0, tables: 0, rebalances: 0 }
const bare = { operator: 'ours', releases: [OURS, OURS, OURS], objects: none } as const
const STAY: ReadonlyArray<readonly [what: string, found: Parameters<typeof whyCrdsStay>[0], why?: RegExp]> = [
  ['ours, and no object left', bare],
  ['ours, the namespace gone by an earlier `make down`', { ...bare, operator: 'absent' }],
  ['no CRD there at all', { ...bare, releases: [] }],
  ['a Table somewhere', { ...bare, objects: { ...none, tables: 1 } }, /^1 tables are there$/],
  ['a Rebalance somewhere', { ...bare, objects: { ...none, rebalances: 2 } }, /^2 rebalances are there$/],
  ['an operator of somebody else', { ...bare, operator: 'foreign' }, /operator that stays/],
  ['CRDs of another release', { ...bare, releases: [OURS, 'data/other'] }, /of release data\/other/],
  ['CRDs that helm did not bring', { ...bare, releases: [''] }, /not of helm/],
]
for (const [what, found, why] of STAY) {
  test(`whyCrdsStay: ${what}`, () => {
    const said = whyCrdsStay(found, OURS)
    if (why === undefined) assert.equal(said, undefined)
    else assert.match(said ?? '', why)
  })
}
