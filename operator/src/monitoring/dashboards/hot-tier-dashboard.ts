import type { BuildDashboard, Panel } from '../dashboard.ts'
import { quantile } from '../quantile.ts'
import type { Selection } from '../selection.ts'

/** Every shard side by side: memory, rows, duplicates, time, and what it writes to its volume. */
export const hotTierDashboard: BuildDashboard = (selection) => ({
  name: 'hot-tier',
  title: 'hot tier',
  rows: [
    { title: 'Slots and memory', panels: memory(selection) },
    { title: 'Rows', panels: rows(selection) },
    { title: 'Time', panels: time(selection) },
    { title: 'Volume', panels: volume(selection) },
    { title: 'Rollups and copies', panels: derived(selection) },
  ],
})

const memory = ({ series, by }: Selection): Panel[] => [
  {
    title: 'Replicas by state',
    description:
      'Replicas of slots on all shards. joining catches up; stalled stands still, see the reasons.',
    unit: 'short',
    queries: [
      { expression: `sum ${by('state')} (${series('truenow_hot_tier_slots')})`, legend: '{{state}}' },
    ],
  },
  {
    title: 'Memory taken of the budget',
    description:
      'Rows, dictionaries and ids, as a share of what the shard may take. At 1 the oldest buckets go or slots stall. Runbook: TrueNowMemoryEvicting.',
    unit: 'percentunit',
    badFrom: 0.9,
    queries: [
      {
        expression: `${series('truenow_hot_tier_resident_bytes')} / ${series('truenow_hot_tier_resident_bytes_max')}`,
        legend: '{{pod}}',
      },
    ],
  },
  {
    title: 'Hottest slot',
    description:
      'Of what one slot may take, a core or half of its worker’s memory, and the share of its rows that one key has. Runbook: TrueNowSlotTooHot.',
    unit: 'percentunit',
    badFrom: 0.7,
    queries: [
      {
        expression: `max ${by('pod')} (${series('truenow_hot_tier_slot_heat')})`,
        legend: '{{pod}}',
      },
      {
        expression: `max ${by('pod')} (${series('truenow_hot_tier_top_key_share')})`,
        legend: '{{pod}} top key',
      },
    ],
  },
  {
    title: 'Stalled replicas by reason',
    description: 'Must be 0. Runbook: TrueNowSlotStalled, a section for each reason.',
    unit: 'short',
    badFrom: 1,
    queries: [
      {
        expression: `sum ${by('pod', 'reason')} (${series('truenow_hot_tier_stalled_slots')})`,
        legend: '{{pod}} {{reason}}',
      },
    ],
  },
]

const rows = ({ series, by }: Selection): Panel[] => [
  {
    title: 'Rows a second by outcome',
    description: 'Of the blocks applied: taken in, dropped as duplicates, or older than the retention.',
    unit: 'rowsps',
    queries: [
      {
        expression: `sum ${by('pod', 'outcome')} (rate(${series('truenow_hot_tier_rows_total')}[$__rate_interval]))`,
        legend: '{{pod}} {{outcome}}',
      },
    ],
  },
  {
    title: 'Duplicates a second by stage',
    description: 'recent: the first copy’s id was in memory. run: it lay in a run on the volume.',
    unit: 'rowsps',
    queries: [
      {
        expression: `sum ${by('stage')} (rate(${series('truenow_hot_tier_duplicates_total')}[$__rate_interval]))`,
        legend: '{{stage}}',
      },
    ],
  },
  {
    title: 'Remembered ids',
    description: 'Ids within their dedup window, by where they lie.',
    unit: 'short',
    queries: [
      {
        expression: `sum ${by('place')} (${series('truenow_hot_tier_remembered_ids')})`,
        legend: '{{place}}',
      },
    ],
  },
]

const time = (selection: Selection): Panel[] => [
  {
    title: 'Time to apply a block, p99',
    description: 'From taking one block until its rows are in answers, by shard.',
    unit: 's',
    queries: [
      { expression: quantile(selection, 0.99, 'truenow_hot_tier_apply_seconds', ['pod']), legend: '{{pod}}' },
    ],
  },
  {
    title: 'Time of a partial query, p99',
    description: 'What a worker of a shard takes for its slots of one query, waits included.',
    unit: 's',
    queries: [
      { expression: quantile(selection, 0.99, 'truenow_hot_tier_query_seconds', ['pod']), legend: '{{pod}}' },
    ],
  },
  {
    title: 'Wait for a turn, p99',
    description:
      'How long blocks, short reads and long ones of a worker waited for each turn on its thread. Short reads wait for the turn under way only: more says that the cores are busy with other work, or blocks are owed time.',
    unit: 's',
    queries: [
      {
        expression: quantile(selection, 0.99, 'truenow_hot_tier_turn_wait_seconds', ['class']),
        legend: '{{class}}',
      },
    ],
  },
  {
    title: 'Records behind the log',
    description:
      'Records between cursor and end of the log, all replicas of a shard together; near 0 is good.',
    unit: 'short',
    queries: [{ expression: selection.series('truenow_hot_tier_lag_records'), legend: '{{pod}}' }],
  },
]

const volume = ({ series, by }: Selection): Panel[] => [
  {
    title: 'Evicted time buckets a second',
    description:
      'Buckets that left before the retention because memory was full: answers over them are not complete.',
    unit: 'ops',
    badFrom: 0.001,
    queries: [
      {
        expression: `sum ${by('pod')} (rate(${series('truenow_hot_tier_evicted_buckets_total')}[$__rate_interval]))`,
        legend: '{{pod}}',
      },
    ],
  },
  {
    title: 'Snapshots a second by outcome',
    description:
      'failed: the volume is full or broken. refused: one could not be read at a start. Runbook: TrueNowSnapshotsFailing.',
    unit: 'ops',
    queries: [
      {
        expression: `sum ${by('pod', 'outcome')} (rate(${series('truenow_hot_tier_snapshots_total')}[$__rate_interval]))`,
        legend: '{{pod}} {{outcome}}',
      },
    ],
  },
  {
    title: 'Runs of ids on the volume',
    description: 'Bytes that runs of remembered ids take on each shard’s volume.',
    unit: 'bytes',
    queries: [{ expression: series('truenow_hot_tier_id_run_bytes'), legend: '{{pod}}' }],
  },
]

const derived = ({ series, by }: Selection): Panel[] => [
  {
    title: 'Memory of rollups',
    description:
      'Bytes that rollups take on each shard; part of the memory above, and 0 where no table has any.',
    unit: 'bytes',
    queries: [{ expression: series('truenow_hot_tier_rollup_bytes'), legend: '{{pod}}' }],
  },
  {
    title: 'Copies of slots, bytes a second',
    description:
      'What shards give to and take from each other so that a new replica need not read the whole log. Empty: none was needed.',
    unit: 'bytes',
    queries: [
      {
        expression: `sum ${by('pod', 'direction')} (rate(${series('truenow_hot_tier_copy_bytes_total')}[$__rate_interval]))`,
        legend: '{{pod}} {{direction}}',
      },
    ],
  },
  {
    title: 'Records lost to the log’s retention',
    description:
      'Records a second that Kafka removed before a replica read them and that no peer held: must be 0. Runbook: TrueNowLogGap.',
    unit: 'ops',
    badFrom: 0.001,
    queries: [
      {
        expression: `sum ${by('pod')} (rate(${series('truenow_hot_tier_lost_records_total')}[$__rate_interval]))`,
        legend: '{{pod}}',
      },
    ],
  },
]
