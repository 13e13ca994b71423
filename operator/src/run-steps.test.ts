import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KubernetesError } from './kubernetes/kubernetes-port.ts'
import { runSteps } from './run-steps.ts'
import type { Step, StepResult } from './step.ts'

type Facts = Readonly<{ seen?: readonly string[]; last?: string }>
const step = (
  name: string,
  answer: () => StepResult<Facts> | Promise<StepResult<Facts>>,
): Step<string, Facts> => ({
  name,
  condition: 'Synced',
  run: async (_object, { seen = [] }) => {
    const result = await answer()
    return result.kind === 'invalid'
      ? result
      : { ...result, facts: { seen: [...seen, name], ...result.facts } }
  },
})
const done = (name: string) => step(name, () => ({ kind: 'done' }))
const wait: StepResult<Facts> = { kind: 'wait', seconds: 3, reason: 'Moving', message: 'Still moving.' }
const never = step('never', () => assert.fail('a step after the end was run'))

test('runSteps: all steps in order, each sees what those before found', async () => {
  const outcome = await runSteps('x', [done('a'), done('b'), done('c')], {})
  assert.deepEqual(outcome, { facts: { seen: ['a', 'b', 'c'] } })
})

test('runSteps: wait ends the pass and keeps what was found', async () => {
  const outcome = await runSteps('x', [done('a'), step('b', () => wait), never], {})
  assert.deepEqual(outcome.facts, { seen: ['a', 'b'] })
  const { message, ...stopped } = outcome.stopped ?? {}
  assert.deepEqual(stopped, { step: 'b', condition: 'Synced', kind: 'wait', reason: 'Moving', seconds: 3 })
  assert.equal(message, 'Still moving.')
})

test('runSteps: invalid ends the pass', async () => {
  const outcome = await runSteps(
    'x',
    [step('a', () => ({ kind: 'invalid', reason: 'Bad', message: 'Bad.' })), never],
    {},
  )
  assert.deepEqual(outcome.stopped, {
    step: 'a',
    condition: 'Synced',
    kind: 'invalid',
    reason: 'Bad',
    message: 'Bad.',
  })
})

test('runSteps: a throw ends the pass as failed, named by its step, with the error for the queue', async () => {
  const error = new Error('disk full')
  const outcome = await runSteps('x', [done('a'), step('b', () => Promise.reject(error)), never], {})
  assert.deepEqual(
    [outcome.stopped?.kind, outcome.stopped?.message, outcome.stopped?.error],
    ['failed', 'b: disk full', error],
  )
  assert.deepEqual(outcome.facts, { seen: ['a'] })
})

test('runSteps: a conflict says that our copy was old, so the pass says nothing', async () => {
  const conflict = new KubernetesError('changed', { status: 409, reason: 'Conflict' })
  await assert.rejects(runSteps('x', [step('a', () => Promise.reject(conflict)), never], {}), conflict)
})

test('runSteps: facts never shrink, wherever the pass ends', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 8 }), fc.nat({ max: 8 }), async (length, stop) => {
      const steps = Array.from({ length }, (_, index) =>
        index === stop ? step(`${index}`, () => wait) : done(`${index}`),
      )
      const { facts, stopped } = await runSteps('x', steps, {})
      assert.equal(facts.seen?.length ?? 0, Math.min(length, stop + 1))
      assert.equal(stopped === undefined, stop >= length)
    }),
  )
})

test('runSteps: a namespace on its way out is waited for, without a growing backoff', async () => {
  const message =
    'services "x" is forbidden: unable to create new content in namespace a because it is being terminated'
  const refused = new KubernetesError(message, { status: 403, reason: 'Forbidden' })
  const outcome = await runSteps('x', [step('a', () => Promise.reject(refused)), never], {})
  assert.deepEqual(
    [outcome.stopped?.kind, outcome.stopped?.reason, outcome.stopped?.seconds],
    ['wait', 'NamespaceTerminating', 5],
  )
  const denied = new KubernetesError('no right', { status: 403, reason: 'Forbidden' })
  const other = await runSteps('x', [step('a', () => Promise.reject(denied)), never], {})
  assert.equal(other.stopped?.kind, 'failed')
})
