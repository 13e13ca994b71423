import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  AggregateFunction,
  PartialQueryRequestSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { SlotReplica } from '@truenow/kernels/replica/slot-replica.ts'
import { fold, logOf, VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'
import { executePartial, type ReadTurns } from './execute-partial.ts'
import { slotInHand } from './testing/slot-in-hand.ts'

const [first] = VERSIONS as [(typeof VERSIONS)[0]]
const definition = VERSIONS.at(-1) ?? first
const { COUNT } = AggregateFunction

/** A slot that holds a log, and a count of all its rows. */
function scene() {
  const definitions = new Map(VERSIONS.map((one) => [one.version, one]))
  const replica = new SlotReplica(first)
  for (const record of logOf(7, 40)) fold(replica, record)
  const slot = slotInHand({
    table: { definition, definitions, topic: 't', uid: 'u', slots: [] },
    clock: { nowUs: () => 0, monotonicMs: () => 0 },
    replica,
  })
  const request = create(PartialQueryRequestSchema, {
    table: { namespace: 'production', name: 'events' },
    slots: [{ slot: 0, epoch: 1n, incarnation: 1n, shards: [0], atLeastOffset: -1n }],
    plan: {
      tableVersion: definition.version,
      endUs: 1n << 52n,
      rowsOnly: true,
      shape: { case: 'aggregate', value: { aggregates: [{ function: COUNT, column: '' }], groupsMax: 1 } },
    },
  })
  const time = { ms: 0 }
  const startWork = (msALook: number) => () => {
    const look = () => {
      time.ms += msALook
      return time.ms
    }
    const since = look()
    return () => look() - since
  }
  const ask = (turns: ReadTurns, signal: AbortSignal, msALook = 0) =>
    executePartial(request, 0, () => slot, startWork(msALook), signal, turns)
  return { replica, ask, time }
}

test('executePartial: it reads in its turns only, says how much it has to read, and accounts for all the time it took', async () => {
  const { replica, ask, time } = scene()
  const asked: number[] = []
  let toldMs = 0
  let outsideMs = 0
  const wait = async (rows: number) => {
    asked.push(rows)
    const since = time.ms
    await new Promise((resolve) => setImmediate(resolve))
    outsideMs += time.ms - since
  }
  const turns: ReadTurns = {
    begin: wait,
    goOn: wait,
    readTook: (ms) => {
      toldMs += ms
    },
  }
  const { rowsScanned } = await ask(turns, new AbortController().signal, 10)
  assert.equal(Number(rowsScanned), replica.residentRows)
  assert.ok(asked.length > 1, 'past its slice at each look, it asks for a turn at each source')
  assert.deepEqual(new Set(asked).size, 1, 'it is as long a read to the end')
  assert.ok((asked[0] ?? 0) >= replica.residentRows)
  assert.equal(outsideMs, 0, 'nothing is read while it waits')
  // A look at the clock before and after the cut, two a slice, and one that finds the slice over.
  assert.equal(toldMs, 10 + 20 * (asked.length - 1) + 10)
})

test('executePartial: whoever leaves while a turn is waited for has nothing read, and its cut is let go', async () => {
  const { replica, ask } = scene()
  const stop = new AbortController()
  const turns: ReadTurns = { begin: async () => stop.abort(), goOn: () => assert.fail('it goes on'), readTook: () => {} } // biome-ignore format: one line
  await assert.rejects(ask(turns, stop.signal), { code: 'TN_SHUTTING_DOWN' })
  const freed = replica.arena.usedBytes
  replica.free()
  assert.ok(freed > 0 && replica.arena.usedBytes === 0, `${replica.arena.usedBytes} of ${freed} bytes stay`)
})
