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
import { letGoOfBytes } from './let-go-of-bytes.ts'
import { type IdsBody, readIds, writeIds } from './snapshot-ids.ts'
import {
  createPartReader,
  type FileEntry,
  OWN_FILE_BYTES_MIN,
  type PartPlace,
  PartsWriter,
} from './snapshot-parts.ts'
import { createVolumeRunFiles, type Sync, type VolumeRunFiles } from './volume-run-files.ts'
import { type WriteFile, writeDurably } from './write-durably.ts'

/*
 * A snapshot of one slot, in a directory of its own:
 *   manifest-<n>.json   {checksum, body}: body names every other file with its CRC-32, and the state at one cursor
 *   bucket-<start>-<end>-<offset>.bin   the rows of a time bucket as a column batch, in log order; written once per version
 *   run-<n>.bin, ids-<from>-<to>.bin   remembered ids, older and recent ones (snapshot-ids.ts)
 *   pack-<offset>-<n>.bin   small ones of all these but runs, together (snapshot-parts.ts)
 * Files first, the manifest last, each by write, fsync, rename. The two newest manifests are kept, with what they name; what they say
 * is read from the volume when it is needed, for it is kilobytes a slot.
 */
export type SnapshotIdentity = Readonly<{
  catalogId: string
  incarnation: number
  table: string
  uid: string
  slot: number
}>
/**
 * How remembered ids become runs on the volume (tests let a few ids do, and the disk fail), where rows live, and from what size on a part
 * of a snapshot has a file to itself.
 */
export type ReplicaStorage = Readonly<{
  limits?: Partial<IdLimits>
  sync?: Sync
  memory?: ReplicaMemory
  ownFileBytesMin?: number
}>
type BucketEntry = PartPlace &
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
  /** Every file that a part of the snapshot lies in. */
  files: readonly FileEntry[]
  ids: IdsBody
  buckets: readonly BucketEntry[]
  definition: TableDefinition
}>
/** What is remembered of a manifest: where it stands, and every file that it needs, itself among them. */
type Manifest = Readonly<{ file: string; offset: number; files: readonly string[] }>
/** A snapshot that stays on the volume, whatever is written meanwhile, until it is released. */
export type PinnedSnapshot = Readonly<{ directory: string; body: SnapshotBody; release: () => void }>
const FORMAT = 5
const MANIFESTS_KEPT = 2

/** The snapshots of one slot on the volume. One process at a time: whoever holds the slot. */
export class SnapshotStore {
  readonly directory: string
  readonly identity: SnapshotIdentity
  private readonly writeFile: WriteFile
  /** Of the newest manifest on the volume, also of one that was refused: a number is never used again. */
  private number = 0
  private kept: Manifest[] = []
  private readonly pinned = new Set<Manifest>()
  private readonly runFiles: VolumeRunFiles
  private readonly idLimits: Partial<IdLimits>

  private readonly memory: ReplicaMemory
  private readonly ownFileBytesMin: number

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
    this.ownFileBytesMin = storage.ownFileBytesMin ?? OWN_FILE_BYTES_MIN
  }

  /** An empty replica whose older ids lie beside the snapshots. */
  createReplica(definition: TableDefinition): SlotReplica {
    const ids = new IdWindow(this.runFiles, this.idLimits, this.memory.idArena)
    return new SlotReplica(definition, { ...this.memory, ids })
  }

  /** Gives up a run that cannot be read: no snapshot that names it is loaded again. */
  condemn(run: string): void {
    this.runFiles.condemn(run)
  }

  /** Offset of the newest snapshot; -1 = none. */
  get offset(): number {
    return this.kept.at(-1)?.offset ?? -1
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
      this.kept = [...this.kept, manifestOf(file, body)].slice(-MANIFESTS_KEPT)
    } finally {
      this.sweep()
    }
  }

  /** Keeps the files of the newest snapshot, for who copies them; undefined when there is none that can be read. */
  pin(): PinnedSnapshot | undefined {
    const newest = this.kept.at(-1)
    const body = this.newestBody()
    if (newest === undefined || body === undefined) return undefined
    const own = { ...newest }
    this.pinned.add(own)
    return { directory: this.directory, body, release: () => void this.pinned.delete(own) }
  }

  /** What the newest manifest says; undefined: there is none, or the volume has lost it, and the next one starts anew. */
  private newestBody(): SnapshotBody | undefined {
    const newest = this.kept.at(-1)
    try {
      return newest === undefined ? undefined : this.readManifest(newest.file)
    } catch {
      return undefined
    }
  }

  private writeParts(replica: SlotReplica): SnapshotBody {
    const last = this.newestBody()
    // The number alone may have been another shard's, whose copy this was.
    const pack = `pack-${replica.cursor.offset}-${this.number + 1}.bin`
    const write = (file: string, bytes: Uint8Array) => this.writeFile(join(this.directory, file), bytes)
    const parts = new PartsWriter(last?.files ?? [], pack, write, this.ownFileBytesMin)
    const before = new Map(last?.buckets.map((entry) => [bucketKey(entry.startUs, entry.endUs), entry]))
    const buckets = replica.buckets.values().map((bucket) => {
      const entry = before.get(bucketKey(bucket.startUs, bucket.endUs))
      const isSame = entry?.changedAtOffset === bucket.changedAtOffset
      return isSame && parts.keep(entry) ? entry : writeBucket(bucket, replica.definition, parts)
    })
    const ids = writeIds(replica.ids, last?.ids, parts)
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
      ids,
      buckets,
      files: parts.finish(),
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
        kept.unshift(manifestOf(file, body))
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
    const read = createPartReader(this.directory, body.files)
    for (const entry of body.buckets) {
      loadBucket(entry, replica, read(entry))
      yield
    }
    readIds(body.ids, replica.ids, read) // Last: it opens files, and nothing fails after it.
  }

  /** Removes what no kept manifest names: half-written files, manifests that were refused, snapshots of long ago. */
  private sweep(): void {
    const named = new Set([...this.kept, ...this.pinned].flatMap(({ files }) => files)).union(
      this.runFiles.held(),
    )
    for (const name of this.files()) {
      if (!named.has(name)) rmSync(join(this.directory, name), { force: true })
    }
  }
}

function writeBucket(bucket: RowBucket, definition: TableDefinition, parts: PartsWriter): BucketEntry {
  const { startUs, endUs, changedAtOffset, digest, evictedRows } = bucket
  const bytes = encodeColumnBatch(bucketBatch(bucket, definition), letGoOfBytes)
  const place = parts.add(`bucket-${startUs}-${endUs}-${changedAtOffset}.bin`, bytes)
  return { ...place, startUs, endUs, changedAtOffset, digestA: digest.a, digestB: digest.b, evictedRows }
}

function loadBucket(entry: BucketEntry, replica: SlotReplica, bytes: Buffer): void {
  const { definition, arena, texts, buckets } = replica
  const { columns } = decodeColumnBatch(bytes, 0, true)
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

/** Every file that a snapshot needs beside its manifest. */
export function snapshotFiles({ files, ids }: SnapshotBody): ReadonlyArray<FileEntry> {
  return [...files, ...ids.runs]
}

const manifestOf = (file: string, body: SnapshotBody): Manifest => ({
  file,
  offset: body.cursor.offset,
  files: [file, ...snapshotFiles(body).map((one) => one.file)],
})

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
