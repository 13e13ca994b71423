import type { BuildDashboard, Panel } from '../dashboard.ts'
import { quantile } from '../quantile.ts'
import type { Selection } from '../selection.ts'

/** From the client's POST to the shard: gateways, Kafka, ingesters, and what the roles stand on. */
export const dataPathDashboard: BuildDashboard = (selection) => ({
  name: 'data-path',
  title: 'gateway, Kafka and ingester',
  rows: [
    { title: 'Gateway', panels: gateway(selection) },
    { title: 'Ingester', panels: ingester(selection) },
    { title: 'What they stand on', panels: ground(selection) },
  ],
})

const gateway = (selection: Selection): Panel[] => {
  const { series, by } = selection
  return [
    {
      title: 'Time until Kafka acknowledged a block',
      description: 'The greater part of what a client waits for its 200.',
      unit: 's',
      queries: [0.5, 0.99].map((q) => ({
        expression: quantile(selection, q, 'truenow_gateway_produce_seconds'),
        legend: `p${q * 100}`,
      })),
    },
    {
      title: 'Bytes that wait for Kafka',
      description: 'By gateway; at TRUENOW_BUFFER_BYTES_MAX it answers 503. Runbook: TrueNowGatewayRefusing.',
      unit: 'bytes',
      queries: [{ expression: series('truenow_gateway_buffered_bytes'), legend: '{{pod}}' }],
    },
    {
      title: 'Rows a block, median',
      description: 'Few rows a block under load cost every part behind the gateway.',
      unit: 'short',
      queries: [
        { expression: quantile(selection, 0.5, 'truenow_gateway_block_rows'), legend: 'rows a block' },
      ],
    },
    {
      title: 'Requests a second by status',
      description: 'HTTP requests of events, as they were answered.',
      unit: 'reqps',
      queries: [
        {
          expression: `sum ${by('status')} (rate(${series('truenow_gateway_http_requests_total', 'route!~"/(health|livez|readyz|metrics)"')}[$__rate_interval]))`,
          legend: '{{status}}',
        },
      ],
    },
    {
      title: 'Appends of unknown outcome a second',
      description:
        'Blocks whose append failed or got no answer: they may stand in the log, and a resend is dropped as a duplicate.',
      unit: 'ops',
      queries: [
        {
          expression: `sum ${by('pod')} (rate(${series('truenow_gateway_unknown_appends_total')}[$__rate_interval]))`,
          legend: '{{pod}}',
        },
      ],
    },
  ]
}

const ingester = ({ series, by }: Selection): Panel[] => [
  {
    title: 'Records a second by verdict',
    description:
      'block is a record that could be read; dead-letter one that nobody can. Runbook: TrueNowDeadLetters.',
    unit: 'ops',
    queries: [
      {
        expression: `sum ${by('verdict')} (rate(${series('truenow_ingester_records_total')}[$__rate_interval]))`,
        legend: '{{verdict}}',
      },
    ],
  },
  {
    title: 'Read from Kafka, bytes a second',
    description: 'By ingester; each slot is read by one of them.',
    unit: 'bytes',
    queries: [
      {
        expression: `sum ${by('pod')} (rate(${series('truenow_ingester_read_bytes_total')}[$__rate_interval]))`,
        legend: '{{pod}}',
      },
    ],
  },
  {
    title: 'Streams to shards',
    description: 'Open Subscribe streams; together as many as there are replicas.',
    unit: 'short',
    queries: [{ expression: series('truenow_ingester_subscribers'), legend: '{{pod}}' }],
  },
  {
    title: 'Catch-ups a second',
    description: 'Times a shard stood behind the kept records and was served from Kafka instead.',
    unit: 'ops',
    queries: [
      {
        expression: `sum ${by('pod')} (rate(${series('truenow_ingester_catch_ups_total')}[$__rate_interval]))`,
        legend: '{{pod}}',
      },
    ],
  },
  {
    title: 'Cursors checked a second by outcome',
    description:
      'data-loss and log-rewritten say that the log no longer holds what a replica needs. Runbook: TrueNowLogGap.',
    unit: 'ops',
    queries: [
      {
        expression: `sum ${by('outcome')} (rate(${series('truenow_ingester_cursor_checks_total')}[$__rate_interval]))`,
        legend: '{{outcome}}',
      },
    ],
  },
]

const ground = ({ series, by }: Selection): Panel[] => [
  {
    title: 'Outside systems answer',
    description: '1 while every pod that needs it reaches it. Redis is missing where none is configured.',
    unit: 'bool_yes_no',
    kind: 'stat',
    queries: [
      { expression: `min ${by()} (${series('truenow_gateway_kafka_up')})`, legend: 'Kafka, from gateways' },
      { expression: `min ${by()} (${series('truenow_ingester_kafka_up')})`, legend: 'Kafka, from ingesters' },
      { expression: `max ${by()} (${series('truenow_control_plane_postgres_up')})`, legend: 'PostgreSQL' },
      { expression: `min ${by()} (${series('truenow_query_cache_up')})`, legend: 'Redis' },
    ],
  },
  {
    title: 'Catalog not followed for',
    description:
      'By role, the worst pod; 0 while every one hears of changes. Runbook: TrueNowCatalogNotFollowed.',
    unit: 's',
    badFrom: 60,
    queries: ['gateway', 'ingester', 'hot_tier', 'query', 'watermark'].map((role) => ({
      expression: `max ${by('job')} (${series(`truenow_${role}_catalog_age_seconds`)})`,
      legend: '{{job}}',
    })),
  },
  {
    title: 'Result cache by use',
    description: 'Statements a second that Redis answered (hit) or that were computed.',
    unit: 'reqps',
    queries: [
      {
        expression: `sum ${by('use')} (rate(${series('truenow_query_cache_total')}[$__rate_interval]))`,
        legend: '{{use}}',
      },
    ],
  },
]
