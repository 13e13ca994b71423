import type { clusterAlerts } from '../src/monitoring/cluster-alerts.ts'
import type { operatorAlerts } from '../src/monitoring/operator-alerts.ts'

/** One sample every 15 s, in promtool's notation: `a+bxn` rises by b n times. */
export const INTERVAL_SECONDS = 15
type Series = readonly [metric: string, labels: Readonly<Record<string, string>>, values: string]
type Sick = Readonly<{
  series: readonly Series[]
  /** First evaluation at which it fires; one alert’s `for` before that it must not. */
  firesAtSeconds: number
  labels: Readonly<Record<string, string>>
  summary: string
  description: string
}>
/** What makes an alert fire, with what it then says, and what must not although it looks alike. */
export type AlertCase = Readonly<{ sick: readonly Sick[]; well: readonly Series[] }>

const podCases = {
  TrueNowPodDown: {
    sick: [
      {
        series: [['up', { job: 'query', pod: 'demo-query-1' }, '0x40']],
        firesAtSeconds: 300,
        labels: { job: 'query', pod: 'demo-query-1' },
        summary: 'Pod demo-query-1 cannot be scraped',
        description: 'Prometheus gets no answer from query pod demo-query-1.',
      },
    ],
    well: [['up', { job: 'query', pod: 'demo-query-1' }, '0x10 1x120']],
  },
  TrueNowPodRestarting: {
    sick: [
      {
        series: [
          [
            'process_start_time_seconds',
            { job: 'ingester', pod: 'i-0' },
            '100 100 200 200 300 300 400 400 400',
          ],
        ],
        firesAtSeconds: 90,
        labels: { job: 'ingester', pod: 'i-0' },
        summary: 'Pod i-0 restarts again and again',
        description: 'The process of ingester pod i-0 has started anew 3 times within 30 minutes.',
      },
    ],
    well: [['process_start_time_seconds', { job: 'ingester', pod: 'i-0' }, '100 100 200 200 300x120']],
  },
} as const satisfies Record<string, AlertCase>

const events = '/v1/namespaces/:namespace/tables/:table/events'
const http = (status: string, route: string, values: string): Series => [
  'truenow_gateway_http_requests_total',
  { job: 'gateway', pod: 'g-0', method: 'POST', route, status },
  values,
]
const statements = (outcome: string, values: string): Series => [
  'truenow_query_statements_total',
  { job: 'query', pod: 'q-0', outcome },
  values,
]

/** A missing one does not compile. */
export const clusterAlertCases: Readonly<Record<keyof typeof clusterAlerts, AlertCase>> = {
  ...podCases,
  TrueNowTableStale: {
    sick: [
      {
        series: [
          [
            'truenow_watermark_table_freshness_seconds',
            { pod: 'w-0', exported_namespace: 'production', table: 'events' },
            '0+15x40',
          ],
          [
            'truenow_watermark_table_freshness_seconds',
            { pod: 'w-0', exported_namespace: 'production', table: 'other' },
            '1x40',
          ],
        ],
        firesAtSeconds: 195,
        labels: { exported_namespace: 'production', table: 'events' },
        summary: 'Answers from production.events are behind',
        description: 'Complete answers from production.events end 3m 15s ago, beyond the allowed lateness.',
      },
    ],
    well: [
      [
        'truenow_watermark_table_freshness_seconds',
        { pod: 'w-0', exported_namespace: 'production', table: 'events' },
        '60x120',
      ],
    ],
  },
  TrueNowFreshnessUnknown: {
    sick: [
      {
        series: [['truenow_watermark_tables_unknown', { pod: 'w-0' }, '2x40']],
        firesAtSeconds: 120,
        labels: {},
        summary: 'Nobody knows how fresh answers are',
        description: 'No shard answers for some slot of some table, or no watermark pod tells of any (2).',
      },
      {
        series: [['up', { job: 'watermark', pod: 'w-0' }, '1x40']],
        firesAtSeconds: 120,
        labels: {},
        summary: 'Nobody knows how fresh answers are',
        description: 'No shard answers for some slot of some table, or no watermark pod tells of any (1).',
      },
    ],
    well: [['truenow_watermark_tables_unknown', { pod: 'w-0' }, '1x4 0x120']],
  },
  TrueNowSlotStalled: {
    sick: [
      {
        series: [
          ['truenow_hot_tier_stalled_slots', { pod: 'h-0', reason: 'MemoryFull' }, '3x20'],
          ['truenow_hot_tier_stalled_slots', { pod: 'h-0', reason: 'LogRewritten' }, '0x20'],
          ['truenow_watermark_slots', { pod: 'w-0', health: 'stalled' }, '3x20'],
        ],
        firesAtSeconds: 60,
        labels: { reason: 'MemoryFull' },
        summary: 'Slots stand still: MemoryFull',
        description:
          '3 replicas of slots take no rows in (MemoryFull); what is newer is missing from answers.',
      },
      {
        series: [
          ['truenow_hot_tier_stalled_slots', { pod: 'h-0', reason: 'MemoryFull' }, '0x20'],
          ['truenow_watermark_slots', { pod: 'w-0', health: 'stalled' }, '8x20'],
        ],
        firesAtSeconds: 60,
        labels: { reason: 'NoProgress' },
        summary: 'Slots stand still: NoProgress',
        description:
          '8 replicas of slots take no rows in (NoProgress); what is newer is missing from answers.',
      },
    ],
    well: [
      ['truenow_hot_tier_stalled_slots', { pod: 'h-0', reason: 'MemoryFull' }, '0x120'],
      ['truenow_hot_tier_stalled_slots', { pod: 'h-0', reason: 'PeerCopy' }, '8x120'],
      ['truenow_watermark_slots', { pod: 'w-0', health: 'stalled' }, '0x120'],
      ['truenow_watermark_slots', { pod: 'w-0', health: 'lagging' }, '8x120'],
    ],
  },
  TrueNowReplicasDisagree: {
    sick: [
      {
        series: [['truenow_watermark_mismatched_slots', { pod: 'w-0' }, '1x20']],
        firesAtSeconds: 60,
        labels: {},
        summary: 'Replicas hold different rows',
        description:
          'Serving replicas of 1 slots have different state hashes at one offset: an answer depends on who gives it.',
      },
    ],
    well: [['truenow_watermark_mismatched_slots', { pod: 'w-0' }, '0x120']],
  },
  TrueNowRowsUnbalanced: {
    sick: [
      {
        series: [['truenow_watermark_unbalanced_slots', { pod: 'w-0' }, '2x20']],
        firesAtSeconds: 60,
        labels: {},
        summary: 'Rows are unaccounted for',
        description:
          'In 2 slots the rows of the log are not the sum of applied, deduplicated, expired and dead-lettered ones.',
      },
    ],
    well: [['truenow_watermark_unbalanced_slots', { pod: 'w-0' }, '0x120']],
  },
  TrueNowLogGap: {
    sick: [
      {
        series: [
          ['truenow_hot_tier_lost_records_total', { pod: 'h-0' }, '0 0 2x20'],
          ['truenow_ingester_cursor_checks_total', { pod: 'i-0', outcome: 'data-loss' }, '0 0 1x20'],
        ],
        firesAtSeconds: 30,
        labels: { outcome: 'data-loss' },
        summary: 'The log does not hold what replicas still need: data-loss',
        description:
          'Within 30 minutes, data-loss: 2. data-loss counts records that Kafka removed before replicas read them and that no peer held, log-rewritten replicas whose log is another one now.',
      },
      {
        series: [
          ['truenow_ingester_cursor_checks_total', { pod: 'i-0', outcome: 'log-rewritten' }, '0 0 1x20'],
          ['truenow_ingester_cursor_checks_total', { pod: 'i-0', outcome: 'match' }, '0+1x20'],
        ],
        firesAtSeconds: 30,
        labels: { outcome: 'log-rewritten' },
        summary: 'The log does not hold what replicas still need: log-rewritten',
        description:
          'Within 30 minutes, log-rewritten: 1. data-loss counts records that Kafka removed before replicas read them and that no peer held, log-rewritten replicas whose log is another one now.',
      },
    ],
    // A cursor behind the log alone is no loss: a peer's copy may hold what is gone.
    well: [
      ['truenow_hot_tier_lost_records_total', { pod: 'h-0' }, '7x120'],
      ['truenow_ingester_cursor_checks_total', { pod: 'i-0', outcome: 'data-loss' }, '0 0 1x120'],
      ['truenow_ingester_cursor_checks_total', { pod: 'i-0', outcome: 'log-rewritten' }, '3x120'],
    ],
  },
  TrueNowGatewayRefusing: {
    sick: [
      {
        series: [http('503', events, '0+10x120'), http('200', events, '0+90x60')],
        firesAtSeconds: 135,
        labels: {},
        summary: 'Gateways turn events away',
        description: '10% of what was sent within 5 minutes got an error; senders must send it again.',
      },
      {
        series: [
          ['truenow_gateway_rejected_events_total', { pod: 'g-0', reason: 'overloaded' }, '0+20x120'],
          ['truenow_gateway_rejected_events_total', { pod: 'g-0', reason: 'invalid' }, '0+50x120'],
          ['truenow_gateway_received_events_total', { pod: 'g-0' }, '0+100x120'],
        ],
        firesAtSeconds: 135,
        labels: {},
        summary: 'Gateways turn events away',
        description: '20% of what was sent within 5 minutes got an error; senders must send it again.',
      },
    ],
    well: [
      http('503', '/readyz', '0+10x120'),
      http('200', events, '0+1000x120'),
      http('503', events, '0+1x120'),
      ['truenow_gateway_rejected_events_total', { pod: 'g-0', reason: 'invalid' }, '0+50x120'],
      ['truenow_gateway_received_events_total', { pod: 'g-0' }, '0+100x120'],
    ],
  },
  TrueNowQueriesFailing: {
    sick: [
      {
        series: [
          statements('failed', '0+1x120'),
          statements('overloaded', '0+1x120'),
          statements('complete', '0+38x120'),
        ],
        firesAtSeconds: 135,
        labels: {},
        summary: 'Queries fail',
        description: '5% of all queries within 5 minutes failed or were turned away.',
      },
    ],
    well: [
      statements('refused', '0+50x120'),
      statements('cancelled', '0+50x120'),
      statements('complete', '0+50x120'),
    ],
  },
  TrueNowQueriesPartial: {
    sick: [
      {
        series: [statements('partial', '0+5x120'), statements('complete', '0+15x60')],
        firesAtSeconds: 135,
        labels: {},
        summary: 'Answers lack slots',
        description:
          '25% of all answers within 5 minutes were partial: no replica could answer for some slots.',
      },
    ],
    well: [statements('incomplete', '0+50x120'), statements('complete', '0+50x60')],
  },
  TrueNowKafkaAway: {
    sick: [
      {
        series: [
          ['truenow_gateway_kafka_up', { job: 'gateway', pod: 'g-0' }, '0x20'],
          ['truenow_gateway_kafka_up', { job: 'gateway', pod: 'g-1' }, '1x20'],
          ['truenow_ingester_kafka_up', { job: 'ingester', pod: 'i-0' }, '1x20'],
        ],
        firesAtSeconds: 60,
        labels: { job: 'gateway' },
        summary: 'Kafka does not answer the gateway',
        description:
          'At least one gateway pod reaches no broker: gateways refuse events, ingesters bring nothing new.',
      },
    ],
    well: [
      ['truenow_gateway_kafka_up', { job: 'gateway', pod: 'g-0' }, '0x2 1x120'],
      ['truenow_ingester_kafka_up', { job: 'ingester', pod: 'i-0' }, '1x120'],
    ],
  },
  TrueNowUnderReplicated: {
    sick: [
      {
        series: [
          ['truenow_control_plane_replicas', { pod: 'c-0', state: 'serving' }, '14x120'],
          ['truenow_control_plane_replicas', { pod: 'c-0', state: 'joining' }, '2x120'],
          ['truenow_hot_tier_slots', { pod: 'h-0', state: 'serving' }, '8x120'],
          ['truenow_hot_tier_slots', { pod: 'h-1', state: 'serving' }, '5x120'],
        ],
        firesAtSeconds: 600,
        labels: {},
        summary: 'Slots have fewer replicas than asked for',
        description: '3 replicas of slots do not serve: the loss of one more shard may make answers partial.',
      },
      {
        series: [['truenow_control_plane_replicas', { pod: 'c-0', state: 'serving' }, '16x120']],
        firesAtSeconds: 600,
        labels: {},
        summary: 'Slots have fewer replicas than asked for',
        description:
          '16 replicas of slots do not serve: the loss of one more shard may make answers partial.',
      },
    ],
    well: [
      ['truenow_control_plane_replicas', { pod: 'c-0', state: 'serving' }, '16x120'],
      ['truenow_control_plane_replicas', { pod: 'c-1', state: 'serving' }, '16x120'],
      ['truenow_hot_tier_slots', { pod: 'h-0', state: 'serving' }, '8x120'],
      ['truenow_hot_tier_slots', { pod: 'h-1', state: 'serving' }, '8x120'],
    ],
  },
  TrueNowMemoryEvicting: {
    sick: [
      {
        series: [
          ['truenow_hot_tier_evicted_buckets_total', { pod: 'h-0' }, '0 0 4x20'],
          ['truenow_hot_tier_evicted_buckets_total', { pod: 'h-1' }, '0x20'],
        ],
        firesAtSeconds: 30,
        labels: { pod: 'h-0' },
        summary: 'Shard h-0 holds less than the retention',
        description:
          'Shard h-0 let 4 time buckets go within 15 minutes because its memory is full; answers over them are not complete.',
      },
    ],
    well: [['truenow_hot_tier_evicted_buckets_total', { pod: 'h-0' }, '9x120']],
  },
  TrueNowSlotTooHot: {
    sick: [
      {
        series: [
          ['truenow_hot_tier_slot_heat', { pod: 'h-0', worker: '0' }, '0.1x80'],
          ['truenow_hot_tier_slot_heat', { pod: 'h-0', worker: '1' }, '0.83x80'],
        ],
        firesAtSeconds: 600,
        labels: { pod: 'h-0' },
        summary: 'A slot on shard h-0 is near what one slot may take',
        description:
          'A slot on shard h-0 takes 83% of what one slot may, a core or half of its worker’s memory; beyond that it falls behind, or its oldest rows leave.',
      },
    ],
    well: [['truenow_hot_tier_slot_heat', { pod: 'h-0', worker: '0' }, '0.9x30 0.6x90']],
  },
  TrueNowSnapshotsFailing: {
    sick: [
      {
        series: [
          ['truenow_hot_tier_snapshots_total', { pod: 'h-0', outcome: 'failed' }, '0+1x120'],
          ['truenow_hot_tier_snapshots_total', { pod: 'h-0', outcome: 'written' }, '9x120'],
        ],
        firesAtSeconds: 315,
        labels: { pod: 'h-0' },
        summary: 'Shard h-0 cannot write to its volume',
        description:
          'On shard h-0 21 snapshots or runs of ids were not written within 10 minutes: its volume is full or broken, a restart replays more of the log, and ids stay in memory.',
      },
      {
        series: [['truenow_hot_tier_id_runs_written_total', { pod: 'h-1', outcome: 'failed' }, '0+1x120']],
        firesAtSeconds: 315,
        labels: { pod: 'h-1' },
        summary: 'Shard h-1 cannot write to its volume',
        description:
          'On shard h-1 21 snapshots or runs of ids were not written within 10 minutes: its volume is full or broken, a restart replays more of the log, and ids stay in memory.',
      },
    ],
    well: [
      ['truenow_hot_tier_snapshots_total', { pod: 'h-0', outcome: 'failed' }, '3x120'],
      ['truenow_hot_tier_snapshots_total', { pod: 'h-0', outcome: 'written' }, '0+1x120'],
    ],
  },
  TrueNowDeadLetters: {
    sick: [
      {
        series: [
          ['truenow_hot_tier_dead_letters_total', { pod: 'h-0' }, '0 0 2x20'],
          ['truenow_hot_tier_dead_letters_total', { pod: 'h-1' }, '0 0 2x20'],
        ],
        firesAtSeconds: 30,
        labels: {},
        summary: 'Records of the log cannot be read',
        description:
          'A shard passed over 2 records within 15 minutes that nobody can read; their events are in no answer.',
      },
    ],
    well: [['truenow_hot_tier_dead_letters_total', { pod: 'h-0' }, '5x120']],
  },
  TrueNowPostgresAway: {
    sick: [
      {
        series: [['truenow_control_plane_postgres_up', { pod: 'c-0' }, '0x20']],
        firesAtSeconds: 120,
        labels: {},
        summary: 'PostgreSQL does not answer the control plane',
        description:
          'Events and queries go on with the catalog as it was, but no table can be changed and no replica can begin to serve.',
      },
    ],
    well: [['truenow_control_plane_postgres_up', { pod: 'c-0' }, '0x4 1x120']],
  },
  TrueNowRedisAway: {
    sick: [
      {
        series: [
          ['truenow_query_cache_up', { pod: 'q-0', system: 'redis' }, '1x40'],
          ['truenow_query_cache_up', { pod: 'q-1', system: 'redis' }, '0x40'],
        ],
        firesAtSeconds: 300,
        labels: {},
        summary: 'Redis does not answer queries',
        description:
          'At least one query pod has no result cache: answers are as right as before, and slower.',
      },
    ],
    well: [['truenow_query_cache_up', { pod: 'q-0', system: 'redis' }, '1x120']],
  },
  TrueNowCertificateExpiring: {
    sick: [
      {
        series: [
          ['truenow_certificate_expiry_seconds', { job: 'query', pod: 'q-0' }, '1209700-15x60'],
          ['truenow_certificate_expiry_seconds', { job: 'query', pod: 'q-1' }, '5184000-15x60'],
        ],
        firesAtSeconds: 405,
        labels: { job: 'query', pod: 'q-0' },
        summary: 'The certificate of query pod q-0 ends soon',
        description:
          'It ends in 13d 23h 54m 55s and should have been renewed long ago; afterwards no other role takes its calls.',
      },
    ],
    well: [['truenow_certificate_expiry_seconds', { job: 'query', pod: 'q-0' }, '1300000-15x120']],
  },
  TrueNowCatalogNotFollowed: {
    sick: [
      {
        series: [
          ['truenow_hot_tier_catalog_age_seconds', { job: 'hot-tier', pod: 'h-0' }, '0+15x120'],
          ['truenow_hot_tier_catalog_age_seconds', { job: 'hot-tier', pod: 'h-1' }, '0x120'],
        ],
        firesAtSeconds: 375,
        labels: { job: 'hot-tier', pod: 'h-0' },
        summary: 'hot-tier pod h-0 does not hear of changes',
        description:
          'It has not followed the catalog for 6m 15s: it works on with tables and placement as they were.',
      },
    ],
    well: [['truenow_gateway_catalog_age_seconds', { job: 'gateway', pod: 'g-0' }, '0+15x12 0x120']],
  },
}

export const operatorAlertCases: Readonly<Record<keyof typeof operatorAlerts, AlertCase>> = {
  ...podCases,
  TrueNowOperatorNoLeader: {
    sick: [
      {
        series: [
          ['truenow_operator_leading', { pod: 'o-0' }, '0x20'],
          ['truenow_operator_leading', { pod: 'o-1' }, '0x20'],
        ],
        firesAtSeconds: 120,
        labels: {},
        summary: 'No operator leads',
        description: 'No pod of the operator holds the Lease: nothing is repaired, changed or created.',
      },
      {
        series: [['up', { job: 'operator', pod: 'o-0' }, '1x20']],
        firesAtSeconds: 120,
        labels: {},
        summary: 'No operator leads',
        description: 'No pod of the operator holds the Lease: nothing is repaired, changed or created.',
      },
    ],
    well: [
      ['truenow_operator_leading', { pod: 'o-0' }, '0x120'],
      ['truenow_operator_leading', { pod: 'o-1' }, '1x120'],
    ],
  },
  TrueNowOperatorPassesFailing: {
    sick: [
      {
        series: [
          ['truenow_operator_passes_total', { pod: 'o-0', kind: 'Table', outcome: 'failed' }, '0+1x200'],
          ['truenow_operator_passes_total', { pod: 'o-0', kind: 'Table', outcome: 'done' }, '0+9x200'],
        ],
        firesAtSeconds: 1_515,
        labels: { kind: 'Table' },
        summary: 'The operator fails on a Table',
        description:
          'Passes over objects of kind Table failed 80 times within 20 minutes, and go on failing.',
      },
    ],
    well: [
      ['truenow_operator_passes_total', { pod: 'o-0', kind: 'Table', outcome: 'failed' }, '0 0 9x200'],
      ['truenow_operator_passes_total', { pod: 'o-0', kind: 'Table', outcome: 'done' }, '0+9x200'],
    ],
  },
  TrueNowOperatorWatchSilent: {
    sick: [
      {
        series: [['truenow_operator_reflector_age_seconds', { pod: 'o-0', kind: 'Table' }, '0+15x120']],
        firesAtSeconds: 915,
        labels: { kind: 'Table' },
        summary: 'The operator hears nothing of Table objects',
        description: 'The watch of Table has told nothing for 15m 15s, not even that nothing changed.',
      },
    ],
    well: [['truenow_operator_reflector_age_seconds', { pod: 'o-0', kind: 'Table' }, '480x120']],
  },
}
