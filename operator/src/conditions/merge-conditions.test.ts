import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Judgement } from './judgement.ts'
import { mergeConditions, transitions } from './merge-conditions.ts'

const types = ['Ready', 'Synced', 'SpecValid', 'Available']
const judgement = (type: string) =>
  fc.record({
    type: fc.constant(type),
    status: fc.constantFrom('True' as const, 'False' as const, 'Unknown' as const),
    reason: fc.constantFrom('A', 'B'),
    message: fc.constantFrom('x', 'y'),
  })
const judged: fc.Arbitrary<Judgement[]> = fc.tuple(...types.map(judgement))
const [EARLY, LATE, LATER] = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:09Z', '2026-01-01T00:01:00Z'] as const

test('mergeConditions: a transition time moves exactly where the status does', () => {
  fc.assert(
    fc.property(judged, judged, (first, second) => {
      const before = mergeConditions([], first, 1, EARLY)
      for (const [index, condition] of mergeConditions(before, second, 2, LATE).entries()) {
        const same = before[index]?.status === condition.status
        assert.equal(condition.lastTransitionTime, same ? EARLY : LATE)
        assert.equal(condition.observedGeneration, 2)
      }
    }),
  )
})

test('mergeConditions: judged the same again later, nothing changes, so nothing is written', () => {
  fc.assert(
    fc.property(judged, judged, (first, second) => {
      const once = mergeConditions(mergeConditions([], first, 1, EARLY), second, 2, LATE)
      assert.deepEqual(mergeConditions(once, second, 2, LATER), once)
      assert.deepEqual(transitions(once, mergeConditions(once, second, 2, LATER)), [])
    }),
  )
})

test('mergeConditions: what is judged now is all that stays, in its order, one of each type', () => {
  fc.assert(
    fc.property(judged, judged, (first, second) => {
      const some = second.slice(1)
      const merged = mergeConditions(mergeConditions([], first, 1, EARLY), some, 2, LATE)
      const plain = merged.map(({ type, status, reason, message }) => ({ type, status, reason, message }))
      assert.deepEqual(
        plain,
        some.map((one) => ({ ...one })),
      )
    }),
  )
})

test('mergeConditions: the order of what was before does not matter', () => {
  fc.assert(
    fc.property(judged, judged, (first, second) => {
      const before = mergeConditions([], first, 1, EARLY)
      assert.deepEqual(
        mergeConditions(before.toReversed(), second, 2, LATE),
        mergeConditions(before, second, 2, LATE),
      )
    }),
  )
})

test('transitions: exactly the types whose status differs, new ones included, once each', () => {
  fc.assert(
    fc.property(judged, judged, (first, second) => {
      const before = mergeConditions([], first.slice(1), 1, EARLY)
      const after = mergeConditions(before, second, 2, LATE)
      const expected = types.filter(
        (_, index) => index === 0 || first[index]?.status !== second[index]?.status,
      )
      assert.deepEqual(
        transitions(before, after).map(({ type }) => type),
        expected,
      )
    }),
  )
})
