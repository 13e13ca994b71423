import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Resource, Stored } from './kubernetes/kubernetes-port.ts'
import type { Reflector } from './kubernetes/reflector.ts'
import { MONITORING_RESOURCES } from './kubernetes/resources.ts'
import { createOptionalKinds } from './optional-kinds.ts'

const [MONITORS, , CONFIG_MAPS] = MONITORING_RESOURCES as [Resource, Resource, Resource]

function scene() {
  const state = { nowMs: 0, served: ['servicemonitors'], failing: false, asked: 0, listed: 0 }
  const started: { kind: string; closed: boolean; list: () => void }[] = []
  const start = ({ kind }: Resource): Reflector<Stored>[] => {
    const synced = Promise.withResolvers<void>()
    const one = { kind, closed: false, list: synced.resolve }
    started.push(one)
    const close = async () => {
      one.closed = true
      synced.reject(new Error('closed'))
    }
    return [{ get: () => undefined, all: () => [], hasSynced: () => synced.promise, ageMs: () => 0, close }]
  }
  const kinds = createOptionalKinds({
    served: async () => {
      state.asked += 1
      if (state.failing) throw new Error('the API server is away')
      return state.served
    },
    start,
    onListed: () => {
      state.listed += 1
    },
    clock: { nowUs: () => state.nowMs * 1_000, monotonicMs: () => state.nowMs },
  })
  return { state, started, kinds }
}
const settled = () => new Promise((resolve) => setImmediate(resolve))

test('optionalKinds: a kind is watched once it is asked for, once, and its first list is told', async () => {
  const { state, started, kinds } = scene()
  assert.deepEqual([started.length, state.asked], [0, 0])
  assert.equal(await kinds.follow(MONITORS), 'listing')
  assert.equal(await kinds.follow(MONITORS), 'listing')
  started[0]?.list()
  await settled()
  assert.deepEqual([await kinds.follow(MONITORS), state.listed, started.length], ['followed', 1, 1])
  assert.equal(kinds.reflectors(MONITORS.kind).length, 1)
  assert.equal(kinds.reflectors(CONFIG_MAPS.kind).length, 0)
})

test('optionalKinds: the server is asked once a minute, by however many; the core group never', async () => {
  const { state, kinds } = scene()
  for (let second = 0; second < 120; second++) {
    state.nowMs = second * 1_000
    await Promise.all([kinds.follow(MONITORS), kinds.follow(MONITORS), kinds.follow(CONFIG_MAPS)])
  }
  assert.equal(state.asked, 2)
})

test('optionalKinds: a kind that is installed later is followed, and one that is removed is let go', async () => {
  const { state, started, kinds } = scene()
  state.served = []
  assert.deepEqual([await kinds.follow(MONITORS), started.length], ['absent', 0])
  state.served = ['servicemonitors']
  assert.equal(await kinds.follow(MONITORS), 'absent', 'within the minute')
  state.nowMs = 60_000
  assert.equal(await kinds.follow(MONITORS), 'listing')
  state.served = []
  state.nowMs = 120_000
  assert.deepEqual([await kinds.follow(MONITORS), started[0]?.closed], ['absent', true])
  assert.deepEqual(kinds.reflectors(MONITORS.kind), [])
  await settled()
  assert.equal(state.listed, 0, 'closed before it was listed')
})

test('optionalKinds: a question that failed is asked again at once, and answers nothing meanwhile', async () => {
  const { state, started, kinds } = scene()
  state.failing = true
  await assert.rejects(kinds.follow(MONITORS), /away/)
  state.failing = false
  assert.deepEqual([await kinds.follow(MONITORS), state.asked], ['listing', 2])
  await kinds.close()
  assert.deepEqual(
    started.map(({ closed }) => closed),
    [true],
  )
})
