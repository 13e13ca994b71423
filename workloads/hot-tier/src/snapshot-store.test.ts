import assert from 'node:assert/strict'
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { SlotReplica } from '@truenow/kernels/replica/slot-replica.ts'
import { encodeRows } from '@truenow/kernels/replica/testing/encode-rows.ts'
import {
  fold,
  LOG_START_US,
  type LogRecord,
  logOf,
  VERSIONS,
} from '@truenow/kernels/replica/testing/random-log.ts'
import fc from 'fast-check'
import { PACKS_MAX } from './snapshot-parts.ts'
import { SnapshotStore } from './snapshot-store.ts'
import type { WriteFile } from './write-durably.ts'

const [first] = VERSIONS as [(typeof VERSIONS)[0]]
const identity = { catalogId: 'c', incarnation: 1, table: 'production.events', uid: 'u', slot: 0 }
const root = mkdtempSync(join(tmpdir(), 'truenow-snapshots-'))
after(() => rmSync(root, { recursive: true, force: true }))
let directories = 0
const freshDirectory = () => join(root, String(directories++))

/** As durable as a test needs: the process does not die. */
const writeQuickly: WriteFile = (path, bytes) => {
  writeFileSync(`${path}.new`, bytes)
  renameSync(`${path}.new`, path)
}
/** Runs of a few ids, and files of a few hundred bytes, so that a log of some hundred rows has all that a snapshot can have. */
const ids = {
  limits: { recentIdsMin: 2, recentIdsMax: 24, runsMax: 3 },
  sync: () => {},
  ownFileBytesMin: 500,
}
const storeIn = (directory: string, write = writeQuickly) =>
  new SnapshotStore(directory, identity, write, ids)
/** An empty replica whose runs lie with the store's snapshots. */
const replicaOf = (store: SnapshotStore) => store.createReplica(first)
const refuseNone = (file: string, why: string) => assert.fail(`${file} was refused: ${why}`)

/** State hashes of an uninterrupted replica, by cursor offset; -1 is the empty one. */
function hashesOf(records: readonly LogRecord[]): Map<number, string> {
  const replica = new SlotReplica(first)
  const hashes = new Map([[-1, replica.stateHash()]])
  for (const record of records) {
    fold(replica, record)
    hashes.set(record.at.offset, replica.stateHash())
  }
  return hashes
}
/** Goes on from where a replica stands to the end of the log. */
function replay(replica: SlotReplica, records: readonly LogRecord[]): SlotReplica {
  for (const record of records) if (record.at.offset > replica.cursor.offset) fold(replica, record)
  return replica
}
/** Folds the log in and writes a snapshot after every `period` records. */
function foldAndWrite(store: SnapshotStore, records: readonly LogRecord[], period: number): void {
  const replica = replicaOf(store)
  for (const [index, record] of records.entries()) {
    fold(replica, record)
    if (index % period === period - 1) store.write(replica)
  }
}
const rowsOf = (replica: SlotReplica) =>
  replica.cut(0).sources.map(({ rowCount, rowNumbers, times }) => [[...rowNumbers.subarray(0, rowCount)], [...times.subarray(0, rowCount)]]) // biome-ignore format: one line

test('SnapshotStore: restarted at any cursors, also under memory pressure, a replica is as if it had never stopped', () => {
  fc.assert(
    fc.property(fc.nat(1 << 30), fc.array(fc.nat(9), { minLength: 60, maxLength: 60 }), (seed, events) => {
      const records = logOf(seed, 60)
      const hashes = hashesOf(records)
      const directory = freshDirectory()
      let store = storeIn(directory)
      let replica = replicaOf(store)
      for (const [index, record] of records.entries()) {
        fold(replica, record)
        if (events[index] === 1) replica.evictOldest()
        if ((events[index] ?? 0) < 3) store.write(replica)
        if (events[index] !== 2) continue
        store = storeIn(directory)
        const restored = store.restore(refuseNone)
        assert.ok(restored !== undefined)
        assert.equal(store.offset, record.at.offset)
        assert.deepEqual(
          [rowsOf(restored), restored.retainedFromUs],
          [rowsOf(replica), replica.retainedFromUs],
        )
        replica = restored
        assert.equal(replica.stateHash(), hashes.get(record.at.offset))
      }
      assert.equal(replica.stateHash(), hashes.get(records.at(-1)?.at.offset ?? -1))
    }),
    { numRuns: 15 },
  )
})

test('SnapshotStore: a restored replica folds its buckets to what they were', () => {
  const rolled = {
    ...first,
    rollups: [{ dimensions: ['region'], metrics: ['revenue'], granularityUs: 1_000_000 }],
  }
  const directory = freshDirectory()
  const replica = storeIn(directory).createReplica(rolled)
  const record = (offset: number, rowCount: number, timeUs: number): LogRecord => {
    const rows = Array.from({ length: rowCount }, (_, row) => ({ id: `${offset}-${row}`, timeUs: timeUs + row, values: ['eu', row, row / 4, true] })) // biome-ignore format: one line
    const value = encodeRows(rows, rolled)
    return { at: { offset, checksum: 0 }, appendTimeUs: timeUs, value, definition: rolled, rows }
  }
  fold(replica, record(0, 4_000, LOG_START_US))
  fold(replica, record(1, 1_000, LOG_START_US + 10_000_000))
  assert.ok(replica.rollups.rows === 4_000 && replica.rollups.cells > 0)
  const written = storeIn(directory)
  written.write(replica)
  const restored = storeIn(directory).restore(refuseNone)
  assert.equal(restored?.rollups.buckets, 0)
  restored?.foldBuckets()
  assert.deepEqual(restored?.rollups, replica.rollups)
  assert.equal(restored?.stateHash(), replica.stateHash())
})

test('SnapshotStore: an empty id window keeps its place in the sequence', () => {
  const records = logOf(11, 30)
  const replica = replay(new SlotReplica(first), records)
  const { at, timeUs } = { at: replica.cursor.offset, timeUs: replica.logTimeUs }
  const lone = (offset: number, appendTimeUs: number, rowUs: number): LogRecord => {
    const rows = [{ id: `lone-${offset}`, timeUs: rowUs, values: ['eu', 1, 1, true] }]
    const value = encodeRows(rows, first)
    return { at: { offset, checksum: 0 }, appendTimeUs, value, definition: first, rows }
  }
  fold(replica, lone(at + 1, timeUs + 4e9, timeUs + 4e9))
  fold(replica, lone(at + 2, timeUs + 8e9, timeUs)) // Its row is long expired, so its id is not kept either.
  assert.equal(replica.ids.size, 0)
  const directory = freshDirectory()
  storeIn(directory).write(replica)
  assert.equal(storeIn(directory).restore(refuseNone)?.stateHash(), replica.stateHash())
})

class Crash extends Error {}

for (const moment of ['before', 'half', 'after'] as const) {
  test(`SnapshotStore: a crash ${moment} any file of any snapshot leaves one to go on from`, () => {
    const records = logOf(21, 60)
    const hashes = hashesOf(records)
    const period = 6
    let crashes = 0
    for (let crashAt = 0; ; crashAt++) {
      const [directory, left] = [freshDirectory(), freshDirectory()]
      let calls = 0
      let [inProgress, whole] = [-1, -1]
      const crashing: WriteFile = (path, bytes) => {
        if (calls++ !== crashAt) return writeQuickly(path, bytes)
        if (moment === 'half') writeFileSync(`${path}.new`, bytes.subarray(0, bytes.length / 2))
        if (moment === 'after') writeQuickly(path, bytes)
        if (moment === 'after' && path.includes('manifest')) whole = inProgress
        cpSync(directory, left, { recursive: true }) // A killed process does nothing more to its volume.
        throw new Crash()
      }
      const store = storeIn(directory, crashing)
      const replica = replicaOf(store)
      try {
        for (const [index, record] of records.entries()) {
          fold(replica, record)
          if (index % period !== period - 1) continue
          inProgress = record.at.offset
          store.write(replica)
          whole = inProgress
        }
      } catch (error) {
        assert.ok(error instanceof Crash)
        crashes += 1
      }
      if (crashes <= crashAt) break // Every write was reached.
      const again = storeIn(left)
      const restored = again.restore(refuseNone)
      assert.equal(restored?.cursor.offset ?? -1, whole)
      const going = restored ?? replicaOf(again)
      assert.equal(going.stateHash(), hashes.get(going.cursor.offset))
      assert.equal(replay(going, records).stateHash(), hashes.get(records.at(-1)?.at.offset ?? -1))
      again.write(going)
      assert.equal(storeIn(left).restore(refuseNone)?.stateHash(), going.stateHash())
    }
    assert.ok(crashes > 15, `only ${crashes} crash points`)
  })
}

const damages: ReadonlyArray<[name: string, damage: (path: string) => void]> = [
  ['missing', (path) => rmSync(path)],
  ['empty', (path) => truncateSync(path, 0)],
  ['truncated', (path) => truncateSync(path, readFileSync(path).length - 1)],
  ['with a flipped bit in its middle', (path) => flip(path, 0.5)],
  ['with a flipped bit at its end', (path) => flip(path, 0.999)],
  ['longer', (path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.of(0)]))],
]
function flip(path: string, place: number): void {
  const bytes = readFileSync(path)
  const at = Math.floor(bytes.length * place)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

for (const [name, damage] of damages) {
  test(`SnapshotStore: any file ${name} is refused, never loaded, and healed by what is older and the log`, () => {
    const records = logOf(31, 40)
    const hashes = hashesOf(records)
    const pristine = freshDirectory()
    foldAndWrite(storeIn(pristine), records, 8)
    const files = readdirSync(pristine)
    const manifests = files.filter((file) => file.startsWith('manifest')).toSorted()
    assert.equal(manifests.length, 2)
    let fellBack = 0
    for (const file of files) {
      const directory = freshDirectory()
      cpSync(pristine, directory, { recursive: true })
      damage(join(directory, file))
      const refused: string[] = []
      const store = storeIn(directory)
      const restored = store.restore((path) => refused.push(path))
      if (restored === undefined) store.remove()
      const going = restored ?? replicaOf(store)
      assert.equal(going.stateHash(), hashes.get(going.cursor.offset), file)
      if (going.cursor.offset < (records.at(-1)?.at.offset ?? -1)) fellBack += 1
      if (file === manifests[1]) assert.equal(going.cursor.offset, records[31]?.at.offset)
      if (file === manifests[0]) assert.equal(going.cursor.offset, records[39]?.at.offset)
      assert.equal(replay(going, records).stateHash(), hashes.get(records.at(-1)?.at.offset ?? -1))
      // Healed: two more snapshots stand for themselves, and the refused one is gone.
      store.write(going)
      store.write(going)
      rmSync(join(directory, readdirSync(directory).filter((one) => one.startsWith('manifest')).toSorted().at(-1) ?? '')) // biome-ignore format: one line
      assert.equal(storeIn(directory).restore(refuseNone)?.stateHash(), going.stateHash())
    }
    assert.ok(fellBack >= 3, `${fellBack} of ${files.length} files made the newest snapshot unusable`)
  })
}

test('SnapshotStore: beside a refused manifest the good one before it stays until another good one is there', () => {
  const records = logOf(31, 40)
  const directory = freshDirectory()
  foldAndWrite(storeIn(directory), records, 8)
  const manifests = () =>
    readdirSync(directory)
      .filter((file) => file.startsWith('manifest'))
      .toSorted()
  const [older, newest] = manifests() as [string, string]
  flip(join(directory, newest), 0.5)
  const store = storeIn(directory)
  const replica = replay(store.restore(() => {}) ?? replicaOf(store), records)
  store.write(replica)
  assert.deepEqual([manifests().length, manifests()[0]], [2, older])
  assert.ok(!manifests().includes(newest), 'a number is not used again')
})

test('SnapshotStore: a full disk keeps the snapshots before, takes nothing more, and is written again once there is room', () => {
  const records = logOf(41, 60)
  const directory = freshDirectory()
  let room = Number.POSITIVE_INFINITY
  const filling: WriteFile = (path, bytes) => {
    if (room-- <= 0)
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    writeQuickly(path, bytes)
  }
  const store = storeIn(directory, filling)
  const replica = replay(replicaOf(store), records.slice(0, 20))
  store.write(replica)
  // Runs of ids come and go between snapshots.
  const filesNow = () => readdirSync(directory).filter((name) => !name.startsWith('run-')).toSorted() // biome-ignore format: one line
  const [files, offset] = [filesNow(), store.offset]
  replay(replica, records.slice(0, 40))
  for (let written = 0; written < 4; written++) {
    room = written
    assert.throws(() => store.write(replica), { code: 'ENOSPC' })
    assert.deepEqual([filesNow(), store.offset], [files, offset])
  }
  room = Number.POSITIVE_INFINITY
  replay(replica, records)
  store.write(replica)
  assert.equal(storeIn(directory).restore(refuseNone)?.stateHash(), replica.stateHash())
})

test('SnapshotStore: keeps two snapshots and no file that they do not name', () => {
  const records = logOf(51, 200)
  const directory = freshDirectory()
  const store = storeIn(directory)
  foldAndWrite(store, records, 5)
  const files = readdirSync(directory)
  let runs = 0
  const named = new Set(
    files
      .filter((file) => file.startsWith('manifest'))
      .flatMap((file) => {
        const { body } = JSON.parse(readFileSync(join(directory, file), 'utf8')) as { body: string }
        type Files = Array<{ file: string }>
        const { ids, buckets } = JSON.parse(body) as { ids: { parts: Files; runs: Files }; buckets: Files }
        runs += ids.runs.length
        const parts = [...ids.parts, ...buckets].map((part) => part.file)
        assert.ok(new Set(parts.filter((part) => part.startsWith('pack-'))).size <= PACKS_MAX)
        return [file, ...parts, ...ids.runs.map((run) => run.file)]
      }),
  )
  assert.deepEqual(files.toSorted(), [...named].toSorted())
  assert.equal(files.filter((file) => file.startsWith('manifest')).length, 2)
  assert.ok(runs > 0, 'the log is long enough for runs of ids')
})

const foreign: ReadonlyArray<Partial<typeof identity>> = [
  { catalogId: 'other' },
  { incarnation: 2 },
  { uid: 'made anew' },
  { slot: 1 },
  { table: 'production.other' },
]
for (const other of foreign) {
  test(`SnapshotStore: one of another ${Object.keys(other)[0]} is refused`, () => {
    const directory = freshDirectory()
    foldAndWrite(storeIn(directory), logOf(61, 10), 5)
    const refused: string[] = []
    const store = new SnapshotStore(directory, { ...identity, ...other }, writeQuickly)
    assert.equal(store.restore((_, why) => refused.push(why)), undefined) // biome-ignore format: one line
    assert.equal(refused.length, 2)
    for (const why of refused) assert.match(why, /belongs to another incarnation or table/)
  })
}
