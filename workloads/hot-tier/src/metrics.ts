import { startAtZero } from '@truenow/chassis/start-at-zero.ts'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

export type HotTierMetrics = ReturnType<typeof createHotTierMetrics>

/** Every metric of a worker. Those with a label `worker` are told for each worker, the others as a sum; expose-worker-metrics.ts fills it in. */
export const createHotTierMetrics = (registry: Registry) => ({
  rows: new Counter({
    name: 'truenow_hot_tier_rows_total',
    help: 'Rows of applied records, by what became of them.',
    labelNames: ['outcome', 'worker'] as const, // outcome: applied | deduplicated | expired
    registers: [registry],
  }),
  deadLetters: new Counter({
    name: 'truenow_hot_tier_dead_letters_total',
    help: 'Records that nobody can read, passed over.',
    registers: [registry],
  }),
  slotHeat: new Gauge({
    name: 'truenow_hot_tier_slot_heat',
    help: 'How near the hottest slot of a worker is to what one slot may take: a core, or half of the worker’s memory; 1 is there.',
    labelNames: ['worker'] as const,
    registers: [registry],
  }),
  topKeyShare: new Gauge({
    name: 'truenow_hot_tier_top_key_share',
    help: 'Share of the rows of that slot that its most frequent partition key has; 0 while none stands out, or the slot is cool.',
    labelNames: ['worker'] as const,
    registers: [registry],
  }),
  slots: new Gauge({
    name: 'truenow_hot_tier_slots',
    help: 'Replicas on this shard, by state.',
    labelNames: ['state'] as const, // state: joining | serving | leaving | stalled
    registers: [registry],
  }),
  stalledSlots: new Gauge({
    name: 'truenow_hot_tier_stalled_slots',
    help: 'Replicas on this shard that stand still, by why.',
    labelNames: ['reason'] as const, // reason: one of STALL_REASONS
    registers: [registry],
  }),
  lagRecords: new Gauge({
    name: 'truenow_hot_tier_lag_records',
    help: 'Records between cursor and end of the log, all replicas together.',
    registers: [registry],
  }),
  subscriptions: new Counter({
    name: 'truenow_hot_tier_subscriptions_total',
    help: 'Subscribe streams that ended, by why.',
    labelNames: ['reason'] as const, // reason: ended | failed | silent | broken-chain | log-rewritten | started-over | copied
    registers: [registry],
  }),
  snapshots: startAtZero(
    new Counter({
      name: 'truenow_hot_tier_snapshots_total',
      help: 'Snapshots of slots, by outcome.',
      labelNames: ['outcome'] as const, // outcome: written | failed | restored | refused
      registers: [registry],
    }),
    'outcome',
    ['written', 'failed', 'restored', 'refused'],
  ),
  lostRecords: new Counter({
    name: 'truenow_hot_tier_lost_records_total',
    help: 'Records that Kafka’s retention took before a replica read them, and no peer’s copy held.',
    registers: [registry],
  }),
  ...createTimeMetrics(registry),
  ...createMemoryMetrics(registry),
  ...createCopyMetrics(registry),
  ...createIdMetrics(registry),
  ...createRollupMetrics(registry),
})

/** Of what blocks and queries take of a worker’s thread, and how long they wait for it. */
const createTimeMetrics = (registry: Registry) => ({
  applySeconds: new Histogram({
    name: 'truenow_hot_tier_apply_seconds',
    help: 'Time to fold one block into a replica.',
    labelNames: ['worker'] as const,
    buckets: [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5],
    registers: [registry],
  }),
  querySeconds: new Histogram({
    name: 'truenow_hot_tier_query_seconds',
    help: 'Time of a worker to answer its part of one partial query, waits included.',
    labelNames: ['worker'] as const,
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
    registers: [registry],
  }),
  turnWaitSeconds: new Histogram({
    name: 'truenow_hot_tier_turn_wait_seconds',
    help: 'Time that blocks and reads of a worker waited for each of their turns; a read has one a slice, and is short up to 2^20 rows.',
    labelNames: ['class', 'worker'] as const, // class: block | short | long
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1],
    registers: [registry],
  }),
})

/** Of memory, and of what leaves for want of it. */
const createMemoryMetrics = (registry: Registry) => ({
  residentBytes: new Gauge({
    name: 'truenow_hot_tier_resident_bytes',
    help: 'Bytes that rows, dictionaries and remembered ids take.',
    registers: [registry],
  }),
  residentBytesMax: new Gauge({
    name: 'truenow_hot_tier_resident_bytes_max',
    help: 'What they may take: HOT_TIER_MEMORY_GB without the reserve.',
    registers: [registry],
  }),
  reserveBytes: new Gauge({
    name: 'truenow_hot_tier_reserve_bytes',
    help: 'Of HOT_TIER_MEMORY_GB, what the process keeps for itself.',
    registers: [registry],
  }),
  heapBytes: new Gauge({
    name: 'truenow_hot_tier_heap_bytes',
    help: 'Bytes of JavaScript’s heap that live, as the last full collection left them.',
    labelNames: ['worker'] as const,
    registers: [registry],
  }),
  arenaBytesTaken: new Gauge({
    name: 'truenow_hot_tier_arena_bytes_taken',
    help: 'Bytes that the arenas of a worker have taken of the machine, handed out or free; they are not given back.',
    labelNames: ['worker'] as const,
    registers: [registry],
  }),
  arenaBytes: new Gauge({
    name: 'truenow_hot_tier_arena_bytes',
    help: 'Bytes that the arenas of a worker have handed out, to rows and to queries that run.',
    labelNames: ['worker'] as const,
    registers: [registry],
  }),
  evictions: new Counter({
    name: 'truenow_hot_tier_evicted_buckets_total',
    help: 'Time buckets that left because the memory budget was reached.',
    registers: [registry],
  }),
})

/** Of buckets that are folded into rollups. */
const createRollupMetrics = (registry: Registry) => ({
  rollupRows: new Gauge({
    name: 'truenow_hot_tier_rollup_rows',
    help: 'Rows that rollups stand for.',
    registers: [registry],
  }),
  rollupCells: new Gauge({
    name: 'truenow_hot_tier_rollup_cells',
    help: 'Cells of rollups, all levels together.',
    registers: [registry],
  }),
  rollupBytes: new Gauge({
    name: 'truenow_hot_tier_rollup_bytes',
    help: 'Bytes that rollups take; part of the resident bytes.',
    registers: [registry],
  }),
  rollupLevelsLeftOut: new Gauge({
    name: 'truenow_hot_tier_rollup_levels_left_out',
    help: 'Levels of folded buckets that are not kept, because they would have too many cells: rows are read instead.',
    registers: [registry],
  }),
  rollupsOutOfMemory: new Gauge({
    name: 'truenow_hot_tier_rollups_out_of_memory',
    help: 'Buckets that could not be folded because the arena had no room: rows are read instead.',
    registers: [registry],
  }),
})

export type CopyMetrics = ReturnType<typeof createCopyMetrics>

/** Of copies of slots between shards: workers take them, the main thread gives them. */
export const createCopyMetrics = (registry: Registry) => ({
  copiesGiven: new Counter({
    name: 'truenow_hot_tier_copies_given_total',
    help: 'Copies of slots that other shards asked for, by outcome; broken: the asker left, or a file could not be read.',
    labelNames: ['outcome'] as const, // outcome: given | empty | busy | refused | broken
    registers: [registry],
  }),
  copiesTaken: new Counter({
    name: 'truenow_hot_tier_copies_taken_total',
    help: 'Attempts to take a copy of a slot from another shard, by outcome; refused: what came was torn, corrupt or foreign.',
    labelNames: ['outcome'] as const, // outcome: taken | empty | busy | refused | failed | cancelled
    registers: [registry],
  }),
  copyBytes: new Counter({
    name: 'truenow_hot_tier_copy_bytes_total',
    help: 'Bytes of copies of slots.',
    labelNames: ['direction'] as const, // direction: given | taken
    registers: [registry],
  }),
  copiesRunning: new Gauge({
    name: 'truenow_hot_tier_copies_running',
    help: 'Copies of slots at this moment; TRUENOW_COPIES_MAX bounds each direction.',
    labelNames: ['direction'] as const, // direction: given | taken
    registers: [registry],
  }),
})

/** Of remembered ids and their runs. */
const createIdMetrics = (registry: Registry) => ({
  duplicates: new Counter({
    name: 'truenow_hot_tier_duplicates_total',
    help: 'Duplicates by where the first copy of their id lay: among recent ids, or in a run on the volume.',
    labelNames: ['stage'] as const, // stage: recent | run
    registers: [registry],
  }),
  rememberedIds: new Gauge({
    name: 'truenow_hot_tier_remembered_ids',
    help: 'Ids within their dedup window, by where they lie.',
    labelNames: ['place'] as const, // place: memory | run
    registers: [registry],
  }),
  idRuns: new Gauge({
    name: 'truenow_hot_tier_id_runs',
    help: 'Runs of remembered ids on the volume, all slots together.',
    registers: [registry],
  }),
  idRunBytes: new Gauge({
    name: 'truenow_hot_tier_id_run_bytes',
    help: 'Bytes that runs of remembered ids take on the volume.',
    registers: [registry],
  }),
  idFilterMaybes: new Counter({
    name: 'truenow_hot_tier_id_filter_maybes_total',
    help: 'Looks at a run because its filter said maybe, by whether the id was there; none is what filters cost.',
    labelNames: ['outcome'] as const, // outcome: found | none
    registers: [registry],
  }),
  idRunsWritten: new Counter({
    name: 'truenow_hot_tier_id_runs_written_total',
    help: 'Runs of ids that were written or merged, by outcome; while they fail, ids stay in memory.',
    labelNames: ['outcome'] as const, // outcome: written | failed
    registers: [registry],
  }),
  idRunsUnreadable: new Counter({
    name: 'truenow_hot_tier_id_runs_unreadable_total',
    help: 'Runs of ids that could not be read, so that their slot started over from a snapshot or the log.',
    registers: [registry],
  }),
})
