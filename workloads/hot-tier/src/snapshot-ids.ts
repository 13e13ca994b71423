import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { IdWindow } from '@truenow/kernels/replica/id-window.ts'
import type { PartPlace, PartsWriter } from './snapshot-parts.ts'

/*
 * Remembered ids of a snapshot: the runs, which stand on the volume already, and the ids in memory, by sequence number.
 *   a part   spans u32, then times f64 x spans, counts u32 x spans, words u32 x 4 x (to - from); written once
 */
export type IdsPart = PartPlace & Readonly<{ from: number; to: number }>
export type IdsBody = Readonly<{
  from: number
  runs: ReadonlyArray<Readonly<{ file: string; checksum: number; bytes: number }>>
  parts: readonly IdsPart[]
}>

/** More parts than these are written anew as one. */
const PARTS_MAX = 64

/** Adds the ids in memory that came since `last` to `parts`, and those again that do not stay where they lie. Errors: those of the disk. */
export function writeIds(
  ids: IdWindow,
  last: IdsBody | undefined,
  parts: Pick<PartsWriter, 'keep' | 'add'>,
): IdsBody {
  const { firstSequence, firstInMemory, nextSequence, runEntries } = ids
  const inMemory = (last?.parts ?? []).filter(({ to }) => to > firstInMemory)
  const held = inMemory.length < PARTS_MAX ? inMemory : []
  const moved = held.findIndex((part) => !parts.keep(part))
  const kept = moved < 0 ? held : held.slice(0, moved) // What follows one that moves is written with it.
  const from = Math.max(kept.at(-1)?.to ?? firstInMemory, firstInMemory)
  const body = { from: firstSequence, runs: runEntries, parts: kept }
  if (from === nextSequence) return body
  const place = parts.add(`ids-${from}-${nextSequence}.bin`, encode(ids.slice(from, nextSequence)))
  return { ...body, parts: [...kept, { ...place, from, to: nextSequence }] }
}

/**
 * Takes a snapshot's ids over into an empty window. Errors: TN_SNAPSHOT_CORRUPT for a run or part that is not what was
 * written, the disk's; then the window has let go of its files.
 */
export function readIds(body: IdsBody, ids: IdWindow, read: (part: IdsPart) => Buffer): void {
  try {
    ids.restoreAt(body.from)
    for (const { file, checksum } of body.runs) ids.restoreRun(file, checksum)
    ids.reserve((body.parts.at(-1)?.to ?? ids.nextSequence) - ids.nextSequence)
    for (const part of body.parts) {
      const skip = ids.nextSequence - part.from
      if (skip < 0) throw corrupt(`${part.file} does not follow`)
      const { words, times, counts } = decode(read(part), part, skip)
      ids.restore(words, times, counts)
    }
  } catch (error) {
    ids.close()
    throw error
  }
}

function encode({ ids, times, counts }: ReturnType<IdWindow['slice']>): Buffer {
  const spans = Uint32Array.of(times.length)
  return Buffer.concat([spans, times, counts, ids].map((part) => Buffer.from(part.buffer)))
}

/** The part without its first `skip` ids. */
function decode(bytes: Buffer, { file, from, to }: IdsPart, skip: number) {
  const spans = bytes.length < 4 ? 0 : bytes.readUInt32LE(0)
  const size = 4 + spans * 12 + (to - from) * 16
  if (bytes.length !== size) throw corrupt(`${file} has ${bytes.length} bytes, not ${size}`)
  const slice = (at: number, length: number) => Uint8Array.from(bytes.subarray(at, at + length)).buffer
  const times = new Float64Array(slice(4, spans * 8))
  const counts = new Uint32Array(slice(4 + spans * 8, spans * 4))
  let left = skip
  for (let span = 0; span < spans && left > 0; span++) {
    const gone = Math.min(left, counts[span] ?? 0)
    counts[span] = (counts[span] ?? 0) - gone
    left -= gone
  }
  const words = new Uint32Array(slice(4 + spans * 12 + skip * 16, (to - from - skip) * 16))
  return { words, times, counts }
}

function corrupt(what: string): TrueNowError {
  return new TrueNowError('TN_SNAPSHOT_CORRUPT', `Not ids of a snapshot to load: ${what}.`)
}
