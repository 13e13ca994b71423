import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ADMITTED } from '@truenow/kernels/replica/id-window.ts'
import type { SlotReplica } from '@truenow/kernels/replica/slot-replica.ts'
import { VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'
import { createDuplicateBlocks, ROWS_A_BLOCK } from '../test/duplicate-blocks.ts'
import { SnapshotStore } from './snapshot-store.ts'

const [first] = VERSIONS as [(typeof VERSIONS)[0]]
const identity = { catalogId: 'c', incarnation: 1, table: 'production.events', uid: 'u', slot: 0 }
const directory = mkdtempSync(join(tmpdir(), 'truenow-snapshot-ids-'))
after(() => rmSync(directory, { recursive: true, force: true }))
const writeQuickly = (path: string, bytes: Uint8Array): void => {
  writeFileSync(`${path}.new`, bytes)
  renameSync(`${path}.new`, path)
}
/** A store on the same directory, as the next process has it. */
const openStore = () =>
  new SnapshotStore(directory, identity, writeQuickly, {
    limits: { recentIdsMin: 4_096, recentIdsMax: 16_384, runsMax: 3 },
    sync: () => {},
  })
const named = (prefix: string) => readdirSync(directory).filter((name) => name.startsWith(prefix))

test('snapshots of ids: 160,000 ids with 5 % duplicates, dropped and restored three times: none is lost, none doubled', () => {
  const [blocks, seed] = [20, 7]
  const log = createDuplicateBlocks(seed)
  const [words, duplicates] = [new Uint32Array(ROWS_A_BLOCK * 4), new Uint8Array(ROWS_A_BLOCK)]
  let store = openStore()
  let replica: SlotReplica = store.createReplica(first)
  const wrong: string[] = []
  const restarts = [6, 11, 17]
  for (let block = 0; block < blocks; block++) {
    log.fill(block, words, duplicates)
    const { ids } = replica
    ids.look(words, ROWS_A_BLOCK)
    ids.expire(block, Number.MAX_SAFE_INTEGER)
    const verdicts = new Uint8Array(ROWS_A_BLOCK)
    ids.admitAll(verdicts, block)
    for (const [row, verdict] of verdicts.entries()) {
      if ((verdict === ADMITTED) === (duplicates[row] === 1)) wrong.push(`${block}/${row}`)
    }
    ids.work(ROWS_A_BLOCK)
    replica.cursor = { offset: block, checksum: 0 }
    if (block % 2 === 0) store.write(replica)
    if (block !== restarts[0]) continue
    restarts.shift()
    ids.close() // Its file handles; nothing is written.
    store = openStore()
    const restored = store.restore((file, why) => assert.fail(`${file} was refused: ${why}`))
    assert.ok(restored !== undefined)
    replica = restored
    // Odd blocks have no snapshot: those since the last one are judged again.
    block = replica.cursor.offset
  }
  assert.deepEqual(wrong, [])
  assert.equal(restarts.length, 0)
  assert.ok(replica.ids.runCount > 0 && replica.ids.sizeInRuns > replica.ids.size / 2)
  store.write(replica)
  store.write(replica)
  const live = replica.ids.runEntries.map(({ file }) => file).toSorted()
  assert.deepEqual(named('run-').filter((name) => !name.endsWith('.new')).toSorted(), live, 'merged runs are gone') // biome-ignore format: one line
  assert.ok(named('ids-').length <= 3, `ids in runs are in no other file: ${named('ids-')}`)
  replica.ids.close()
})
