import { ADMITTED, type IdLimits } from '@truenow/kernels/replica/id-window.ts'
import { VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'
import { SnapshotStore } from '../src/snapshot-store.ts'
import { writeDurably } from '../src/write-durably.ts'
import { createDuplicateBlocks, ROWS_A_BLOCK } from './duplicate-blocks.ts'

/*
 * A process that judges blocks of duplicate-blocks.ts, from where its volume stands up to `blocks`, with a snapshot every
 * `snapshotBlocks`; it may be killed at any time. It tells, a JSON line each: where it begins, a row that it judged wrongly,
 * each block that it finished, and at the end what it holds. No rows are kept, only what the snapshots say of ids.
 */
export type JudgingTask = Readonly<{
  directory: string
  blocks: number
  snapshotBlocks: number
  seed: number
  limits: Partial<IdLimits>
}>
export type JudgingLine =
  | Readonly<{ kind: 'begins'; block: number; restoreMs: number; refused: number }>
  | Readonly<{ kind: 'wrong'; what: 'lost' | 'doubled'; block: number; row: number }>
  | Readonly<{ kind: 'finished'; block: number; bytesAnId: number; pauseMs: number }>
  | Readonly<{
      kind: 'ended'
      applied: number
      deduplicated: number
      held: number
      inRuns: number
      runs: number
      runBytes: number
      cpuNsARow: number
      maybes: number
      falseMaybes: number
    }>

const { directory, blocks, snapshotBlocks, seed, limits } = JSON.parse(process.argv[2] ?? '{}') as JudgingTask
const say = (line: JudgingLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
const [first] = VERSIONS as [(typeof VERSIONS)[0]]
const identity = { catalogId: 'c', incarnation: 1, table: 'production.events', uid: 'u', slot: 0 }
const store = new SnapshotStore(directory, identity, writeDurably, { limits })
const startedMs = performance.now()
let refused = 0
const restored = store.restore(() => refused++)
if (restored === undefined) store.remove()
const replica = restored ?? store.createReplica(first)
const { ids, counters } = replica
const begin = replica.cursor.offset + 1
say({ kind: 'begins', block: begin, restoreMs: performance.now() - startedMs, refused })

const log = createDuplicateBlocks(seed)
const words = new Uint32Array(ROWS_A_BLOCK * 4)
const duplicates = new Uint8Array(ROWS_A_BLOCK)
let cpuUs = 0
for (let block = begin; block < blocks; block++) {
  log.fill(block, words, duplicates)
  const [before, beganMs, timeUs] = [process.cpuUsage(), performance.now(), 1 + block * 1_000]
  ids.look(words, ROWS_A_BLOCK)
  ids.expire(timeUs, Number.MAX_SAFE_INTEGER)
  const verdicts = new Uint8Array(ROWS_A_BLOCK)
  const admitted = ids.admitAll(verdicts, timeUs)
  counters.applied += admitted
  counters.deduplicated += ROWS_A_BLOCK - admitted
  for (const [row, verdict] of verdicts.entries()) {
    const isNew = verdict === ADMITTED
    if (isNew === (duplicates[row] === 1))
      say({ kind: 'wrong', what: isNew ? 'doubled' : 'lost', block, row })
  }
  ids.work(ROWS_A_BLOCK)
  const { user, system } = process.cpuUsage(before)
  cpuUs += user + system
  say({
    kind: 'finished',
    block,
    bytesAnId: ids.residentBytes / ids.size,
    pauseMs: performance.now() - beganMs,
  })
  replica.cursor = { offset: block, checksum: 0 }
  if (block % snapshotBlocks === snapshotBlocks - 1) store.write(replica)
}
const cpuNsARow = (cpuUs * 1_000) / ((blocks - begin) * ROWS_A_BLOCK)
const { maybes, falseMaybes } = ids.counters
say({ kind: 'ended', applied: counters.applied, deduplicated: counters.deduplicated, held: ids.size, inRuns: ids.sizeInRuns, runs: ids.runCount, runBytes: ids.runBytes, cpuNsARow, maybes, falseMaybes }) // biome-ignore format: one line
ids.close()
