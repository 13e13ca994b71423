import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { create } from '@bufbuild/protobuf'
import {
  type CopyPart,
  CopyPartSchema,
  CopySlotRequestSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { SlotReplica } from '@truenow/kernels/replica/slot-replica.ts'
import { fold, type LogRecord, logOf, VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'
import fc from 'fast-check'
import { Registry } from 'prom-client'
import { giveCopy } from './give-copy.ts'
import { createHotTierMetrics } from './metrics.ts'
import { createPermits } from './permits.ts'
import { SnapshotStore } from './snapshot-store.ts'
import { copyDirectory, placeCopy, removeTornCopies, takeCopy } from './take-copy.ts'
import type { WriteFile } from './write-durably.ts'

const [first] = VERSIONS as [(typeof VERSIONS)[0]]
const giver = { catalogId: 'c', incarnation: 1, table: 'production.events', uid: 'u', slot: 0 }
const taker = { ...giver, incarnation: 2 }
const metrics = createHotTierMetrics(new Registry())
const root = mkdtempSync(join(tmpdir(), 'truenow-copies-'))
after(() => rmSync(root, { recursive: true, force: true }))
let directories = 0
const freshDirectory = () => join(root, String(directories++))
const never = new AbortController().signal
const refuseNone = (file: string, why: string) => assert.fail(`${file} was refused: ${why}`)

const writeQuickly: WriteFile = (path, bytes) => {
  writeFileSync(`${path}.new`, bytes)
  renameSync(`${path}.new`, path)
}
const ids = { limits: { recentIdsMin: 2, recentIdsMax: 24, runsMax: 3 }, sync: () => {} }
const storeIn = (directory: string, identity = giver) =>
  new SnapshotStore(directory, identity, writeQuickly, ids)

/** A store with a snapshot of a log's first records, and the replica, which can go on. */
function filledStore(records: readonly LogRecord[]): { store: SnapshotStore; replica: SlotReplica } {
  const store = storeIn(freshDirectory())
  const replica = store.createReplica(first)
  for (const record of records) fold(replica, record)
  store.write(replica)
  return { store, replica }
}
function givingFrom(store: SnapshotStore) {
  const releases: Array<() => void> = []
  const pin = () => {
    const pinned = store.pin()
    return pinned && { ...pinned, pin: releases.push(pinned.release) - 1 }
  }
  return { pin, unpin: (at: number) => releases[at]?.(), permits: createPermits(1), throttle: async () => {}, metrics } // biome-ignore format: one line
}
const partsOf = (store: SnapshotStore, signal = never) =>
  giveCopy(create(CopySlotRequestSchema, {}), givingFrom(store), signal)
async function collected(store: SnapshotStore): Promise<CopyPart[]> {
  return (await Array.fromAsync(partsOf(store))).map((part) => create(CopyPartSchema, part))
}
async function* told(parts: readonly CopyPart[]): AsyncGenerator<CopyPart> {
  yield* parts
}
const take = (parts: readonly CopyPart[], into: string, identity = taker) =>
  takeCopy(told(parts), into, identity, metrics)

test('takeCopy: what was given is the giver, bit for bit, with its origin, and goes on as it does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(1 << 30), fc.integer({ min: 1, max: 80 }), async (seed, count) => {
      const records = logOf(seed, 120)
      const { store, replica } = filledStore(records.slice(0, count))
      const directory = freshDirectory()
      const copy = copyDirectory(directory, 'x')
      assert.equal(await take(await collected(store), copy), true)
      placeCopy(copy, directory)
      const restored = storeIn(directory, taker).restore(refuseNone)
      assert.ok(restored !== undefined)
      assert.deepEqual([restored.stateHash(), restored.originOffset], [replica.stateHash(), replica.originOffset]) // biome-ignore format: one line
      for (const record of records.slice(count)) {
        fold(replica, record)
        fold(restored, record)
      }
      assert.equal(restored.stateHash(), replica.stateHash())
    }),
    { numRuns: 20 },
  )
})

test('giveCopy: its files stay while the giver writes on, and leave afterwards', async () => {
  const records = logOf(7, 200)
  const { store, replica } = filledStore(records.slice(0, 60))
  const hash = replica.stateHash()
  const parts = partsOf(store)
  const seen: CopyPart[] = []
  let next = 60
  for await (const part of parts) {
    seen.push(create(CopyPartSchema, part))
    for (const record of records.slice(next, next + 10)) fold(replica, record)
    next += 10
    store.write(replica)
    store.write(replica)
  }
  const before = readdirSync(store.directory).length
  store.write(replica)
  assert.ok(readdirSync(store.directory).length < before, 'what was pinned is swept')
  const directory = freshDirectory()
  assert.equal(await take(seen, directory), true)
  assert.equal(storeIn(directory, taker).restore(refuseNone)?.stateHash(), hash)
})

test('giveCopy: beyond the copies that may run at once it says so, and one that is left midway counts no more', async () => {
  const { store } = filledStore(logOf(8, 30))
  const parts = givingFrom(store)
  const request = create(CopySlotRequestSchema, {})
  const running = giveCopy(request, parts, never)
  await running.next()
  await assert.rejects(giveCopy(request, parts, never).next(), { code: 'TN_OVERLOADED', message: /TRUENOW_COPIES_MAX/ }) // biome-ignore format: one line
  await running.return(undefined)
  assert.equal((await giveCopy(request, parts, never).next()).done, false)
})

test('takeCopy: a giver that has nothing yet gives nothing', async () => {
  assert.equal(await take(await collected(storeIn(freshDirectory())), freshDirectory()), false)
})

/** Ways in which parts can be other than they were given; undefined = not possible with these. */
type Damage = (parts: CopyPart[], at: number, bit: number) => CopyPart[] | undefined
const chunkOf = (part: CopyPart | undefined) => (part?.part.case === 'chunk' ? part.part.value : undefined)
const damages: Readonly<Record<string, Damage>> = {
  'a bit of a chunk flipped on its way': (parts, at, bit) => {
    const chunk = chunkOf(parts[at])
    if (chunk === undefined) return undefined
    flip(chunk.data, bit)
    return parts
  },
  'a bit flipped on the giver’s disk': (parts, at, bit) => {
    const chunk = chunkOf(parts[at])
    if (chunk === undefined) return undefined
    flip(chunk.data, bit)
    const part = { case: 'chunk' as const, value: { data: chunk.data, checksum: crc32(chunk.data) } }
    return parts.with(at, create(CopyPartSchema, { part }))
  },
  'a bit of the manifest flipped': (parts, _at, bit) => {
    const [head] = parts
    if (head?.part.case === 'manifest') flip(head.part.value.body, bit)
    return parts
  },
  'it ends early': (parts, at) => parts.slice(0, at),
  'a part is missing': (parts, at) => parts.toSpliced(at, 1),
  'a part comes twice': (parts, at) => parts.toSpliced(at, 0, parts[at] as CopyPart),
  'it goes on': (parts) => [...parts, parts.at(-1) as CopyPart],
  'a file’s name leads out of the directory': (parts) => {
    const [head] = parts
    if (head?.part.case !== 'manifest') return undefined
    const text = Buffer.from(head.part.value.body)
      .toString()
      .replace(/"(bucket-[^"]+)"/, '"../$1"')
    const body = Buffer.from(text)
    const files = head.part.value.files.map(({ name, bytes }, index) => ({ name: index === 0 ? `../${name}` : name, bytes })) // biome-ignore format: one line
    const part = { case: 'manifest' as const, value: { body, checksum: crc32(body), files } }
    return parts.with(0, create(CopyPartSchema, { part }))
  },
}

for (const [name, damage] of Object.entries(damages)) {
  test(`takeCopy: ${name}: refused, and nothing takes the place of the slot's snapshots`, async () => {
    let refused = 0
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000), fc.nat(), fc.nat(), async (seed, place, bit) => {
        const parts = await collected(filledStore(logOf(seed, 60)).store)
        const changed = damage([...parts], place % parts.length, bit)
        if (changed === undefined) return
        const into = freshDirectory()
        await assert.rejects(take(changed, into), ({ code }: { code?: string }) => {
          return code === 'TN_SNAPSHOT_CORRUPT' || code === 'TN_ID_RUN_UNREADABLE'
        })
        assert.ok(!readdirSync(into).some((file) => file.startsWith('manifest')), 'nothing to restore')
        refused += 1
      }),
      { numRuns: 20 },
    )
    assert.ok(refused > 5, `${refused} copies were damaged`)
  })
}

for (const foreign of [
  { catalogId: 'other' },
  { uid: 'made anew' },
  { slot: 1 },
  { table: 'production.other' },
]) {
  test(`takeCopy: one of another ${Object.keys(foreign)[0]} is refused`, async () => {
    const parts = await collected(filledStore(logOf(3, 20)).store)
    await assert.rejects(take(parts, freshDirectory(), { ...taker, ...foreign }), /another table or catalog/)
  })
}

test('removeTornCopies: takes what was cut short away, and nothing else', async () => {
  const { store } = filledStore(logOf(3, 20))
  const [own, other] = [join(root, 'slots', '1'), join(root, 'slots', '11')]
  const torn = copyDirectory(own, 'a')
  const parts = await collected(store)
  for (const directory of [own, torn, other, copyDirectory(other, 'a')]) await take(parts, directory)
  removeTornCopies(own)
  assert.deepEqual([own, torn, other, copyDirectory(other, 'a')].map((path) => existsSync(path)), [true, false, true, true]) // biome-ignore format: one line
})

function flip(bytes: Uint8Array, bit: number): void {
  const at = (bit >>> 3) % bytes.length
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7))
}
