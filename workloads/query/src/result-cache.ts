import { createHash } from 'node:crypto'
import { toBinary } from '@bufbuild/protobuf'
import type { CachePort } from '@truenow/chassis/cache-port.ts'
import { type Plan, PlanSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { resultCacheKey } from '@truenow/contracts/keys.ts'
import type { ClusterIdentity } from '@truenow/contracts/topics.ts'
import { crc32c } from '@truenow/contracts/wire/crc32c.ts'
import type { SlotCut } from '@truenow/kernels/query/judge-completeness.ts'
import type { QueryPlan } from '@truenow/kernels/query/plan-statement.ts'

/** What of an answer depends on the log alone, and so may be kept. Watermark and completeness are judged afresh. */
export type CachedResult = Readonly<{
  rowsText: string
  warnings: readonly string[]
  rowsScanned: number
  rowsMatched: number
  rowsFromRollups: number
}>
/** Which result is meant: the same question over the same rows. */
export type ResultIdentity = Readonly<{
  catalogId: string
  /** A table made again under its name is another one, whatever its log looks like. */
  tableUid: string
  namespace: string
  table: string
  plan: QueryPlan
  message: Plan
  cuts: readonly SlotCut[]
}>
/** Entries above this are not worth a trip. */
const ENTRY_BYTES_MAX = 1 << 20
/** Writes under way; beyond it results are not kept, so that a slow Redis costs no memory. */
const WRITES_MAX = 64

/**
 * Whole results by what they were computed from: plan, table version, and of every slot incarnation, cursor and what
 * is retained. A state is a pure function of the log, so an equal identity is an equal result, and whoever read the
 * current cursors first can never be given an older one. Redis away or garbage in an entry: a miss, never an error.
 */
export function createResultCache(port: CachePort, identity: ClusterIdentity, ttlSeconds: number) {
  const writes = new Set<Promise<void>>()
  return {
    async get(result: ResultIdentity): Promise<CachedResult | undefined> {
      const entry = await port.get(keyOf(identity, result)).catch(() => undefined)
      return entry === undefined ? undefined : decodeEntry(entry)
    },
    /** Does not wait: an answer is never late for the sake of the next one. */
    set(result: ResultIdentity, value: CachedResult): void {
      if (value.rowsText.length > ENTRY_BYTES_MAX || writes.size >= WRITES_MAX) return
      const write = port.set(keyOf(identity, result), encodeEntry(value), ttlSeconds).catch(() => {})
      writes.add(write)
      void write.finally(() => writes.delete(write))
    },
    settled: async (): Promise<void> => void (await Promise.all(writes)),
  }
}
export type ResultCache = ReturnType<typeof createResultCache>

function keyOf(
  identity: ClusterIdentity,
  { catalogId, tableUid, namespace, table, plan, message, cuts }: ResultIdentity,
): string {
  const digest = createHash('sha256')
  digest.update(toBinary(PlanSchema, { ...message, atLeastWaitUs: 0n }))
  const slots = cuts.map((cut) => [
    cut.slot,
    cut.incarnation,
    cut.offset,
    cut.checksum,
    cut.retainedFromUs,
    cut.gaps.map(({ firstOffset, resumeOffset }) => [firstOffset, resumeOffset]),
  ])
  const { outputs, orderBy, limit } = plan
  digest.update(
    JSON.stringify([catalogId, tableUid, namespace, table, outputs, orderBy, limit ?? null, slots]),
  )
  return resultCacheKey(identity, digest.digest('hex'))
}

/** entry := crc32c u32 little-endian of the rest | JSON of CachedResult */
function encodeEntry(value: CachedResult): Buffer {
  const text = Buffer.from(JSON.stringify(value), 'utf8')
  const entry = Buffer.alloc(4 + text.length)
  text.copy(entry, 4)
  entry.writeUInt32LE(crc32c(entry, 4, entry.length), 0)
  return entry
}

function decodeEntry(entry: Buffer): CachedResult | undefined {
  if (entry.length < 5 || entry.readUInt32LE(0) !== crc32c(entry, 4, entry.length)) return undefined
  return JSON.parse(entry.toString('utf8', 4)) as CachedResult
}
