import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { decodeColumnBatch, encodeColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { type IdLimits, IdWindow } from '@truenow/kernels/replica/id-window.ts'
import { RowBucket } from '@truenow/kernels/replica/row-bucket.ts'
import {
  bucketKey,
  type EvictedBucket,
  type ReplicaMemory,
  SlotReplica,
} from '@truenow/kernels/replica/slot-replica.ts'
import { bucketBatch, ROW_NUMBER } from './bucket-batch.ts'
import { type IdsBody, readIds, writeIds } from './snapshot-ids.ts'
import { createVolumeRunFiles, type Sync, type VolumeRunFiles } from './volume-run-files.ts'
import { type WriteFile, writeDurably } from './write-durably.ts'

/*
 * A snapshot of one slot, in a directory of its own:
 *   manifest-<n>.json   {checksum, body}: body names every other file with its CRC-32, and the state at one cursor
 *   bucket-<start>-<end>-<offset>.bin   the rows of a time bucket as a column batch, in log order; written once per version
 *   run-<n>.bin, ids-<from>-<to>.bin   remembered ids, older and recent ones (snapshot-ids.ts)
 * Files first, the manifest last, each by write, fsync, rename. The two newest manifests are kept, with what they name.
 */
export type SnapshotIdentity = Readonly<{
  catalogId: string
  incarnation: number
  table: string
  uid: string
  slot: number
}>
/** How remembered ids become runs on the volume (tests let a few ids do, and the disk fail), and where rows live. */
export type ReplicaStorage = Readonly<{ limits?: Partial<IdLimits>; sync?: Sync; memory?: ReplicaMemory }>
type FileEntry = Readonly<{ file: string; checksum: number }>
type BucketEntry = FileEntry &
  Readonly<{
    startUs: number
    endUs: number
    changedAtOffset: number
    digestA: number
    digestB: number
    evictedRows: number
  }>
/** What a manifest says: every other file with its checksum, and the state at one cursor. */
export type SnapshotBody = Readonly<{
  format: typeof FORMAT
  identity: SnapshotIdentity
  cursor: SlotReplica['cursor']
  originOffset: number
  logTimeUs: number
  eventUsMax: number
  watermarkUs: number
  tableVersion: number
  counters: SlotReplica['counters']
  gaps: SlotReplica['gaps']
  evicted: readonly EvictedBucket[]
  evictedBelowUs: number
  expiredBelowUs: number
  ids: IdsBody
  buckets: readonly BucketEntry[]
  definition: TableDefinition
}>
type Manifest = Readonly<{ file: string; body: SnapshotBody }>
/** A snapshot that stays on the volume, whatever is written meanwhile, until it is released. */
export type PinnedSnapshot = Readonly<{ directory: string; body: SnapshotBody; release: () => void }>
const FORMAT = 4
const MANIFESTS_KEPT = 2

/** The snapshots of one slot on the volume. One process at a time: whoever holds the slot. */
export class SnapshotStore {
  readonly directory: string
  readonly identity: SnapshotIdentity
  private readonly writeFile: WriteFile
  /** Of the newest manifest on the volume, also of one that was refused: a number is never used again. */
  private number = 0
  private kept: Manifest[] = []
  private readonly pinned = new Set<SnapshotBody>()
  private readonly runFiles: VolumeRunFiles
  private readonly idLimits: Partial<IdLimits>

  private readonly memory: ReplicaMemory

  constructor(
    directory: string,
    identity: SnapshotIdentity,
    writeFile: WriteFile = writeDurably,
    storage: ReplicaStorage = {},
  ) {
    this.directory = directory
    this.identity = identity
    this.writeFile = writeFile
    this.runFiles = createVolumeRunFiles(directory, storage.sync)
    this.idLimits = storage.limits ?? {}
    this.memory = storage.memory ?? {}
  }

  /** An empty replica whose older ids lie beside the snapshots. */
  createReplica(definition: TableDefinition): SlotReplica {
    return new SlotReplica(definition, { ...this.memory, ids: new IdWindow(this.runFiles, this.idLimits) })
  }

  /** Gives up a run that cannot be read: no snapshot that names it is loaded again. */
  condemn(run: string): void {
    this.runFiles.condemn(run)
  }

  /** Offset of the newest snapshot; -1 = none. */
  get offset(): number {
    return this.kept.at(-1)?.body.cursor.offset ?? -1
  }

  /**
   * Writes what changed since the last snapshot. Synchronous: the state must not move meanwhile. Errors: those of the
   * disk; then the snapshots before stand as they did, and nothing of the failed one keeps its place on a full disk.
   */
  write(replica: SlotReplica): void {
    try {
      mkdirSync(this.directory, { recursive: true })
      const body = this.writeParts(replica)
      this.number += 1
      const file = manifestName(this.number)
      this.writeFile(join(this.directory, file), encodeManifest(body))
      this.kept = [...this.kept, { file, body }].slice(-MANIFESTS_KEPT)
    } finally {
      this.sweep()
    }
  }

  /** Keeps the files of the newest snapshot, for who copies them; undefined when there is none. */
  pin(): PinnedSnapshot | undefined {
    const body = this.kept.at(-1)?.body
    if (body === undefined) return undefined
    const own = { ...body }
    this.pinned.add(own)
    return { directory: this.directory, body, release: () => void this.pinned.delete(own) }
  }

  private writeParts(replica: SlotReplica): SnapshotBody {
    const last = this.kept.at(-1)?.body
    const buckets = [...replica.buckets.values()].map((bucket) =>
      this.writeBucket(bucket, replica.definition, last),
    )
    return {
      format: FORMAT,
      identity: this.identity,
      cursor: replica.cursor,
      originOffset: replica.originOffset,
      logTimeUs: replica.logTimeUs,
      eventUsMax: replica.eventUsMax,
      watermarkUs: replica.watermarkUs,
      tableVersion: replica.tableVersion,
      counters: { ...replica.counters },
      gaps: [...replica.gaps],
      evicted: [...replica.evicted.values()],
      evictedBelowUs: replica.evictedBelowUs,
      expiredBelowUs: replica.expiredBelowUs,
      ids: writeIds(replica.ids, last?.ids, (file, bytes) => {
        this.writeFile(join(this.directory, file), bytes)
        return crc32(bytes)
      }),
      buckets,
      definition: replica.definition,
    }
  }

  /**
   * The newest snapshot that is whole and ours; undefined when there is none, and the log is read from its start. What is
   * torn, corrupt or foreign is told to `refuse` and never loaded.
   */
  restore(refuse: (file: string, why: string) => void): SlotReplica | undefined {
    const steps = this.restoreSteps(refuse)
    for (;;) {
      const { done, value } = steps.next()
      if (done === true) return value
    }
  }

  /** The same, but others get the thread between any two buckets. Aborted, it restores nothing. */
  async restoreInSteps(
    refuse: (file: string, why: string) => void,
    signal: AbortSignal,
  ): Promise<SlotReplica | undefined> {
    const steps = this.restoreSteps(refuse)
    for (;;) {
      const { done, value } = signal.aborted ? steps.return(undefined) : steps.next()
      if (done === true) return value ?? undefined
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  private *restoreSteps(refuse: (file: string, why: string) => void): Steps<SlotReplica | undefined> {
    let restored: SlotReplica | undefined
    const kept: Manifest[] = []
    for (const file of this.manifests().toReversed()) {
      this.number = Math.max(this.number, Number(/\d+/.exec(file)?.[0] ?? 0))
      if (kept.length === MANIFESTS_KEPT) break
      try {
        const body = this.readManifest(file)
        restored ??= yield* this.loadWhole(body)
        kept.unshift({ file, body })
      } catch (error) {
        refuse(join(this.directory, file), (error as Error).message)
      }
    }
    this.kept = kept
    return restored
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
    this.kept = []
  }

  private manifests(): string[] {
    return this.files()
      .filter((name) => /^manifest-\d+\.json$/.test(name))
      .toSorted()
  }

  private files(): string[] {
    try {
      return readdirSync(this.directory)
    } catch {
      return [] // Not made yet.
    }
  }

  private writeBucket(
    bucket: RowBucket,
    definition: TableDefinition,
    last: SnapshotBody | undefined,
  ): BucketEntry {
    const { startUs, endUs, changedAtOffset, digest, evictedRows } = bucket
    const [digestA, digestB] = [digest.a, digest.b]
    const before = last?.buckets.find(
      (entry) =>
        entry.startUs === startUs && entry.endUs === endUs && entry.changedAtOffset === changedAtOffset,
    )
    if (before !== undefined) return before
    const bytes = encodeColumnBatch(bucketBatch(bucket, definition))
    const file = `bucket-${startUs}-${endUs}-${changedAtOffset}.bin`
    this.writeFile(join(this.directory, file), bytes)
    return { file, checksum: crc32(bytes), startUs, endUs, changedAtOffset, digestA, digestB, evictedRows }
  }

  private readManifest(file: string): SnapshotBody {
    const body = decodeManifest(readFileSync(join(this.directory, file)))
    if (JSON.stringify(body.identity) !== JSON.stringify(this.identity))
      throw corrupt('it belongs to another incarnation or table')
    return body
  }

  private *loadWhole(body: SnapshotBody): Steps<SlotReplica> {
    const replica = this.createReplica(body.definition)
    let isWhole = false
    try {
      yield* this.load(body, replica)
      isWhole = true
      return replica
    } finally {
      if (!isWhole) replica.free() // Half of it may stand in the arena already.
    }
  }

  private *load(body: SnapshotBody, replica: SlotReplica): Steps<void> {
    replica.cursor = body.cursor
    replica.originOffset = body.originOffset
    replica.logTimeUs = body.logTimeUs
    replica.eventUsMax = body.eventUsMax
    replica.watermarkUs = body.watermarkUs
    replica.tableVersion = body.tableVersion
    Object.assign(replica.counters, body.counters)
    replica.gaps.push(...body.gaps)
    for (const gone of body.evicted) replica.evicted.set(bucketKey(gone.startUs, gone.endUs), gone)
    replica.evictedBelowUs = body.evictedBelowUs
    replica.expiredBelowUs = body.expiredBelowUs
    for (const entry of body.buckets) {
      this.loadBucket(entry, replica)
      yield
    }
    readIds(body.ids, replica.ids, (part) => this.readFile(part)) // Last: it opens files, and nothing fails after it.
  }

  private loadBucket(entry: BucketEntry, { definition, arena, texts, buckets }: SlotReplica): void {
    const { columns } = decodeColumnBatch(this.readFile(entry), 0, true)
    const bucket = new RowBucket(entry.startUs, entry.endUs, arena, texts)
    buckets.add(bucket) // First: texts are kept for buckets that are held.
    const numbers = columns.at(-1)?.column
    if (columns.at(-1)?.name !== ROW_NUMBER || numbers?.type !== 'int64')
      throw corrupt(`${entry.file} lacks row numbers`)
    const held = columns.slice(0, -1)
    const own = held
      .slice(2)
      .map(({ name, column }) => ({ name, type: column.type as 'string', nullable: true }))
    const asBlock = { columns: held.map(({ column }) => column) }
    const digest = { a: entry.digestA, b: entry.digestB }
    bucket.restore(asBlock, { ...definition, columns: own }, numbers.values, digest)
    bucket.changedAtOffset = entry.changedAtOffset
    bucket.evictedRows = entry.evictedRows
  }

  private readFile({ file, checksum }: FileEntry): Buffer {
    const bytes = readFileSync(join(this.directory, file))
    if (crc32(bytes) !== checksum) throw corrupt(`${file} does not have the checksum that the manifest names`)
    return bytes
  }

  /** Removes what no kept manifest names: half-written files, manifests that were refused, snapshots of long ago. */
  private sweep(): void {
    const bodies = [...this.kept.map(({ body }) => body), ...this.pinned]
    const named = new Set([
      ...this.kept.map(({ file }) => file),
      ...bodies.flatMap((body) => snapshotFiles(body).map(({ file }) => file)),
    ]).union(this.runFiles.held())
    for (const name of this.files()) {
      if (!named.has(name)) rmSync(join(this.directory, name), { force: true })
    }
  }
}

/** Every file that a snapshot needs beside its manifest. */
export function snapshotFiles({ buckets, ids }: SnapshotBody): ReadonlyArray<FileEntry> {
  return [...buckets, ...ids.parts, ...ids.runs]
}

export const manifestName = (number: number): string => `manifest-${String(number).padStart(12, '0')}.json`

export function encodeManifest(body: SnapshotBody): Buffer {
  const text = JSON.stringify(body)
  return Buffer.from(JSON.stringify({ checksum: crc32(Buffer.from(text)), body: text }))
}

/** Errors: TN_SNAPSHOT_CORRUPT for what is torn, altered or of another format; SyntaxError for what is no JSON. */
export function decodeManifest(bytes: Uint8Array): SnapshotBody {
  const { checksum, body: text } = JSON.parse(Buffer.from(bytes).toString('utf8'))
  if (typeof text !== 'string' || crc32(Buffer.from(text)) !== checksum)
    throw corrupt('its checksum does not match')
  return parseBody(text)
}

/** Errors: as `decodeManifest`. */
export function parseBody(text: string): SnapshotBody {
  const body = JSON.parse(text) as SnapshotBody
  if (body.format !== FORMAT) throw corrupt(`format ${body.format} is not ${FORMAT}`)
  return body
}

/** A piece of work in steps, between which others may have the thread. */
type Steps<Result> = Generator<undefined, Result, undefined>

function corrupt(what: string): TrueNowError {
  return new TrueNowError('TN_SNAPSHOT_CORRUPT', `Not a snapshot to load: ${what}.`)
}
