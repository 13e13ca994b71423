import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome } from '../step.ts'
import { stoppedCondition } from './stopped-condition.ts'

const ORDER = ['SpecValid', 'Synced', 'OperandReachable'] as const
const GOOD = { reason: 'Good', message: 'Good.' }
type Kind = NonNullable<Outcome<object>['stopped']>['kind']
const outcome = (condition: string, kind: Kind): Outcome<object> => ({
  facts: {},
  stopped: { step: 's', condition, kind, reason: 'Why', message: 'Because.' },
})

test('stoppedCondition: a pass that went through makes all True', () => {
  for (const type of ORDER)
    assert.deepEqual(stoppedCondition(type, { facts: {} }, GOOD), { type, status: 'True', ...GOOD })
})

/** What each condition is where the pass stopped at that of the row: before it True, at it False, after it Unknown. */
const AT = { wait: 'False', invalid: 'False', failed: 'Unknown' } as const
for (const [at, stoppedAt] of ORDER.entries()) {
  for (const kind of ['wait', 'invalid', 'failed'] as const) {
    test(`stoppedCondition: ${kind} at ${stoppedAt}`, () => {
      const told = ORDER.map((type) => stoppedCondition(type, outcome(stoppedAt, kind), GOOD))
      const expected = ORDER.map((_, index) => (index < at ? 'True' : index === at ? AT[kind] : 'Unknown'))
      assert.deepEqual(
        told.map(({ status }) => status),
        expected,
      )
      assert.equal(told[at]?.reason, 'Why')
      for (const one of told.slice(at + 1)) {
        assert.equal(one.reason, 'NotReached')
        assert.match(one.message, new RegExp(`${stoppedAt} comes first \\(Why\\)`))
      }
    })
  }
}

test('stoppedCondition: a step of another condition comes after all of these', () => {
  for (const type of ORDER)
    assert.equal(stoppedCondition(type, outcome('Available', 'failed'), GOOD).status, 'True')
})
