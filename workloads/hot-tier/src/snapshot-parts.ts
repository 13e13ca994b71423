import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { letGoOfBytes } from './let-go-of-bytes.ts'

/*
 * What a snapshot is made of, a bucket's rows or some ids, and the files in which they lie:
 *   <kind>-<from>-<to>….bin   one part of 64 KiB or more, written once
 *   pack-<offset>-<n>.bin     the smaller parts that were new in the snapshot at that offset, one behind the other
 * So a slot of sixty buckets of a few rows has a handful of files, and a snapshot writes only what changed: a part that did not stays
 * in the pack where it lies, until there are PACKS_MAX of them; then all small parts go into one new pack.
 */
export type FileEntry = Readonly<{ file: string; checksum: number }>
/** Where a part lies. */
export type PartPlace = Readonly<{ file: string; at: number; bytes: number }>

/** Smaller parts share a file. */
export const OWN_FILE_BYTES_MIN = 64 << 10
/** Packs that a manifest names, at most: what a slot has of small files, and how often a small part is written again. */
export const PACKS_MAX = 4

const isPack = (file: string): boolean => file.startsWith('pack-')

/** The parts of one snapshot while it is written, after those of the one before. Nothing is named before `finish`. */
export class PartsWriter {
  private readonly write: (file: string, bytes: Uint8Array) => void
  private readonly before: ReadonlyMap<string, FileEntry>
  private readonly isRepacking: boolean
  private readonly pack: string
  private readonly ownFileBytesMin: number
  private readonly small: Uint8Array[] = []
  private packBytes = 0
  private readonly files = new Map<string, FileEntry>()

  /** `before` are the files of the last snapshot; `pack` is a name that none before ever had. */
  constructor(
    before: readonly FileEntry[],
    pack: string,
    write: (file: string, bytes: Uint8Array) => void,
    ownFileBytesMin: number = OWN_FILE_BYTES_MIN,
  ) {
    this.write = write
    this.before = new Map(before.map((entry) => [entry.file, entry]))
    this.isRepacking = before.filter(({ file }) => isPack(file)).length >= PACKS_MAX
    this.pack = pack
    this.ownFileBytesMin = ownFileBytesMin
  }

  /** A part of the last snapshot stays where it lies; false: it must be added anew. */
  keep({ file }: PartPlace): boolean {
    const entry = this.before.get(file)
    if (entry === undefined || (this.isRepacking && isPack(file))) return false
    this.files.set(file, entry)
    return true
  }

  /** Adds a part, which has `file` to itself if it is large; its bytes are the writer's from then on. Errors: the disk's. */
  add(file: string, bytes: Uint8Array): PartPlace {
    const { length } = bytes
    if (length >= this.ownFileBytesMin) {
      this.writeFile(file, bytes)
      letGoOfBytes(bytes)
      return { file, at: 0, bytes: length }
    }
    const at = this.packBytes
    this.small.push(bytes)
    this.packBytes += bytes.length
    return { file: this.pack, at, bytes: bytes.length }
  }

  /** Writes the pack; answers every file that a part lies in. Errors: the disk's. */
  finish(): readonly FileEntry[] {
    if (this.small.length > 0) this.writeFile(this.pack, Buffer.concat(this.small))
    return [...this.files.values()]
  }

  private writeFile(file: string, bytes: Uint8Array): void {
    this.write(file, bytes)
    this.files.set(file, { file, checksum: crc32(bytes) })
  }
}

/**
 * Reads parts back. A pack is read and checked once and kept until the reader is let go of. Errors: TN_SNAPSHOT_CORRUPT for a file that is
 * not what was written, or that has no such part; the disk's.
 */
export function createPartReader(
  directory: string,
  files: readonly FileEntry[],
): (place: PartPlace) => Buffer {
  const checksums = new Map(files.map(({ file, checksum }) => [file, checksum]))
  const packs = new Map<string, Buffer>()
  const read = (file: string): Buffer => {
    const bytes = readFileSync(join(directory, file))
    if (crc32(bytes) !== checksums.get(file))
      throw corrupt(`${file} does not have the checksum that the manifest names`)
    if (isPack(file)) packs.set(file, bytes)
    return bytes
  }
  return ({ file, at, bytes }) => {
    const whole = packs.get(file) ?? read(file)
    if (at + bytes > whole.length) throw corrupt(`${file} ends before ${at + bytes}`)
    return whole.subarray(at, at + bytes)
  }
}

function corrupt(what: string): TrueNowError {
  return new TrueNowError('TN_SNAPSHOT_CORRUPT', `Not a snapshot to load: ${what}.`)
}
