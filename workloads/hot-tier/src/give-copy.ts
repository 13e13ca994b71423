import { type FileHandle, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { CopyPartSchema, CopySlotRequest } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { ByteThrottle } from './byte-throttle.ts'
import type { CopyMetrics } from './metrics.ts'
import type { Permits } from './permits.ts'
import { type SnapshotBody, snapshotFiles } from './snapshot-store.ts'

/** A snapshot that stays on the volume until `unpin` is told its number. Plain data: the slot may live on another thread. */
export type PinnedCopy = Readonly<{ pin: number; directory: string; body: SnapshotBody }>
export type GiveParts = Readonly<{
  /** A snapshot of now; undefined = no record was applied yet. Errors: why there is none to give. */
  pin: (request: CopySlotRequest) => PinnedCopy | undefined | Promise<PinnedCopy | undefined>
  unpin: (pin: number) => void
  permits: Permits
  throttle: ByteThrottle
  metrics: CopyMetrics
}>
type Part = MessageInitShape<typeof CopyPartSchema>

/** Bytes of a file in one message: read, summed and sent in well under a millisecond of the thread. */
export const COPY_CHUNK_BYTES_MAX = 256 << 10

/**
 * Shard.CopySlot: a snapshot of one slot, as it lies on the volume. Files are read while blocks are applied; ingest waits for
 * the snapshot alone. Errors: TN_OVERLOADED beyond the copies that may be given at once, those of `pin`;
 * TN_SNAPSHOT_CORRUPT when a file is not as long as it was.
 */
export async function* giveCopy(
  request: CopySlotRequest,
  parts: GiveParts,
  signal: AbortSignal,
): AsyncGenerator<Part> {
  const { metrics } = parts
  const release = parts.permits.tryTake()
  if (release === undefined) {
    metrics.copiesGiven.inc({ outcome: 'busy' })
    throw new TrueNowError('TN_OVERLOADED', 'This shard gives as many copies as it may at once (TRUENOW_COPIES_MAX); ask again, or another.') // biome-ignore format: one line
  }
  metrics.copiesRunning.inc({ direction: 'given' })
  let pinned: PinnedCopy | undefined
  let outcome: 'given' | 'empty' | 'refused' | 'broken' = 'refused'
  try {
    pinned = await parts.pin(request)
    outcome = 'broken'
    if (pinned === undefined) yield { part: { case: 'manifest', value: {} } }
    else yield* partsOf(pinned, parts, signal)
    outcome = pinned === undefined ? 'empty' : 'given'
  } finally {
    metrics.copiesGiven.inc({ outcome })
    metrics.copiesRunning.dec({ direction: 'given' })
    if (pinned !== undefined) parts.unpin(pinned.pin)
    release()
  }
}

async function* partsOf(
  { body, directory }: PinnedCopy,
  { throttle, metrics }: GiveParts,
  signal: AbortSignal,
): AsyncGenerator<Part> {
  const text = Buffer.from(JSON.stringify(body))
  const files = await Promise.all(
    snapshotFiles(body).map(async ({ file }) => ({
      name: file,
      bytes: BigInt((await stat(join(directory, file))).size),
    })),
  )
  yield { part: { case: 'manifest', value: { body: text, checksum: crc32(text), files } } }
  for (const { name, bytes } of files) {
    const file = await open(join(directory, name), 'r')
    try {
      for (let left = Number(bytes); left > 0; ) {
        const data = await readChunk(file, name, Math.min(left, COPY_CHUNK_BYTES_MAX))
        left -= data.length
        await throttle(data.length, signal)
        if (signal.aborted) return
        metrics.copyBytes.inc({ direction: 'given' }, data.length)
        yield { part: { case: 'chunk', value: { data, checksum: crc32(data) } } }
      }
    } finally {
      await file.close()
    }
  }
}

async function readChunk(file: FileHandle, name: string, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(bytes))
  if (bytesRead === 0)
    throw new TrueNowError('TN_SNAPSHOT_CORRUPT', `${name} is shorter than it was when its copy began.`)
  return buffer.subarray(0, bytesRead)
}
