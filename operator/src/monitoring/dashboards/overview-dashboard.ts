import type { BuildDashboard, Panel } from '../dashboard.ts'
import { quantile } from '../quantile.ts'
import type { Selection } from '../selection.ts'

/** The cluster on one screen: what it promises first, then how much it does and how fast. */
export const overviewDashboard: BuildDashboard = (selection) => ({
  name: 'overview',
  title: 'overview',
  rows: [
    { title: 'Promises', panels: promises(selection) },
    { title: 'Events and answers', panels: traffic(selection) },
    { title: 'Speed and pods', panels: speed(selection) },
  ],
})

const USERS_ROUTES = 'route!~"/(health|livez|readyz|metrics)"'

const promises = ({ series, by }: Selection): Panel[] => [
  {
    title: 'Freshness by table',
    description:
      'How far complete answers are behind now, beyond the allowed lateness. Missing: unknown. Runbook: TrueNowTableStale.',
    unit: 's',
    badFrom: 60,
    queries: [
      {
        expression: `max ${by('exported_namespace', 'table')} (${series('truenow_watermark_table_freshness_seconds')})`,
        legend: '{{exported_namespace}}.{{table}}',
      },
    ],
  },
  {
    title: 'Slots by health',
    description:
      'active and idle are good, lagging is behind, stalled stands still, unknown answers nobody. Runbook: TrueNowSlotStalled.',
    unit: 'short',
    queries: [
      { expression: `max ${by('health')} (${series('truenow_watermark_slots')})`, legend: '{{health}}' },
    ],
  },
  {
    title: 'Broken promises',
    description:
      'Must be 0: slots whose replicas disagree, slots whose rows do not add up, tables of unknown freshness.',
    unit: 'short',
    badFrom: 1,
    queries: [
      {
        expression: `max ${by()} (${series('truenow_watermark_mismatched_slots')})`,
        legend: 'replicas disagree',
      },
      {
        expression: `max ${by()} (${series('truenow_watermark_unbalanced_slots')})`,
        legend: 'rows do not add up',
      },
      {
        expression: `max ${by()} (${series('truenow_watermark_tables_unknown')})`,
        legend: 'freshness unknown',
      },
    ],
  },
]

const traffic = ({ series, by }: Selection): Panel[] => [
  {
    title: 'Events a second',
    description: 'What gateways were sent, what Kafka acknowledged, and what was rejected, by why.',
    unit: 'rowsps',
    queries: [
      {
        expression: `sum ${by()} (rate(${series('truenow_gateway_received_events_total')}[$__rate_interval]))`,
        legend: 'received',
      },
      {
        expression: `sum ${by()} (rate(${series('truenow_gateway_produced_events_total')}[$__rate_interval]))`,
        legend: 'acknowledged',
      },
      {
        expression: `sum ${by('reason')} (rate(${series('truenow_gateway_rejected_events_total')}[$__rate_interval]))`,
        legend: 'rejected: {{reason}}',
      },
    ],
  },
  {
    title: 'Answers a second by outcome',
    description:
      'complete is the whole truth; incomplete ends before the range does; partial lacks slots. Runbooks: TrueNowQueriesPartial, TrueNowQueriesFailing.',
    unit: 'reqps',
    queries: [
      {
        expression: `sum ${by('outcome')} (rate(${series('truenow_query_statements_total')}[$__rate_interval]))`,
        legend: '{{outcome}}',
      },
    ],
  },
  {
    title: 'Errors answered a second',
    description: 'HTTP answers of 500 and above, probes left out. Empty: there were none.',
    unit: 'reqps',
    badFrom: 0.01,
    queries: ['gateway', 'query'].map((role) => ({
      expression: `sum ${by('job', 'status')} (rate(${series(`truenow_${role}_http_requests_total`, 'status=~"5.."', USERS_ROUTES)}[$__rate_interval]))`,
      legend: '{{job}} {{status}}',
    })),
  },
]

const speed = (selection: Selection): Panel[] => [
  {
    title: 'Time of a query',
    description: 'From a statement’s arrival to its answer, all query pods together.',
    unit: 's',
    queries: [0.5, 0.99].map((q) => ({
      expression: quantile(selection, q, 'truenow_query_statement_seconds'),
      legend: `p${q * 100}`,
    })),
  },
  {
    title: 'Pods that answer Prometheus',
    description: 'Scraped pods by role; fewer than the spec asks for is a pod down. Runbook: TrueNowPodDown.',
    unit: 'short',
    queries: [{ expression: `sum ${selection.by('job')} (${selection.series('up')})`, legend: '{{job}}' }],
  },
  {
    title: 'Event loop by pod',
    description: 'Share of time a process was busy; near 1 it answers late, whatever it is asked.',
    unit: 'percentunit',
    badFrom: 0.9,
    queries: [
      {
        expression: `max ${selection.by('pod')} (${selection.series('nodejs_eventloop_utilization_ratio')})`,
        legend: '{{pod}}',
      },
    ],
  },
]
