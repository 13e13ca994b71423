import assert from 'node:assert/strict'
import { closeSync, openSync, readdirSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { LOG_START_US } from '@truenow/kernels/replica/testing/random-log.ts'
import {
  createCatalogInHand,
  createFakeControlPlane,
  SlotLog,
  startShardScene,
  until,
} from './shard-scene.ts'

const { JOINING, SERVING } = ReplicaState
type Scene = Awaited<ReturnType<typeof startShardScene>>
/** Ids soon lie in runs on the volume. */
const idLimits = { recentIdsMin: 64, recentIdsMax: 256, runsMax: 3 }

/** Shards over the same logs; each is added by `start`, and the catalog says what `place` says. */
function createPeers(logs: readonly SlotLog[]) {
  const scenes = new Map<number, Scene>()
  const catalog = createCatalogInHand({ shards: [], replicas: [] })
  const incarnationOf = (shard: number) => BigInt(shard + 1)
  let epoch = 5
  return {
    scenes,
    async start(shard: number, environment: Readonly<Record<string, string>> = {}, directory?: string) {
      const controlPlane = createFakeControlPlane()
      controlPlane.incarnation = shard + 1
      const scene = await startShardScene({
        logs,
        catalog,
        controlPlane,
        idLimits,
        environment: { TRUENOW_SHARD: String(shard), TRUENOW_GAP_WAIT_SECONDS: '1', ...environment },
        ...(directory === undefined ? {} : { directory }),
      })
      scenes.set(shard, scene)
      return scene
    },
    /** Gives every slot these replicas. */
    place(states: Readonly<Record<number, ReplicaState>>, slots = logs.map((_, slot) => slot)): void {
      epoch += 1
      catalog.set({
        epoch,
        slots,
        shards: [...scenes].map(([shard, { address }]) => ({ shard, address, incarnation: incarnationOf(shard) })),
        replicas: Object.entries(states).map(([shard, state]) => ({
          shard: Number(shard),
          incarnation: incarnationOf(Number(shard)),
          state,
        })),
      }) // biome-ignore format: as a table
    },
    close: () => Promise.all([...scenes.values()].map((scene) => scene.close())),
  }
}
async function withPeers(logs: readonly SlotLog[], body: (peers: Peers) => Promise<void>): Promise<void> {
  const peers = createPeers(logs)
  try {
    await body(peers)
  } finally {
    await peers.close()
  }
}

/** `blocks` blocks of 100 rows, from row `first` on; with `again`, the ids of the first rows of all. */
function fill(log: SlotLog, blocks: number, again = false): void {
  for (let block = 0; block < blocks; block++) {
    const first = again ? 0 : log.events.length * 100
    log.append(
      Array.from({ length: 100 }, (_, row) => ({
        id: `event-${first + row}`,
        timeUs: LOG_START_US + ((first + row) % 7) * 1_000_000,
        values: [`region-${(first + row) % 5}`, first + row, (first + row) / 4, null],
      })),
    )
  }
}
const stateOf = async ({ client }: Scene, slot = 0) =>
  (await client.getSlots({})).slots.find((state) => state.slot === slot)
const standsAt = (scene: Scene, offset: number, slot = 0) =>
  until(
    async () => Number((await stateOf(scene, slot))?.cursor?.offset ?? -1) === offset,
    `stands at ${offset}`,
  )
type Peers = ReturnType<typeof createPeers>
/** Shard 0, which serves and has all of a log of so many blocks. */
async function startGiver(peers: Peers, log: SlotLog, blocks: number): Promise<Scene> {
  const giver = await peers.start(0)
  peers.place({ 0: SERVING })
  fill(log, blocks)
  await standsAt(giver, blocks - 1)
  return giver
}
/** Shard 1, which joins it. */
async function startTaker(
  peers: Peers,
  environment: Readonly<Record<string, string>> = {},
  directory?: string,
): Promise<Scene> {
  const taker = await peers.start(1, environment, directory)
  peers.place({ 0: SERVING, 1: JOINING })
  return taker
}
const copies = ({ metric }: Scene, outcome: string) =>
  metric(new RegExp(`^truenow_hot_tier_copies_taken_total\\{outcome="${outcome}"\\} (\\d+)`, 'm'))
const copyingFrom = async ({ get }: Scene) =>
  (JSON.parse(await get('/debug/slots')) as { slots: Array<{ copying_from: string }> }).slots[0]?.copying_from ?? '' // biome-ignore format: one line
async function assertAgree(one: Scene, other: Scene, slot = 0): Promise<void> {
  // A hash of now is told once the stream has said that the log ends here.
  const hashOf = async (scene: Scene) => (await stateOf(scene, slot))?.hashOffset
  await until(async () => (await hashOf(one)) === (await hashOf(other)), 'both tell the hash of one offset')
  const [a, b] = [await stateOf(one, slot), await stateOf(other, slot)]
  assert.ok(a !== undefined && b !== undefined && a.stateHash !== '')
  assert.deepEqual(
    [b.stateHash, b.hashOffset, b.originOffset, b.gaps.length, b.deduplicatedRows],
    [a.stateHash, a.hashOffset, a.originOffset, 0, a.deduplicatedRows],
  )
}
const tornIn = (directory: string) =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.copy-'))

test('peer copy: a shard whose log has lost its beginning is its peer, bit for bit, and goes on as it does', async () => {
  const log = new SlotLog()
  await withPeers([log], async (peers) => {
    const giver = await startGiver(peers, log, 20)
    log.startOffset = 15
    const taker = await startTaker(peers)
    await standsAt(taker, 19)
    assert.equal(await copies(taker, 'taken'), 1)
    await assertAgree(giver, taker)
    fill(log, 3, true) // All of them duplicates, of rows that the log has no more.
    fill(log, 2)
    await Promise.all([standsAt(giver, 24), standsAt(taker, 24)])
    await assertAgree(giver, taker)
    assert.equal((await stateOf(taker))?.deduplicatedRows, 300n)
    assert.deepEqual(taker.ingesters[0]?.subscriptions.map(({ cursor }) => cursor), [19], 'it read nothing before') // biome-ignore format: one line
  })
})

test('peer copy: started again, the shard goes on from its own volume and asks nobody', async () => {
  const log = new SlotLog()
  await withPeers([log], async (peers) => {
    const giver = await startGiver(peers, log, 5)
    log.startOffset = 5
    const taker = await startTaker(peers)
    await standsAt(taker, 4)
    await taker.stop()
    const again = await startTaker(peers, {}, taker.directory)
    await standsAt(again, 4)
    await assertAgree(giver, again)
    assert.ok(Number.isNaN(await copies(again, 'taken')))
  })
})

test('peer copy: a peer that leaves in the middle is left for the other one', async () => {
  const log = new SlotLog()
  await withPeers([log], async (peers) => {
    const slow = { TRUENOW_COPY_BYTES_PER_SECOND_MAX: '150000' }
    const givers = [await peers.start(0, slow), await peers.start(1, slow)]
    peers.place({ 0: SERVING, 1: SERVING })
    fill(log, 60)
    for (const giver of givers) await standsAt(giver, 59)
    log.startOffset = 60
    const taker = await peers.start(2)
    peers.place({ 0: SERVING, 1: SERVING, 2: JOINING })
    await until(async () => (await copyingFrom(taker)) !== '', 'a copy began')
    const from = await copyingFrom(taker)
    const [leaving, staying] = from === givers[0]?.address ? givers : givers.toReversed()
    await until(
      async () => (await taker.metric(/copy_bytes_total\{direction="taken"\} (\d+)/)) > 0,
      'bytes came',
    )
    await leaving?.stop()
    await standsAt(taker, 59)
    assert.ok((await copies(taker, 'failed')) >= 1)
    await assertAgree(staying as Scene, taker)
    assert.deepEqual(tornIn(taker.directory), [])
  })
})

test('peer copy: where every peer fails, the log is read, and what it has lost is a gap that answers name', async () => {
  const log = new SlotLog()
  await withPeers([log], async (peers) => {
    const giver = await startGiver(peers, log, 10)
    await giver.stop()
    log.startOffset = 4
    const taker = await startTaker(peers) // So says the catalog still.
    await standsAt(taker, 9)
    assert.ok((await copies(taker, 'failed')) >= 3)
    const state = await stateOf(taker)
    assert.deepEqual(
      state?.gaps.map(({ firstOffset, resumeOffset, toUs }) => [firstOffset, resumeOffset, toUs]),
      [[0n, 4n, BigInt(LOG_START_US + 4)]],
      'what is lost was appended before the first record that is there',
    )
    assert.deepEqual([state?.originOffset, state?.appliedRows], [4n, 600n])
    assert.equal(await taker.metric(/truenow_hot_tier_lost_records_total (\d+)/), 4)
  })
})

test('peer copy: a gap is forgotten once all that it may have held has expired', async () => {
  const log = new SlotLog()
  await withPeers([log], async (peers) => {
    fill(log, 2)
    log.startOffset = 1
    const shard = await peers.start(0)
    peers.place({ 0: JOINING })
    await standsAt(shard, 1)
    assert.equal((await stateOf(shard))?.gaps.length, 1)
    // Retention is 120 s, the skew ahead 60 s, a bucket 2 s; an append time moves by offset only, so it is set by hand.
    for (const seconds of [181, 183]) {
      fill(log, 1)
      const last = log.events.at(-1)
      assert.ok(last?.event.case === 'block')
      last.event.value.appendTimeUs = BigInt(LOG_START_US + seconds * 1_000_000)
      log.append([{ id: `late-${seconds}`, timeUs: LOG_START_US + seconds * 1_000_000, values: ['eu', 1, 1, null] }]) // biome-ignore format: one line
      await standsAt(shard, log.events.length - 1)
      assert.equal((await stateOf(shard))?.gaps.length, seconds === 181 ? 1 : 0)
    }
  })
})

test('peer copy: a file that is corrupt on the giver’s disk is refused, and the log heals', async () => {
  const log = new SlotLog()
  await withPeers([log], async (peers) => {
    const giver = await startGiver(peers, log, 10)
    const directory = join(giver.directory, 'slots', 'production.events', '0')
    await until(
      async () => (await giver.metric(/snapshots_total\{outcome="written"\} (\d+)/)) > 0,
      'a snapshot',
    )
    await until(
      async () => JSON.parse(await giver.get('/debug/slots')).slots[0].snapshot_offset === 9,
      'of all',
    )
    // Those of the snapshot before may still be there.
    const packs = readdirSync(directory).filter((name) => name.startsWith('pack-'))
    assert.ok(packs.length > 0)
    for (const pack of packs) flipByte(join(directory, pack))
    const taker = await startTaker(peers)
    await standsAt(taker, 9)
    assert.ok((await copies(taker, 'refused')) >= 3)
    assert.ok(Number.isNaN(await copies(taker, 'taken')))
    await assertAgree(giver, taker)
    assert.deepEqual(tornIn(taker.directory), [])
  })
})

test('peer copy: one that was busy is waited for, and every slot gets its copy', async () => {
  const logs = Array.from({ length: 6 }, () => new SlotLog())
  await withPeers(logs, async (peers) => {
    const giver = await peers.start(0, {
      TRUENOW_COPIES_MAX: '1',
      TRUENOW_COPY_BYTES_PER_SECOND_MAX: '300000',
    })
    peers.place({ 0: SERVING })
    for (const log of logs) fill(log, 10)
    for (const slot of logs.keys()) await standsAt(giver, 9, slot)
    for (const log of logs) log.startOffset = 10
    const taker = await startTaker(peers, { TRUENOW_COPIES_MAX: '4' })
    for (const slot of logs.keys()) {
      await standsAt(taker, 9, slot)
      await assertAgree(giver, taker, slot)
    }
    assert.equal(await copies(taker, 'taken'), 6)
    assert.ok((await copies(taker, 'busy')) > 0)
    assert.equal(await taker.metric(/copies_running\{direction="taken"\} (\d+)/), 0)
    assert.equal(await giver.metric(/copies_running\{direction="given"\} (\d+)/), 0)
  })
})

test('peer copy: it ends with the assignment, leaves nothing, and the slot can come back', async () => {
  const log = new SlotLog()
  await withPeers([log], async (peers) => {
    const giver = await peers.start(0, { TRUENOW_COPY_BYTES_PER_SECOND_MAX: '65536' })
    peers.place({ 0: SERVING })
    fill(log, 60)
    await standsAt(giver, 59)
    log.startOffset = 60
    const taker = await startTaker(peers)
    await until(
      async () => (await taker.metric(/copy_bytes_total\{direction="taken"\} (\d+)/)) > 0,
      'bytes came',
    )
    peers.place({ 0: SERVING })
    await until(async () => (await copies(taker, 'cancelled')) === 1, 'it is called off')
    await until(
      async () => (await giver.metric(/copies_running\{direction="given"\} (\d+)/)) === 0,
      'the giver hears',
    )
    assert.deepEqual(tornIn(taker.directory), [])
    peers.place({ 0: SERVING, 1: JOINING })
    await standsAt(taker, 59)
    await assertAgree(giver, taker)
  })
})

test('peer copy: a replica that the log has left behind takes a copy instead of a gap', async () => {
  const log = new SlotLog()
  await withPeers([log], async (peers) => {
    const scenes = [await peers.start(0), await peers.start(1)] as const
    peers.place({ 0: SERVING, 1: SERVING })
    fill(log, 5)
    for (const scene of scenes) await standsAt(scene, 4)
    await scenes[1].stop()
    fill(log, 10)
    await standsAt(scenes[0], 14)
    log.startOffset = 12
    const again = await peers.start(1, {}, scenes[1].directory)
    peers.place({ 0: SERVING, 1: SERVING })
    await standsAt(again, 14)
    await assertAgree(scenes[0], again)
    assert.equal(await copies(again, 'taken'), 1)
    await again.stop()
    const third = await peers.start(1, {}, scenes[1].directory)
    peers.place({ 0: SERVING, 1: SERVING })
    await standsAt(third, 14)
    await assertAgree(scenes[0], third)
  })
})

test('peer copy: who asks with an older epoch, another incarnation, table or catalog gets none, and is told why', async () => {
  const log = new SlotLog()
  await withPeers([log], async (peers) => {
    const giver = await startGiver(peers, log, 2)
    const right = {
      table: { namespace: 'production', name: 'events' },
      tableUid: 'u',
      catalogId: 'c',
      slot: 0,
      epoch: 6n,
      incarnation: 1n,
      atLeastOffset: -1n,
    }
    const wrong: ReadonlyArray<readonly [Partial<typeof right>, RegExp]> = [
      [{ epoch: 5n }, /its epoch is 6/],
      [{ incarnation: 9n }, /incarnation is 1/],
      [{ tableUid: 'made anew' }, /another table or catalog/],
      [{ catalogId: 'other' }, /another table or catalog/],
      [{ slot: 3 }, /not on this shard/],
      [{ atLeastOffset: 2n }, /stands at 1/],
    ]
    for (const [change, message] of wrong) {
      const asked = giver.client.copySlot({ ...right, ...change })
      await assert.rejects(Array.fromAsync(asked), { code: 'TN_SHARD_UNAVAILABLE', message })
    }
    assert.ok((await Array.fromAsync(giver.client.copySlot(right))).length > 1)
    peers.place({ 0: JOINING })
    await assert.rejects(Array.fromAsync(giver.client.copySlot({ ...right, epoch: 7n })), /joining itself/)
  })
})

function flipByte(path: string): void {
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, 100)
  byte[0] = (byte[0] ?? 0) ^ 1
  writeSync(file, byte, 0, 1, 100)
  closeSync(file)
}
