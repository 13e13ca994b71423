import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decidePut, type HeldTable } from './decide-put.ts'
import type { TableDeclaration } from './table-declaration.ts'

const declared: TableDeclaration = {
  namespace: 'production',
  name: 'events',
  columns: [{ name: 'items', type: 'int64', nullable: true }],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: [],
  slots: 8,
  retentionUs: 3_600_000_000,
  allowedLatenessUs: 0,
  dedupWindowUs: 0,
  maxFutureSkewUs: 0,
  idleTimeoutUs: 0,
  onMemoryFull: 'Evict',
}
const live: HeldTable = { state: 'live', uid: 'a', generation: 5, newest: { ...declared, version: 2 } }
const retained: HeldTable = { ...live, state: 'retained' }
const longer = { ...declared, retentionUs: 7_200_000_000 }
const sixteen = { ...declared, slots: 16 }

type Row = [
  name: string,
  held: HeldTable | undefined,
  uid: string,
  generation: number,
  TableDeclaration,
  expected: string,
]
const rows: readonly Row[] = [
  ['nothing there', undefined, 'a', 1, declared, 'create 1'],
  ['the same again', live, 'a', 5, declared, 'keep 2'],
  ['a newer generation that changes nothing', live, 'a', 6, declared, 'keep 2'],
  ['a change', live, 'a', 6, longer, 'change 3'],
  ['an older generation', live, 'a', 4, longer, 'TN_GENERATION_STALE'],
  [
    'an older generation of another object: the name is the matter',
    live,
    'b',
    1,
    declared,
    'TN_TABLE_CONFLICT NameTaken',
  ],
  ['an impossible change', live, 'a', 6, sixteen, 'TN_TABLE_INVALID ChangeRefused'],
  ['kept, and the same', retained, 'b', 1, declared, 'adopt 2'],
  ['kept, and changed safely', retained, 'b', 1, longer, 'adopt 3'],
  ['kept, with other slots', retained, 'b', 1, sixteen, 'TN_TABLE_CONFLICT AdoptionConflict'],
]
for (const [name, held, uid, generation, given, expected] of rows) {
  test(`decidePut: ${name}`, () => {
    const decision = decidePut(held, { uid, generation, declared: given })
    const found =
      decision.kind === 'refuse'
        ? `${decision.code} ${decision.details.reason ?? ''}`.trim()
        : `${decision.kind} ${decision.definition.version}`
    assert.equal(found, expected)
  })
}
