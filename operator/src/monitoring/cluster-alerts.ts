import type { Alert } from './alert.ts'
import { podAlerts } from './pod-alerts.ts'

/** Routes of people and Prometheus; a probe that says 503 is no refused user. */
const USERS_ROUTES = 'route!~"/(health|livez|readyz|metrics|tls)"'
/** Share of refused or partial answers that a retry of a client no longer hides. */
const SHARE_MAX = 0.01
const CATALOG_AGE_SECONDS_MAX = 60
/** The operator renews them thirty days before their end. */
const CERTIFICATE_SECONDS_MIN = 14 * 86_400
/** Every role that follows the catalog, as its metrics begin. */
const FOLLOWERS = ['gateway', 'ingester', 'hot_tier', 'query', 'watermark']

/** What users feel. */
const symptoms = {
  TrueNowTableStale: {
    severity: 'critical',
    forSeconds: 120,
    expression: ({ series, by }, { freshnessSecondsMax }) =>
      `max ${by('exported_namespace', 'table')} (${series('truenow_watermark_table_freshness_seconds')}) > ${freshnessSecondsMax}`,
    summary: 'Answers from {{ $labels.exported_namespace }}.{{ $labels.table }} are behind',
    description:
      'Complete answers from {{ $labels.exported_namespace }}.{{ $labels.table }} end {{ $value | humanizeDuration }} ago, beyond the allowed lateness.',
  },
  TrueNowFreshnessUnknown: {
    severity: 'critical',
    forSeconds: 120,
    expression: ({ series, by }) =>
      `max ${by()} (${series('truenow_watermark_tables_unknown')}) > 0 or absent(${series('truenow_watermark_tables_unknown')})`,
    summary: 'Nobody knows how fresh answers are',
    description:
      'No shard answers for some slot of some table, or no watermark pod tells of any ({{ $value | humanize }}).',
  },
  TrueNowSlotStalled: {
    severity: 'critical',
    forSeconds: 60,
    expression: ({ series, by, on }) => {
      // While a peer's copy is taken the peer answers; one that takes long is TrueNowUnderReplicated.
      const named = `sum ${by('reason')} (${series('truenow_hot_tier_stalled_slots', 'reason!="PeerCopy"')}) > 0`
      const silent = `max ${by()} (${series('truenow_watermark_slots', 'health="stalled"')}) > 0`
      const noProgress = `label_replace(${silent}, "reason", "NoProgress", "", "")`
      return `${named} or (${noProgress} unless ${on} (sum ${by()} (${series('truenow_hot_tier_stalled_slots')}) > 0))`
    },
    summary: 'Slots stand still: {{ $labels.reason }}',
    description:
      '{{ $value | humanize }} replicas of slots take no rows in ({{ $labels.reason }}); what is newer is missing from answers.',
  },
  TrueNowReplicasDisagree: {
    severity: 'critical',
    forSeconds: 60,
    expression: ({ series, by }) => `max ${by()} (${series('truenow_watermark_mismatched_slots')}) > 0`,
    summary: 'Replicas hold different rows',
    description:
      'Serving replicas of {{ $value | humanize }} slots have different state hashes at one offset: an answer depends on who gives it.',
  },
  TrueNowRowsUnbalanced: {
    severity: 'critical',
    forSeconds: 60,
    expression: ({ series, by }) => `max ${by()} (${series('truenow_watermark_unbalanced_slots')}) > 0`,
    summary: 'Rows are unaccounted for',
    description:
      'In {{ $value | humanize }} slots the rows of the log are not the sum of applied, deduplicated, expired and dead-lettered ones.',
  },
  TrueNowLogGap: {
    severity: 'critical',
    forSeconds: 0,
    expression: ({ series, by }) => {
      const lost = `sum ${by()} (increase(${series('truenow_hot_tier_lost_records_total')}[30m]))`
      const checks = series('truenow_ingester_cursor_checks_total', 'outcome="log-rewritten"')
      return `label_replace(${lost}, "outcome", "data-loss", "", "") > 0 or sum ${by('outcome')} (increase(${checks}[30m])) > 0`
    },
    summary: 'The log does not hold what replicas still need: {{ $labels.outcome }}',
    description:
      'Within 30 minutes, {{ $labels.outcome }}: {{ $value | humanize }}. data-loss counts records that Kafka removed before replicas read them and that no peer held, log-rewritten replicas whose log is another one now.',
  },
  TrueNowGatewayRefusing: {
    severity: 'critical',
    forSeconds: 120,
    expression: ({ series, by }) => {
      const rate = (metric: string, ...matchers: string[]) =>
        `sum ${by()} (rate(${series(metric, ...matchers)}[5m]))`
      const http = 'truenow_gateway_http_requests_total'
      const requests = `${rate(http, 'status=~"5.."', USERS_ROUTES)} / ${rate(http, USERS_ROUTES)}`
      const rejected = rate('truenow_gateway_rejected_events_total', 'reason=~"overloaded|unavailable"')
      const events = `${rejected} / ${rate('truenow_gateway_received_events_total')}`
      return `${requests} > ${SHARE_MAX} or ${events} > ${SHARE_MAX}`
    },
    summary: 'Gateways turn events away',
    description:
      '{{ $value | humanizePercentage }} of what was sent within 5 minutes got an error; senders must send it again.',
  },
  TrueNowQueriesFailing: {
    severity: 'critical',
    forSeconds: 120,
    expression: ({ series, by }) => {
      const rate = (outcomes: string) =>
        `sum ${by()} (rate(${series('truenow_query_statements_total', outcomes)}[5m]))`
      return `${rate('outcome=~"failed|overloaded"')} / ${rate('outcome!="cancelled"')} > ${SHARE_MAX}`
    },
    summary: 'Queries fail',
    description:
      '{{ $value | humanizePercentage }} of all queries within 5 minutes failed or were turned away.',
  },
  TrueNowQueriesPartial: {
    severity: 'critical',
    forSeconds: 120,
    expression: ({ series, by }) => {
      const rate = (outcomes: string) =>
        `sum ${by()} (rate(${series('truenow_query_statements_total', outcomes)}[5m]))`
      return `${rate('outcome="partial"')} / ${rate('outcome!="cancelled"')} > ${SHARE_MAX}`
    },
    summary: 'Answers lack slots',
    description:
      '{{ $value | humanizePercentage }} of all answers within 5 minutes were partial: no replica could answer for some slots.',
  },
} as const satisfies Record<string, Alert>

/** What is behind it, or will be. */
const causes = {
  TrueNowKafkaAway: {
    severity: 'critical',
    forSeconds: 60,
    expression: ({ series, by }) =>
      ['gateway', 'ingester']
        .map((role) => `min ${by('job')} (${series(`truenow_${role}_kafka_up`)}) == 0`)
        .join(' or '),
    summary: 'Kafka does not answer the {{ $labels.job }}',
    description:
      'At least one {{ $labels.job }} pod reaches no broker: gateways refuse events, ingesters bring nothing new.',
  },
  TrueNowUnderReplicated: {
    severity: 'warning',
    forSeconds: 600,
    expression: ({ series, by }) => {
      const replicas = series('truenow_control_plane_replicas', 'state=~"serving|joining"')
      const wanted = `sum ${by()} (max ${by('state')} (${replicas}))`
      const serving = `sum ${by()} (${series('truenow_hot_tier_slots', 'state="serving"')})`
      return `${wanted} - (${serving} or ${wanted} * 0) > 0`
    },
    summary: 'Slots have fewer replicas than asked for',
    description:
      '{{ $value | humanize }} replicas of slots do not serve: the loss of one more shard may make answers partial.',
  },
  TrueNowMemoryEvicting: {
    severity: 'warning',
    forSeconds: 0,
    expression: ({ series, by }) =>
      `sum ${by('pod')} (increase(${series('truenow_hot_tier_evicted_buckets_total')}[15m])) > 0`,
    summary: 'Shard {{ $labels.pod }} holds less than the retention',
    description:
      'Shard {{ $labels.pod }} let {{ $value | humanize }} time buckets go within 15 minutes because its memory is full; answers over them are not complete.',
  },
  TrueNowSlotTooHot: {
    severity: 'warning',
    forSeconds: 600,
    expression: ({ series, by }, { slotHeatMax }) =>
      `max ${by('pod')} (${series('truenow_hot_tier_slot_heat')}) > ${slotHeatMax}`,
    summary: 'A slot on shard {{ $labels.pod }} is near what one slot may take',
    description:
      'A slot on shard {{ $labels.pod }} takes {{ $value | humanizePercentage }} of what one slot may, a core or half of its worker’s memory; beyond that it falls behind, or its oldest rows leave.',
  },
  TrueNowSnapshotsFailing: {
    severity: 'warning',
    forSeconds: 300,
    expression: ({ series, by }) =>
      ['truenow_hot_tier_snapshots_total', 'truenow_hot_tier_id_runs_written_total']
        .map((metric) => `sum ${by('pod')} (increase(${series(metric, 'outcome="failed"')}[10m])) > 0`)
        .join(' or '),
    summary: 'Shard {{ $labels.pod }} cannot write to its volume',
    description:
      'On shard {{ $labels.pod }} {{ $value | humanize }} snapshots or runs of ids were not written within 10 minutes: its volume is full or broken, a restart replays more of the log, and ids stay in memory.',
  },
  TrueNowDeadLetters: {
    severity: 'warning',
    forSeconds: 0,
    expression: ({ series, by }) =>
      `max ${by()} (increase(${series('truenow_hot_tier_dead_letters_total')}[15m])) > 0`,
    summary: 'Records of the log cannot be read',
    description:
      'A shard passed over {{ $value | humanize }} records within 15 minutes that nobody can read; their events are in no answer.',
  },
  TrueNowPostgresAway: {
    severity: 'warning',
    forSeconds: 120,
    expression: ({ series, by }) => `max ${by()} (${series('truenow_control_plane_postgres_up')}) == 0`,
    summary: 'PostgreSQL does not answer the control plane',
    description:
      'Events and queries go on with the catalog as it was, but no table can be changed and no replica can begin to serve.',
  },
  TrueNowRedisAway: {
    severity: 'warning',
    forSeconds: 300,
    expression: ({ series, by }) => `min ${by()} (${series('truenow_query_cache_up')}) == 0`,
    summary: 'Redis does not answer queries',
    description: 'At least one query pod has no result cache: answers are as right as before, and slower.',
  },
  TrueNowCatalogNotFollowed: {
    severity: 'warning',
    forSeconds: 300,
    expression: ({ series, by }) =>
      FOLLOWERS.map(
        (role) =>
          `max ${by('job', 'pod')} (${series(`truenow_${role}_catalog_age_seconds`)}) > ${CATALOG_AGE_SECONDS_MAX}`,
      ).join(' or '),
    summary: '{{ $labels.job }} pod {{ $labels.pod }} does not hear of changes',
    description:
      'It has not followed the catalog for {{ $value | humanizeDuration }}: it works on with tables and placement as they were.',
  },
  TrueNowCertificateExpiring: {
    severity: 'critical',
    forSeconds: 300,
    expression: ({ series, by }) =>
      `min ${by('job', 'pod')} (${series('truenow_certificate_expiry_seconds')}) < ${CERTIFICATE_SECONDS_MIN}`,
    summary: 'The certificate of {{ $labels.job }} pod {{ $labels.pod }} ends soon',
    description:
      'It ends in {{ $value | humanizeDuration }} and should have been renewed long ago; afterwards no other role takes its calls.',
  },
} as const satisfies Record<string, Alert>

/** Every alert about a cluster, symptoms first. */
export const clusterAlerts = { ...symptoms, ...causes, ...podAlerts } as const satisfies Record<string, Alert>
