import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAdmission } from './admission.ts'

const never = new AbortController().signal

test('admission: runs, then lines up, then refuses by name', async () => {
  const admission = createAdmission(1, 1)
  const gate = Promise.withResolvers<string>()
  const first = admission.run(() => gate.promise, never)
  const second = admission.run(async () => 'second', never)
  await assert.rejects(
    admission.run(async () => 'third', never),
    {
      code: 'TN_OVERLOADED',
      details: { limit: 'TRUENOW_QUERY_WAITING_MAX', max: 1, retry_after_s: 1 },
    },
  )
  assert.deepEqual([admission.running(), admission.waiting()], [1, 1])
  gate.resolve('first')
  assert.deepEqual(await Promise.all([first, second]), ['first', 'second'])
  assert.deepEqual([admission.running(), admission.waiting()], [0, 0])
})

test('admission: whoever gives up leaves the line and takes no place', async () => {
  const admission = createAdmission(1, 1)
  const gate = Promise.withResolvers<void>()
  const first = admission.run(() => gate.promise, never)
  const impatient = new AbortController()
  const second = admission.run(async () => {}, impatient.signal)
  impatient.abort(new Error('gone'))
  await assert.rejects(second, /gone/)
  assert.equal(admission.waiting(), 0)
  gate.resolve()
  await first
  assert.equal(admission.running(), 0)
})

test('admission: a failure frees its place', async () => {
  const admission = createAdmission(1, 0)
  await assert.rejects(
    admission.run(() => Promise.reject(new Error('no')), never),
    /no/,
  )
  assert.equal(await admission.run(async () => 1, never), 1)
})
