import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { type CatalogContent, indexCatalog } from '@truenow/chassis/catalog-view.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type CopySlotRequest,
  CopySlotRequestSchema,
  type PartialQueryRequest,
  PartialQueryRequestSchema,
  ReplicaState,
  SlotStatus,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'
import fc from 'fast-check'
import { ShardRouter } from './shard-router.ts'
import type { ShardWorker } from './shard-worker.ts'

const [definition] = VERSIONS as [TableDefinition]
const IDENTITY = { catalogId: 'c', incarnation: 1 }
const signal = new AbortController().signal

/** A catalog that assigns these slots to shard 0. */
const catalog = (slots: readonly number[], catalogId = 'c', revision = 1) =>
  indexCatalog({
    revision,
    catalogId,
    replicationFactor: 1,
    shards: [],
    tables: [
      {
        definition,
        definitions: new Map([[1, definition]]),
        topic: 't',
        uid: 'u',
        slots: slots.map((slot) => ({
          slot,
          epoch: 1,
          replicas: [{ shard: 0, incarnation: 1, state: ReplicaState.SERVING }],
        })),
      },
    ],
  })

/** A worker that notes what it is told, and answers OK for what it holds. */
function fakeWorker() {
  const worker = {
    held: new Set<number>(),
    catalogRevision: 0,
    pinned: new Map<number, number>(),
    lastPin: 0,
    log: [] as string[],
    aborted: false,
    assigned: async () => {},
    answered: async () => {},
    port: undefined as unknown as ShardWorker,
  }
  const assign = async ({ tables, revision }: CatalogContent) => {
    await worker.assigned()
    worker.catalogRevision = revision
    worker.held = new Set(tables.flatMap(({ slots }) => slots.map(({ slot }) => slot)))
    worker.log.push(`assign ${[...worker.held]}`)
  }
  const execute = async ({ slots }: PartialQueryRequest, stop: AbortSignal) => {
    stop.addEventListener('abort', () => {
      worker.aborted = true
    })
    worker.log.push(`execute ${slots.map(({ slot }) => slot)}`)
    await worker.answered()
    const statusOf = (slot: number) => (worker.held.has(slot) ? SlotStatus.OK : SlotStatus.NOT_SERVING)
    return {
      slots: slots.map(({ slot }) => ({ slot, status: statusOf(slot), detail: '' })),
      batch: new Uint8Array(0),
      rowsScanned: BigInt(slots.length),
      rowsMatched: 1n,
      rowsFromRollups: 0n,
    }
  }
  const reset = async () => void worker.held.clear()
  const states = async () => ({
    catalogRevision: worker.catalogRevision,
    slots: [...worker.held].map((slot) => ({ slot })),
    residentBytes: 0,
  })
  /** Of a slot that nobody holds no copy is given; each worker numbers its pins from 1. */
  const pin = async ({ slot }: CopySlotRequest) => {
    if (!worker.held.has(slot)) return undefined
    worker.lastPin += 1
    worker.pinned.set(worker.lastPin, slot)
    return { pin: worker.lastPin, directory: `${slot}`, body: {} }
  }
  const unpin = async (number: number) => {
    worker.pinned.delete(number)
    throw new TrueNowError('TN_SHARD_UNAVAILABLE', 'one that dies meanwhile harms nobody')
  }
  worker.port = {
    open: async () => {},
    assign,
    execute,
    reset,
    states,
    pin,
    unpin,
    close: async () => {},
  } as unknown as ShardWorker
  return worker
}

async function scene(workers: number, slots: readonly number[]) {
  const fakes = Array.from({ length: workers }, fakeWorker)
  const router = new ShardRouter(fakes.map(({ port }) => port), 0) // biome-ignore format: one line
  await router.open(IDENTITY)
  await router.assign(catalog(slots))
  const ask = (asked: readonly number[]) => {
    const table = { namespace: definition.namespace, name: definition.name }
    const request = { table, slots: asked.map((slot) => ({ slot })), plan: { tableVersion: 1 } }
    return router.execute(create(PartialQueryRequestSchema, request), signal)
  }
  return { fakes, router, ask }
}

test('ShardRouter: every slot is asked of its holder, once, and answered in the order of the request', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.uniqueArray(fc.nat(12), { maxLength: 12 }),
      fc.uniqueArray(fc.nat(12), { minLength: 1, maxLength: 12 }),
      async (workers, assigned, asked) => {
        const { ask, fakes } = await scene(workers, assigned)
        const { slots, rowsScanned } = await ask(asked)
        const expected = asked.map((slot) => [slot, assigned.includes(slot) ? SlotStatus.OK : SlotStatus.NOT_SERVING]) // biome-ignore format: one line
        assert.deepEqual(slots.map(({ slot, status }) => [slot, status]), expected) // biome-ignore format: one line
        assert.equal(rowsScanned, BigInt(asked.length))
        const holders = fakes.flatMap(({ held }) => [...held])
        assert.deepEqual(holders.toSorted(), [...assigned].toSorted(), 'and each has one holder')
      },
    ),
  )
})

test('ShardRouter: a slot that left comes to another worker only when the first has let go of it', async () => {
  const { fakes, router } = await scene(2, [0, 1])
  const [zero, one] = fakes as [ReturnType<typeof fakeWorker>, ReturnType<typeof fakeWorker>]
  let letGo = () => {}
  zero.assigned = () => new Promise((resolve) => (letGo = resolve)) // biome-ignore format: one line
  const leaving = router.assign(catalog([1]))
  await new Promise((resolve) => setImmediate(resolve))
  zero.assigned = async () => {}
  const coming = router.assign(catalog([1, 0]))
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([...zero.held, ...one.held], [0, 1], 'nothing is handed out meanwhile')
  letGo()
  await Promise.all([leaving, coming])
  assert.deepEqual([...zero.held, ...one.held].toSorted(), [0, 1])
})

test('ShardRouter: the first error is the answer, and the others are stopped', async () => {
  const { fakes, ask } = await scene(2, [0, 1])
  const [zero, one] = fakes as [ReturnType<typeof fakeWorker>, ReturnType<typeof fakeWorker>]
  zero.answered = () => Promise.reject(new TrueNowError('TN_QUERY_LIMIT', 'too many groups'))
  one.answered = () => new Promise(() => {})
  await assert.rejects(ask([0, 1]), /too many groups/)
  assert.equal(one.aborted, true)
  await assert.rejects(ask([0]), /too many groups/)
})

test('ShardRouter: a catalog of another cluster, or before it is known who we are, assigns nothing', async () => {
  const { fakes, router } = await scene(2, [])
  await router.assign(catalog([0], 'another'))
  await router.reset()
  await router.assign(catalog([0]))
  assert.deepEqual(fakes.flatMap(({ held }) => [...held]), []) // biome-ignore format: one line
  await router.open(IDENTITY)
  await router.assign(catalog([0]))
  assert.deepEqual(fakes.flatMap(({ held }) => [...held]), [0]) // biome-ignore format: one line
})

test('ShardRouter: a report is of the oldest catalog that a worker goes by, and without what left under a newer one', async () => {
  const { fakes, router } = await scene(2, [0, 1])
  const [zero, one] = fakes as [ReturnType<typeof fakeWorker>, ReturnType<typeof fakeWorker>]
  const told = async () => {
    const { catalogRevision, slots } = await router.states()
    return [catalogRevision, slots.map(({ slot }) => slot)]
  }
  assert.deepEqual(await told(), [1, [0, 1]])
  let takeOver = () => {}
  one.assigned = () => new Promise((resolve) => (takeOver = resolve)) // biome-ignore format: one line
  const leaving = router.assign(catalog([1], 'c', 7))
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([zero.catalogRevision, await told()], [7, [1, [1]]])
  takeOver()
  await leaving
  assert.deepEqual(await told(), [7, [1]])
})

test('ShardRouter: a copy is pinned and let go of where its slot is, whatever the workers number alike', async () => {
  const { fakes, router } = await scene(2, [0, 1, 2, 3])
  const table = { namespace: definition.namespace, name: definition.name }
  const pin = (slot: number) => router.pin(create(CopySlotRequestSchema, { table, slot }))
  const pinned = () => fakes.flatMap(({ pinned: own }) => [...own.values()]).toSorted()
  const pins = await Promise.all([0, 1, 2, 3].map(pin))
  assert.equal(await pin(9), undefined)
  assert.deepEqual(pins.map((one) => one?.directory), ['0', '1', '2', '3']) // biome-ignore format: one line
  assert.equal(new Set(pins.map((one) => one?.pin)).size, 4)
  assert.deepEqual(pinned(), [0, 1, 2, 3])
  for (const one of [pins[1], pins[1], pins[2]]) router.unpin(one?.pin ?? 0)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(pinned(), [0, 3])
})
