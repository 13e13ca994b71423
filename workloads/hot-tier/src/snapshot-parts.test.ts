import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { createPartReader, type FileEntry, PACKS_MAX, type PartPlace, PartsWriter } from './snapshot-parts.ts'

const root = mkdtempSync(join(tmpdir(), 'truenow-parts-'))
after(() => rmSync(root, { recursive: true, force: true }))
const OWN_FILE_BYTES = 100
let directories = 0
type Held = { version: number; bytes: Buffer; place?: PartPlace }

/** Snapshot after snapshot, each with some parts changed, and how many bytes of each kind it wrote. */
const changes = fc.array(
  fc.array(fc.record({ part: fc.nat(20), size: fc.integer({ min: 1, max: 150 }) }), { maxLength: 4 }),
  { minLength: 1, maxLength: 30 },
)

test('PartsWriter: every part reads as it was last written, packs are few, and what did not change is written again only with a new pack', () => {
  fc.assert(
    fc.property(changes, (snapshots) => {
      const directory = join(root, String(directories++))
      mkdirSync(directory)
      const held = new Map<number, Held>()
      let files: readonly FileEntry[] = []
      for (const [number, changed] of snapshots.entries()) {
        for (const { part, size } of changed)
          held.set(part, { version: number, bytes: Buffer.alloc(size, number) })
        const packsBefore = files.filter(({ file }) => file.startsWith('pack-')).length
        const wrote: string[] = []
        const parts = new PartsWriter(
          files,
          `pack-${number}-1.bin`,
          (file, bytes) => {
            assert.ok(!wrote.includes(file), 'a file is written once')
            wrote.push(file)
            writeFileSync(join(directory, file), bytes, { flag: 'wx' })
          },
          OWN_FILE_BYTES,
        )
        for (const [part, one] of held) {
          if (one.place !== undefined && parts.keep(one.place)) continue
          const isNew = one.place === undefined
          assert.ok(
            isNew || (packsBefore >= PACKS_MAX && one.place?.file.startsWith('pack-')),
            'nothing moves without need',
          )
          one.place = parts.add(`bucket-${part}-${one.version}.bin`, one.bytes)
        }
        files = parts.finish()
        assert.ok(files.filter(({ file }) => file.startsWith('pack-')).length <= PACKS_MAX)
        const read = createPartReader(directory, files)
        for (const { place, bytes } of held.values())
          assert.ok(place !== undefined && read(place).equals(bytes))
      }
    }),
    { numRuns: 100 },
  )
})

test('createPartReader: a part beyond the end of its file, or of a file that nobody named, is corrupt', () => {
  const directory = join(root, 'corrupt')
  mkdirSync(directory)
  const parts = new PartsWriter([], 'pack-0-1.bin', (file, bytes) =>
    writeFileSync(join(directory, file), bytes),
  )
  const place = parts.add('bucket-0-1-0.bin', Buffer.from('abc'))
  const read = createPartReader(directory, parts.finish())
  assert.equal(read(place).toString(), 'abc')
  assert.throws(() => read({ ...place, bytes: 4 }), { code: 'TN_SNAPSHOT_CORRUPT' })
  writeFileSync(join(directory, 'pack-1-1.bin'), 'abc')
  assert.throws(() => read({ ...place, file: 'pack-1-1.bin' }), { code: 'TN_SNAPSHOT_CORRUPT' })
})
