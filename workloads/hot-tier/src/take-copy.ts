import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { CopyManifest, CopyPart } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { createBlockBuffer, openRun } from '@truenow/kernels/duplicates/id-run.ts'
import type { HotTierMetrics } from './metrics.ts'
import {
  encodeManifest,
  manifestName,
  parseBody,
  type SnapshotBody,
  type SnapshotIdentity,
  snapshotFiles,
} from './snapshot-store.ts'
import { createVolumeRunFiles } from './volume-run-files.ts'
import { writeDurably } from './write-durably.ts'

/** Names that a snapshot's files may have: what comes from a peer never names a path. */
const FILE_NAME = /^(bucket|ids|pack|run)-[0-9-]+\.bin$/
/** Blocks of a run that are checked in one go. */
const BLOCKS_A_TURN = 64

/** Where a copy is written before it takes the place of `directory`: beside it, so that a rename suffices. */
export const copyDirectory = (directory: string, attempt: string): string => `${directory}.copy-${attempt}`

/** Takes away what a copy left that was cut short. */
export function removeTornCopies(directory: string): void {
  const parent = dirname(directory)
  const torn = `${basename(directory)}.copy-`
  let names: readonly string[] = []
  try {
    names = readdirSync(parent)
  } catch {
    return // Not made yet.
  }
  for (const name of names) if (name.startsWith(torn)) removeCopy(join(parent, name))
}

/** A disk that does not even remove costs bytes, not the slot: it is tried again when the slot is next held. */
export function removeCopy(copy: string): void {
  try {
    rmSync(copy, { recursive: true, force: true })
  } catch {}
}

/** Puts a whole copy where no snapshots lie any more, at once: after a crash there is the copy, or nothing. Errors: the disk's. */
export function placeCopy(copy: string, directory: string): void {
  renameSync(copy, directory)
  syncDirectory(dirname(directory))
}

/**
 * Writes a copy to the new directory `into`, as a snapshot of `identity`, checked and durable: what the giver's incarnation is
 * does not matter, catalog, table and slot do. Answers false when the giver has nothing yet. Errors: TN_SNAPSHOT_CORRUPT for
 * what is torn, altered or another slot's; the disk's and the stream's. What was written by then is the caller's to remove.
 */
export async function takeCopy(
  parts: AsyncIterable<CopyPart>,
  into: string,
  identity: SnapshotIdentity,
  metrics: HotTierMetrics,
): Promise<boolean> {
  await mkdir(into, { recursive: true })
  let writing: CopyWriting | undefined
  try {
    for await (const { part } of parts) {
      if (part.case === 'manifest' && writing === undefined) {
        if (part.value.body.length === 0) return false
        writing = new CopyWriting(into, bodyOf(part.value, identity), part.value)
      } else if (part.case === 'chunk' && writing !== undefined) {
        if (crc32(part.value.data) !== part.value.checksum)
          throw corrupt('a chunk does not have its checksum')
        await writing.append(part.value.data)
        metrics.copyBytes.inc({ direction: 'taken' }, part.value.data.length)
      } else throw corrupt('its parts are not in their order')
    }
    if (writing === undefined) throw corrupt('it ended before its manifest')
    await writing.finish(identity)
    return true
  } finally {
    await writing?.close()
  }
}

/** What the manifest says, if it is a snapshot of this very slot. */
function bodyOf(manifest: CopyManifest, identity: SnapshotIdentity): SnapshotBody {
  if (crc32(manifest.body) !== manifest.checksum) throw corrupt('its manifest does not have its checksum')
  const body = parseBody(Buffer.from(manifest.body).toString('utf8'))
  const own = { ...body.identity, incarnation: identity.incarnation }
  if (JSON.stringify(own) !== JSON.stringify(identity))
    throw corrupt('it belongs to another table or catalog')
  const files = snapshotFiles(body).map(({ file }) => file)
  const told = manifest.files.map(({ name }) => name)
  if (JSON.stringify(files) !== JSON.stringify(told) || new Set(files).size !== files.length)
    throw corrupt('its files are not those that its manifest names')
  const strange = files.find((file) => !FILE_NAME.test(file))
  if (strange !== undefined) throw corrupt(`it has a file named ${JSON.stringify(strange)}`)
  return body
}

/** Files that are written one after the other; each is checked and made durable when it is complete. */
class CopyWriting {
  private readonly into: string
  private readonly body: SnapshotBody
  private readonly files: ReadonlyArray<Readonly<{ name: string; bytes: number; checksum: number }>>
  private at = 0
  private file: FileHandle | undefined
  private written = 0
  private seen = 0

  constructor(into: string, body: SnapshotBody, { files }: CopyManifest) {
    this.into = into
    this.body = body
    const checksums = snapshotFiles(body).map(({ checksum }) => checksum)
    this.files = files.map(({ name, bytes }, index) => ({
      name,
      bytes: Number(bytes),
      checksum: checksums[index] ?? 0,
    }))
  }

  async append(data: Uint8Array): Promise<void> {
    const target = this.files[this.at]
    if (target === undefined || this.written + data.length > target.bytes)
      throw corrupt('it has more bytes than its manifest says')
    this.file ??= await open(join(this.into, target.name), 'wx')
    this.seen = crc32(data, this.seen)
    for (let from = 0; from < data.length; ) from += (await this.file.write(data, from)).bytesWritten
    this.written += data.length
    if (this.written === target.bytes) await this.complete(target)
  }

  async finish(identity: SnapshotIdentity): Promise<void> {
    if (this.at < this.files.length) throw corrupt(`it ended before the end of ${this.files[this.at]?.name}`)
    // Last, as in every snapshot: what it names is there.
    writeDurably(join(this.into, manifestName(1)), encodeManifest({ ...this.body, identity }))
  }

  async close(): Promise<void> {
    await this.file?.close()
    this.file = undefined
  }

  private async complete({ name, checksum }: Readonly<{ name: string; checksum: number }>): Promise<void> {
    await this.file?.sync()
    await this.close()
    if (name.startsWith('run-')) await checkRun(this.into, name, checksum)
    else if (this.seen !== checksum)
      throw corrupt(`${name} does not have the checksum that its manifest names`)
    this.at += 1
    this.written = 0
    this.seen = 0
  }
}

/** A run has its checksums inside, a block each: all of them are looked at now, while there is another peer to ask. */
async function checkRun(directory: string, name: string, checksum: number): Promise<void> {
  const reader = createVolumeRunFiles(directory).open(name)
  try {
    const { run } = openRun(reader, checksum)
    const buffer = createBlockBuffer(BLOCKS_A_TURN)
    for (let block = 0; block < run.blocks; block += BLOCKS_A_TURN) {
      run.readBlocks(block, Math.min(BLOCKS_A_TURN, run.blocks - block), buffer)
      await turn()
    }
  } finally {
    reader.close()
  }
}

function syncDirectory(directory: string): void {
  const opened = openSync(directory, 'r')
  try {
    fsyncSync(opened)
  } finally {
    closeSync(opened)
  }
}

function corrupt(what: string): TrueNowError {
  return new TrueNowError('TN_SNAPSHOT_CORRUPT', `Not a copy to take: ${what}.`)
}
