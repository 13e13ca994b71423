import { setTimeout as sleep } from 'node:timers/promises'
import { type LogRecord, logOf, VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'
import { CRASHING_SLOTS, type WorkersLine, type WorkersTask } from './crashing-log.ts'
import { createCatalogInHand, SlotLog, startShardScene, until } from './shard-scene.ts'

/*
 * A process that is a whole shard with two worker threads, on a volume that earlier ones left, over random logs that grow while
 * it works. It says one line, goes on, and is killed.
 */
const { directory, seed, first, more, toEnd } = JSON.parse(process.argv[2] ?? '{}') as WorkersTask
const RECORD_MS = 8

const records = Array.from({ length: CRASHING_SLOTS }, (_, slot) => logOf(seed + slot, first + more))
const logs = records.map((all) => {
  const log = new SlotLog()
  for (const record of all.slice(0, first)) log.appendRecord(record)
  return log
})
const scene = await startShardScene({
  directory,
  logs,
  catalog: createCatalogInHand({ versions: VERSIONS, slots: logs.map((_, slot) => slot) }),
  environment: { TRUENOW_HOT_TIER_WORKERS: '2' },
})

async function states(): Promise<WorkersLine['slots']> {
  const { slots } = await scene.client.getSlots({})
  return slots
    .map(({ slot, cursor, stateHash }) => ({ slot, offset: Number(cursor?.offset), hash: stateHash }))
    .toSorted((a, b) => a.slot - b.slot)
}
const isAtEnd = async () =>
  (await states()).every(
    ({ slot, offset, hash }) => offset === logs[slot]?.events.at(-1)?.offset && hash !== '',
  )
if (toEnd) await until(isAtEnd, 'the end of every log')
const snapshots = async (outcome: string) =>
  (await scene.metric(new RegExp(`snapshots_total\\{outcome="${outcome}"\\} (\\d+)`))) || 0
const line: WorkersLine = {
  restored: await snapshots('restored'),
  refused: await snapshots('refused'),
  slots: await states(),
}
process.stdout.write(`${JSON.stringify(line)}\n`)
for (let record = first; record < first + more; record++) {
  await sleep(RECORD_MS)
  for (const [slot, log] of logs.entries()) log.appendRecord(records[slot]?.[record] as LogRecord)
}
