import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome } from '../step.ts'
import type { TableFacts } from '../table-facts.ts'
import { tableConditions } from './table-conditions.ts'

const stopped = (
  condition: string,
  kind: 'wait' | 'invalid' | 'failed',
  facts: TableFacts = {},
): Outcome<TableFacts> => ({
  facts,
  stopped: { step: 's', condition, kind, reason: 'Why', message: 'Because.' },
})
const ready = { topic: 't', version: 1, slotsReady: 4, drift: [] }
const cases: ReadonlyArray<
  [what: string, outcome: Outcome<TableFacts>, ready: string, valid: string, synced: string]
> = [
  ['all slots in full', { facts: ready }, 'True AllServing', 'True Valid', 'True AsSpecified'],
  [
    'one slot is not',
    { facts: { ...ready, slotsReady: 3 } },
    'False SlotsNotReady',
    'True Valid',
    'True AsSpecified',
  ],
  ['nobody said how many', { facts: {} }, 'False SlotsNotReady', 'True Valid', 'True AsSpecified'],
  [
    'the topic differs',
    { facts: { ...ready, drift: ['retention.ms is 1'] } },
    'False TopicDrift',
    'True Valid',
    'False TopicDrift',
  ],
  ['a bad spec', stopped('SpecValid', 'invalid'), 'False Why', 'False Why', 'Unknown NotReached'],
  ['the control plane is away', stopped('Synced', 'wait'), 'False Why', 'True Valid', 'False Why'],
  ['a step failed', stopped('Synced', 'failed'), 'False Why', 'True Valid', 'Unknown Why'],
  ['the cluster is paused', { facts: { resting: true } }, 'False Paused', 'True Valid', 'Unknown Paused'],
  [
    'the freshness cannot be read',
    stopped('Ready', 'failed', ready),
    'True AllServing',
    'True Valid',
    'True AsSpecified',
  ],
]
for (const [what, outcome, ...expected] of cases) {
  test(`tableConditions: ${what}`, () => {
    const judged = tableConditions(outcome, 4)
    assert.deepEqual(
      judged.map(({ type }) => type),
      ['Ready', 'SpecValid', 'Synced'],
    )
    assert.deepEqual(
      judged.map(({ status, reason }) => `${status} ${reason}`),
      expected,
    )
    assert.ok(judged.every(({ message }) => message.length > 5))
  })
}
