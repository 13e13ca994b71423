import { indexCatalog } from '@truenow/chassis/catalog-view.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { ShardRouter } from '../src/shard-router.ts'
import type { SlotStates } from '../src/shard-worker.ts'
import { createThreadWorker } from '../src/thread-worker.ts'

const IDENTITY = { catalogId: 'c', incarnation: 1 }
/** Of each worker; one arena holds it. */
const MEMORY_BYTES = 3 * 1024 ** 3

export type BenchWorkers = Awaited<ReturnType<typeof startBenchWorkers>>

/** A shard of so many worker threads that serves every slot of one table and follows them at `ingester`. */
export async function startBenchWorkers(
  threads: number,
  definition: TableDefinition,
  directory: string,
  ingester: string,
) {
  const log = createLog({ role: 'hot-tier', level: 'WARN' })
  const ingesters = { current: () => [ingester], onChange: () => () => {} }
  const workers = Array.from({ length: threads }, (_, worker) =>
    createThreadWorker({
      settings: {
        worker,
        shard: 0,
        dataDirectory: directory,
        residentBytesMax: MEMORY_BYTES,
        reserveBytes: 0,
        heapMibMax: { old: 2_048, young: 6 },
        snapshotMs: 24 * 3_600_000,
        copies: { copiesMax: 1, gapWaitMs: 0 },
        pod: '',
        version: '',
      },
      log,
      ingesters,
      events: { onNews: () => {}, onCheck: () => {}, onBeat: () => {} },
      onDied: (why) => {
        throw new Error(why)
      },
    }),
  )
  const router = new ShardRouter(workers, 0)
  await router.open(IDENTITY)
  const slots = Array.from({ length: definition.slots }, (_, slot) => ({
    slot,
    epoch: 1,
    replicas: [{ shard: 0, incarnation: 1, state: ReplicaState.SERVING }],
  }))
  const definitions = new Map([[definition.version, definition]])
  const table = { definition, definitions, topic: 't', uid: 'u', slots }
  const { catalogId } = IDENTITY
  await router.assign(
    indexCatalog({ revision: 1, catalogId, replicationFactor: 1, tables: [table], shards: [] }),
  )
  /** Resolves when every slot together has applied so many rows; answers the states then. */
  const applied = async (rows: number): Promise<SlotStates> => {
    for (;;) {
      const states = await router.states()
      const sum = states.slots.reduce((total, { appliedRows = 0n }) => total + Number(appliedRows), 0)
      if (sum >= rows) return states
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const close = async () => {
    await router.reset()
    await router.close()
  }
  return { router, applied, close }
}
