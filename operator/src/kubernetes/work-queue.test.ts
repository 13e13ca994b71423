import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Log } from '@truenow/chassis/log.ts'
import fc from 'fast-check'
import { Registry } from 'prom-client'
import { createKubernetesMetrics } from './kubernetes-metrics.ts'
import { createFakeTime } from './testing/fake-time.ts'
import { createWorkQueue, type WorkQueueOptions } from './work-queue.ts'

const log: Log = { debug() {}, info() {}, warn() {}, error() {} }

function scene(work: WorkQueueOptions['work'], more: Partial<WorkQueueOptions> = {}) {
  const time = createFakeTime()
  const started: Array<[key: string, atMs: number]> = []
  const queue = createWorkQueue({
    clock: time.clock,
    scheduler: time.scheduler,
    random: () => 0.999_999,
    concurrency: 2,
    log,
    work: (key, signal) => {
      started.push([key, Math.round(time.clock.monotonicMs())])
      return work(key, signal)
    },
    ...more,
  })
  return { ...time, queue, started }
}
const done = async () => {}

test('createWorkQueue: many adds of a waiting key are one work', async () => {
  const { queue, started, settle } = scene(done)
  for (let i = 0; i < 5; i++) queue.add('a')
  assert.deepEqual(started, [], 'nothing runs inside add')
  await settle()
  assert.deepEqual(started, [['a', 0]])
})

test('createWorkQueue: added while it is worked on, a key is worked on once more, afterwards', async () => {
  const gate = Promise.withResolvers<void>()
  let first = true
  const { queue, started, settle } = scene(async () => {
    if (first) await gate.promise
    first = false
  })
  queue.add('a')
  await settle()
  for (let i = 0; i < 3; i++) queue.add('a')
  await settle()
  assert.equal(started.length, 1)
  gate.resolve()
  await settle()
  assert.equal(started.length, 2)
})

test('createWorkQueue: a key that throws comes back after 5, 10, 20 … ms, and from 5 again after a success', async () => {
  let failing = true
  const { queue, started, advance } = scene(async () => {
    if (failing) throw new Error('no')
  })
  queue.add('a')
  await advance(36)
  assert.deepEqual(
    started.map(([, atMs]) => atMs),
    [0, 5, 15, 35],
  )
  failing = false
  await advance(40)
  failing = true
  queue.add('a')
  await advance(6)
  assert.deepEqual(
    started.map(([, atMs]) => atMs),
    [0, 5, 15, 35, 75, 76, 81],
  )
})

test('createWorkQueue: retries of a key that never succeeds are at most 1000 s apart', async () => {
  const { queue, started, advance } = scene(() => Promise.reject(new Error('no')))
  queue.add('a')
  await advance(20_000_000)
  const gaps = started.slice(1).map(([, atMs], at) => atMs - started[at]![1])
  assert.ok(gaps.length > 20)
  assert.equal(Math.max(...gaps), 1_000_000)
})

test('createWorkQueue: retries of all keys together are limited', async () => {
  const { queue, started, advance } = scene(() => Promise.reject(new Error('no')), { concurrency: 1_000 })
  for (let key = 0; key < 500; key++) queue.add(`${key}`)
  await advance(10_000)
  assert.ok(started.length <= 500 + 100 + 10 * 10 + 1, `${started.length} works`)
})

test('createWorkQueue: an asked-for next pass comes at its time; the earliest of several wins', async () => {
  let answer: { afterMs: number } | undefined = { afterMs: 1_000 }
  const { queue, started, advance } = scene(async () => answer)
  queue.add('a')
  await advance(0)
  answer = undefined
  queue.addAfter('a', 5_000)
  queue.addAfter('a', 300)
  queue.addAfter('a', 700)
  await advance(10_000)
  assert.deepEqual(started, [
    ['a', 0],
    ['a', 300],
  ])
})

test('createWorkQueue: laws over random adds and works', async () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), waitMs: fc.nat(30), delayMs: fc.nat(40) })
  const works = fc.array(fc.record({ ms: fc.nat(50), fails: fc.boolean() }), { minLength: 1, maxLength: 10 })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), works, async (steps, works) => {
      let drawn = 0
      const running = new Set<string>()
      const begun = new Set<string>()
      const { queue, advance, scheduler, timers } = scene(async (key) => {
        assert.ok(!running.has(key), 'one at a time for a key')
        running.add(key)
        assert.ok(running.size <= 2, 'concurrency')
        begun.add(key)
        const { ms, fails } = works[drawn++ % works.length]!
        await new Promise<void>((resolve) => scheduler.after(ms, resolve))
        running.delete(key)
        if (fails && drawn < 12) throw new Error('no')
      })
      const added = new Set<string>()
      for (const { key, waitMs, delayMs } of steps) {
        await advance(waitMs)
        queue.addAfter(key, delayMs)
        added.add(key)
      }
      await advance(10_000_000)
      assert.deepEqual(begun, added, 'none is passed over')
      assert.deepEqual([running.size, timers()], [0, 0], 'it comes to rest')
      await queue.close()
    }),
    { numRuns: 60 },
  )
})

test('createWorkQueue: no change is passed over: the last work of a key began after its last add', async () => {
  const gaps = fc.array(fc.nat(20), { minLength: 1, maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(gaps, fc.nat(30), async (gapsMs, workMs) => {
      let begunMs = -1
      const { queue, clock, advance, scheduler } = scene(async () => {
        begunMs = clock.monotonicMs()
        await new Promise<void>((resolve) => scheduler.after(workMs, resolve))
      })
      let addedMs = 0
      for (const gapMs of gapsMs) {
        await advance(gapMs)
        queue.add('a')
        addedMs = clock.monotonicMs()
      }
      await advance(1_000)
      assert.ok(begunMs >= addedMs)
    }),
    { numRuns: 60 },
  )
})

test('createWorkQueue: close aborts what runs, waits for it and starts nothing more', async () => {
  const seen: AbortSignal[] = []
  const { queue, started, settle, advance, timers } = scene((_, signal) => {
    seen.push(signal)
    return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  })
  queue.add('a')
  queue.addAfter('b', 10)
  await settle()
  queue.add('a')
  await queue.close()
  queue.add('c')
  queue.addAfter('c', 1)
  await advance(1_000)
  assert.deepEqual(
    started.map(([key]) => key),
    ['a'],
  )
  assert.deepEqual([seen[0]?.aborted, timers()], [true, 0])
})

test('createWorkQueue: keys are bounded, also those that are due later; known ones are always taken', () => {
  const { queue } = scene(done, { keysMax: 2 })
  queue.addAfter('a', 1_000)
  queue.add('b')
  assert.throws(() => queue.add('c'), RangeError)
  assert.throws(() => queue.addAfter('c', 1), RangeError)
  queue.add('a')
})

test('createWorkQueue: metrics tell depth, retries and the longest running', async () => {
  const registry = new Registry()
  const metrics = createKubernetesMetrics(registry)
  const gate = Promise.withResolvers<void>()
  const { queue, advance, settle } = scene(
    (key) => (key === 'slow' ? gate.promise : Promise.reject(new Error('no'))),
    {
      metrics,
      concurrency: 1,
      name: 'clusters',
    },
  )
  const read = async (name: string) =>
    (await registry.getSingleMetric(name)!.get()).values.find(({ labels }) => labels.queue === 'clusters')
      ?.value
  queue.add('slow')
  queue.add('other')
  await advance(3_000)
  assert.equal(await read('truenow_operator_queue_depth'), 1)
  assert.equal(await read('truenow_operator_queue_longest_running_seconds'), 3)
  gate.resolve()
  await settle()
  assert.equal(await read('truenow_operator_queue_retries_total'), 1)
  assert.equal(await read('truenow_operator_queue_depth'), 0)
  await queue.close()
})
