import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Log } from '@truenow/chassis/log.ts'
import { KubernetesError, type KubernetesPort, type Stored, type WatchEvent } from './kubernetes-port.ts'
import { createReflector } from './reflector.ts'
import { createFakeTime } from './testing/fake-time.ts'

const log: Log = { debug() {}, info() {}, warn() {}, error() {} }
const SERVICES = { apiVersion: 'v1', kind: 'Service', plural: 'services' }
const object: Stored = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'n', name: 'a', uid: 'u', generation: 1, resourceVersion: '1' },
}

/** A server whose watches say nothing and obey no signal; `draw` is what random answers. */
function scene(draw: number, watch?: () => AsyncIterable<WatchEvent>) {
  const time = createFakeTime()
  const watches: Array<{ atMs: number; timeoutS: number; resourceVersion: string }> = []
  const lists: number[] = []
  const wake: Array<(result: IteratorResult<WatchEvent>) => void> = []
  const heard: string[] = []
  const port = {
    list: async () => {
      lists.push(time.clock.monotonicMs())
      return { items: [object], resourceVersion: '1', continueToken: '' }
    },
    watch: (_: unknown, { timeoutS, resourceVersion }: { timeoutS: number; resourceVersion: string }) => {
      watches.push({ atMs: time.clock.monotonicMs(), timeoutS, resourceVersion })
      const next = () => new Promise<IteratorResult<WatchEvent>>((resolve) => wake.push(resolve))
      return watch?.() ?? { [Symbol.asyncIterator]: () => ({ next }) }
    },
  } as unknown as KubernetesPort
  const reflector = createReflector<Stored>(port, SERVICES, {
    log,
    clock: time.clock,
    scheduler: time.scheduler,
    random: () => draw,
    onChange: ({ kind, object }) => void heard.push(`${kind} ${object.metadata.name}`),
  })
  return { ...time, ...reflector, watches, lists, wake, heard }
}

for (const [draw, timeoutS, checkMs] of [
  [0, 240, 300_000],
  [0.999_999, 480, 600_000],
] as const) {
  test(`createReflector: watches for ${timeoutS} s and checks after ${checkMs} ms when random draws ${draw}`, async () => {
    const { watches, lists, advance, close, timers, ageMs } = scene(draw)
    await advance(timeoutS * 1_000 + 29_990)
    assert.deepEqual([watches.length, watches[0]?.timeoutS], [1, timeoutS])
    await advance(1_000)
    assert.equal(watches.length, 2, 'silence of 30 s beyond the timeout ends a connection')
    assert.ok(watches[1]!.atMs - watches[0]!.atMs > timeoutS * 1_000 + 30_000, 'after a pause')
    await advance(checkMs - timeoutS * 1_000 - 30_900)
    assert.equal(lists.length, 2)
    assert.ok(ageMs() < 50_000)
    await close()
    assert.equal(timers(), 0)
  })
}

test('createReflector: what a connection says after it was given up is not heard', async () => {
  const { wake, advance, heard, close, settle } = scene(0)
  await advance(275_000)
  const late = { ...object, metadata: { ...object.metadata, name: 'late', resourceVersion: '9' } }
  wake[0]?.({ value: { type: 'ADDED', object: late }, done: false })
  await settle()
  wake[1]?.({
    value: { type: 'ADDED', object: { ...late, metadata: { ...late.metadata, name: 'new' } } },
    done: false,
  })
  await settle()
  assert.deepEqual(heard, ['set a', 'set new'])
  await close()
  wake[2]?.({ value: { type: 'ADDED', object: late }, done: false })
  await settle()
  assert.deepEqual(heard, ['set a', 'set new'])
})

test('createReflector: a server that refuses everything is asked ever more rarely, 30 s apart in the end', async () => {
  const refused = () => {
    throw new KubernetesError('no', { status: 500, reason: '' })
  }
  const { watches, advance, close } = scene(0.999_999, refused)
  await advance(3_600_000)
  const gaps = watches.slice(1).map(({ atMs }, at) => Math.round(atMs - watches[at]!.atMs))
  assert.deepEqual(gaps.slice(0, 7), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000])
  assert.ok(gaps.length > 100 && gaps.slice(7).every((gap) => gap === 30_000), 'and never given up')
  await close()
})
