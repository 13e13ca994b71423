import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Table } from '../api/v1alpha1/table.ts'
import { tableIdentity } from '../table-identity.ts'
import { anyClaimant, tableOf } from '../testing/any-table.ts'
import { olderClaimant } from './claim-name.ts'

const claimants = fc.uniqueArray(anyClaimant, {
  minLength: 1,
  maxLength: 12,
  selector: ({ metadata }) => metadata.uid,
})
const identityOf = (table: Table) =>
  JSON.stringify([table.metadata.namespace, table.spec.clusterRef.name, tableIdentity(table)])

test('olderClaimant: of all that mean one table exactly one holds it, whoever asks and in whatever order', () => {
  fc.assert(
    fc.property(claimants, fc.array(fc.nat()), (tables, order) => {
      const shuffled = tables.toSorted(
        (a, b) => (order[tables.indexOf(a)] ?? 0) - (order[tables.indexOf(b)] ?? 0),
      )
      for (const same of Map.groupBy(tables, identityOf).values()) {
        const winners = same.filter((table) => olderClaimant(table, tables) === undefined)
        assert.equal(winners.length, 1)
        assert.deepEqual(
          same.filter((table) => olderClaimant(table, shuffled) === undefined),
          winners,
        )
      }
    }),
  )
})

test('olderClaimant: a younger one that comes, or goes, changes nothing for the holder', () => {
  fc.assert(
    fc.property(claimants, (tables) => {
      for (const table of tables) {
        if (olderClaimant(table, tables) !== undefined) continue
        for (const gone of tables)
          assert.equal(
            olderClaimant(
              table,
              tables.filter((one) => one !== gone),
            ),
            undefined,
          )
      }
    }),
  )
})

const mine = tableOf({}, { uid: 'b', creationTimestamp: '2026-01-01T00:00:01Z' })
const cases: ReadonlyArray<[what: string, other: Table, holds: boolean]> = [
  ['an older one', tableOf({}, { uid: 'z', name: 'x', creationTimestamp: '2026-01-01T00:00:00Z' }), true],
  ['a younger one', tableOf({}, { uid: 'a', name: 'x', creationTimestamp: '2026-01-01T00:00:02Z' }), false],
  [
    'one of the same second and a smaller uid',
    tableOf({}, { uid: 'a', name: 'x', creationTimestamp: '2026-01-01T00:00:01Z' }),
    true,
  ],
  [
    'one of the same second and a greater uid',
    tableOf({}, { uid: 'c', name: 'x', creationTimestamp: '2026-01-01T00:00:01Z' }),
    false,
  ],
  ['itself', mine, false],
  [
    'an older one of another cluster',
    tableOf({ clusterRef: { name: 'other' } }, { uid: 'a', creationTimestamp: '2026-01-01T00:00:00Z' }),
    false,
  ],
  [
    'an older one of another Kubernetes namespace',
    tableOf({}, { uid: 'a', namespace: 'other', creationTimestamp: '2026-01-01T00:00:00Z' }),
    false,
  ],
  [
    'an older one of another logical namespace',
    tableOf({ namespace: 'staging' }, { uid: 'a', creationTimestamp: '2026-01-01T00:00:00Z' }),
    false,
  ],
]
for (const [what, other, holds] of cases) {
  test(`olderClaimant: ${what}`, () =>
    assert.equal(olderClaimant(mine, [mine, other]), holds ? other : undefined))
}
