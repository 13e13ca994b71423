import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requeueAfter } from './requeue-after.ts'
import type { Outcome } from './step.ts'

const stopped = (kind: 'wait' | 'invalid' | 'failed', more: object = {}): Outcome<object> => ({
  facts: {},
  stopped: { step: 's', condition: 'Synced', kind, reason: 'R', message: 'M', ...more },
})

test('requeueAfter: soon while things move, later when all is well', () => {
  assert.deepEqual(requeueAfter({ facts: {} }, false, 10_000), { afterMs: 1_000 })
  assert.deepEqual(requeueAfter({ facts: {} }, true, 10_000), { afterMs: 10_000 })
})

test('requeueAfter: as the step asks, also where it asks for never', () => {
  assert.deepEqual(requeueAfter(stopped('wait', { seconds: 60 }), true, 10_000), { afterMs: 60_000 })
  assert.deepEqual(requeueAfter(stopped('wait', { seconds: 0 }), true, 10_000), { afterMs: 0 })
  assert.equal(requeueAfter(stopped('invalid'), true, 10_000), undefined)
})

test('requeueAfter: what a step threw is thrown again, so that the queue backs off', () => {
  const error = new Error('disk full')
  assert.throws(() => requeueAfter(stopped('failed', { error }), true, 10_000), error)
})
