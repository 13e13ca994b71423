import { flushCompileCache } from 'node:module'
import type { TrueNowError } from '@truenow/contracts/errors.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { logOf, VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'
import {
  createCatalogInHand,
  createFakeControlPlane,
  SlotLog,
  startShardScene,
  until,
} from '../shard-scene.ts'
import { killAtCall } from './kill-at-call.ts'

/*
 * A process that is a whole shard: it follows a random log record by record and writes snapshots as fast as a shard may, gives
 * copies and takes them, until it is killed. It tells, a JSON line each: that it listens, its state hash when it has come to the
 * end of the log, and that a snapshot of that stands on its volume.
 */
export type ChaosTask = Readonly<{
  directory: string
  seed: number
  records: number
  shard: number
  /** Every shard that holds the slot, and which of them serve. */
  ports: Readonly<Record<number, number>>
  serving: readonly number[]
  /** The log holds nothing below. */
  startOffset: number
  copyBytesPerSecond: number
  kill?: Readonly<{ call: number; isDone: boolean }>
}>
export type ChaosLine = Readonly<{ kind: 'listens' | 'copies' }> | Stands
/** Where the replica stands, and what its process counted: snapshots refused and failed, copies taken, runs of ids given up. */
export type Stands = Readonly<{
  kind: 'at the end' | 'durable'
  offset: number
  origin: number
  hash: string
  gaps: number
  refused: number
  failed: number
  taken: number
  startedOver: number
}>

const RECORDS_A_TURN = 4
const TURN_MS = 6
/** Two hundred runs share their machine with what else runs there; what is judged is the state, not the time. */
const WAIT_SECONDS = 120

const task = JSON.parse(process.argv[2] ?? '{}') as ChaosTask
const say = (line: ChaosLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
const log = new SlotLog()
log.startOffset = task.startOffset
const incarnationOf = (shard: number) => shard + 1
const controlPlane = createFakeControlPlane()
controlPlane.incarnation = incarnationOf(task.shard)
const ordinals = Object.keys(task.ports).map(Number)
const catalog = createCatalogInHand({
  slots: [0],
  versions: VERSIONS,
  shards: ordinals.map((shard) => ({
    shard,
    incarnation: BigInt(incarnationOf(shard)),
    address: `127.0.0.1:${task.ports[shard]}`,
  })),
  replicas: ordinals.map((shard) => ({
    shard,
    incarnation: BigInt(incarnationOf(shard)),
    state: task.serving.includes(shard) ? ReplicaState.SERVING : ReplicaState.JOINING,
  })),
})
if (task.kill !== undefined) killAtCall(task.directory, task.kill.call, task.kill.isDone)
const scene = await startShardScene({
  directory: task.directory,
  logs: [log],
  catalog,
  controlPlane,
  idLimits: { recentIdsMin: 32, recentIdsMax: 96, runsMax: 3 },
  logTo: process.stderr,
  environment: {
    TRUENOW_SHARD: String(task.shard),
    TRUENOW_GRPC_PORT: String(task.ports[task.shard]),
    TRUENOW_COPY_BYTES_PER_SECOND_MAX: String(task.copyBytesPerSecond),
  },
})
flushCompileCache() // Who is killed writes none.
say({ kind: 'listens' })

const count = async (line: string) => (await scene.metric(new RegExp(`^truenow_hot_tier_${line} (\\d+)`, 'm'))) || 0 // biome-ignore format: one line
const snapshotOffset = async () =>
  (JSON.parse(await scene.get('/debug/slots')) as { slots: Array<{ snapshot_offset: number }> }).slots[0]
    ?.snapshot_offset
/** This process asks itself: one that stood still for seconds finds its connection dropped, and makes another. */
const slotsNow = () =>
  scene.client.getSlots({}).catch((error) => {
    if ((error as TrueNowError).code === 'TN_PEER_UNAVAILABLE') return scene.client.getSlots({})
    throw error
  })
async function stands() {
  const { slots } = await slotsNow()
  const [slot] = slots
  return {
    offset: Number(slot?.hashOffset ?? -1),
    origin: Number(slot?.originOffset ?? -1),
    hash: slot?.stateHash ?? '',
    gaps: slot?.gaps.length ?? 0,
    refused: await count('snapshots_total\\{outcome="refused"\\}'),
    failed: await count('snapshots_total\\{outcome="failed"\\}'),
    taken: await count('copies_taken_total\\{outcome="taken"\\}'),
    startedOver: await count('id_runs_unreadable_total'),
  }
}

const records = logOf(task.seed, task.records)
const last = records.at(-1)?.at.offset ?? -1
const isTaker = !task.serving.includes(task.shard)
if (isTaker) {
  // Killed once its copy was in place, it stands on that and asks for no other; a volume may have no room for the first file of one.
  const begins = async () =>
    (await count('copy_bytes_total\\{direction="taken"\\}')) > 0 ||
    (await count('copies_taken_total\\{outcome="failed"\\}')) > 0 ||
    (await stands()).origin >= 0
  await until(begins, 'a copy begins', WAIT_SECONDS)
  say({ kind: 'copies' })
}
while (records.length > 0) {
  for (const record of records.splice(0, RECORDS_A_TURN)) log.appendRecord(record)
  await new Promise((resolve) => setTimeout(resolve, TURN_MS))
}
const isAtEnd = async () => (await stands()).offset === last
await until(isAtEnd, 'it comes to the end of the log', WAIT_SECONDS)
say({ kind: 'at the end', ...(await stands()) })
const isDurable = async () => (await snapshotOffset()) === last
await until(isDurable, 'a snapshot of the end stands', WAIT_SECONDS)
say({ kind: 'durable', ...(await stands()) })
