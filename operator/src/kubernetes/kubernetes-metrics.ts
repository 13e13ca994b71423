import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** What a gauge asks when it is read: a duration that grows on its own cannot be set once. */
type Source = Readonly<{ label: string; seconds: () => number }>

/** Every metric of the Kubernetes runtime. Labels are verbs, codes, kinds and queue names; never an object's name. */
export const createKubernetesMetrics = (registry: Registry) => ({
  ...requestMetrics(registry),
  ...reflectorMetrics(registry),
  ...queueMetrics(registry),
  ...leaderMetrics(registry),
})
export type KubernetesMetrics = ReturnType<typeof createKubernetesMetrics>

const requestMetrics = (registry: Registry) => ({
  requests: new Counter({
    name: 'truenow_operator_kubernetes_requests_total',
    help: 'Requests to the API server, each attempt counted, by verb and HTTP status; 0 is no answer.',
    labelNames: ['verb', 'code'] as const,
    registers: [registry],
  }),
  requestSeconds: new Histogram({
    name: 'truenow_operator_kubernetes_request_seconds',
    help: 'Time of a call to the API server with its retries, watches excepted.',
    labelNames: ['verb'] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry],
  }),
  requestRetries: new Counter({
    name: 'truenow_operator_kubernetes_request_retries_total',
    help: 'Attempts that repeated a failed one.',
    labelNames: ['verb'] as const,
    registers: [registry],
  }),
  throttledSeconds: new Counter({
    name: 'truenow_operator_kubernetes_throttled_seconds_total',
    help: 'Time that calls waited for the operator’s own rate limit.',
    registers: [registry],
  }),
  recordedEvents: new Counter({
    name: 'truenow_operator_recorded_events_total',
    help: 'Kubernetes Events by what became of them: created, repeated (counted up), suppressed or failed.',
    labelNames: ['outcome'] as const,
    registers: [registry],
  }),
})

const reflectorMetrics = (registry: Registry) => {
  const reflectors = new Set<Source>()
  return {
    reflectors,
    reflectorAge: new Gauge({
      name: 'truenow_operator_reflector_age_seconds',
      help: 'Time since the last event, bookmark or list of a kind: the oldest of its reflectors.',
      labelNames: ['kind'] as const,
      registers: [registry],
      collect() {
        setToLargest(this, 'kind', reflectors)
      },
    }),
    reflectorObjects: new Gauge({
      name: 'truenow_operator_reflector_objects',
      help: 'Objects held in memory.',
      labelNames: ['kind'] as const,
      registers: [registry],
    }),
    relists: new Counter({
      name: 'truenow_operator_relists_total',
      help: 'Lists by reason: first, expired (410), failures, missed (the watch lost events), watchdog (a check).',
      labelNames: ['kind', 'reason'] as const,
      registers: [registry],
    }),
    watchEnds: new Counter({
      name: 'truenow_operator_watch_ends_total',
      help: 'Watch connections by how they ended: timeout, expired, failed, silent, missed.',
      labelNames: ['kind', 'end'] as const,
      registers: [registry],
    }),
    missedEvents: new Counter({
      name: 'truenow_operator_missed_events_total',
      help: 'Changes that a list found and the watch had not told: a bug somewhere.',
      labelNames: ['kind'] as const,
      registers: [registry],
    }),
    handlerFailures: new Counter({
      name: 'truenow_operator_handler_failures_total',
      help: 'Changes whose handler threw.',
      labelNames: ['kind'] as const,
      registers: [registry],
    }),
  }
}

const queueMetrics = (registry: Registry) => {
  const longestRunning = new Set<Source>()
  return {
    longestRunning,
    queueLongestRunning: new Gauge({
      name: 'truenow_operator_queue_longest_running_seconds',
      help: 'How long the oldest running work has run.',
      labelNames: ['queue'] as const,
      registers: [registry],
      collect() {
        setToLargest(this, 'queue', longestRunning)
      },
    }),
    queueDepth: new Gauge({
      name: 'truenow_operator_queue_depth',
      help: 'Keys that are due and wait for their turn.',
      labelNames: ['queue'] as const,
      registers: [registry],
    }),
    queueWaitSeconds: new Histogram({
      name: 'truenow_operator_queue_wait_seconds',
      help: 'Time from a key’s being due to the start of its work.',
      labelNames: ['queue'] as const,
      buckets: [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 60, 300],
      registers: [registry],
    }),
    queueWorkSeconds: new Histogram({
      name: 'truenow_operator_queue_work_seconds',
      help: 'Time of one work on a key.',
      labelNames: ['queue'] as const,
      buckets: [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 60, 300],
      registers: [registry],
    }),
    queueRetries: new Counter({
      name: 'truenow_operator_queue_retries_total',
      help: 'Works that threw and will be repeated.',
      labelNames: ['queue'] as const,
      registers: [registry],
    }),
  }
}

const leaderMetrics = (registry: Registry) => ({
  leading: new Gauge({
    name: 'truenow_operator_leading',
    help: '1 while this process holds the Lease, else 0.',
    registers: [registry],
  }),
  leaderChanges: new Counter({
    name: 'truenow_operator_leader_changes_total',
    help: 'Changes of the Lease’s holder that this process saw.',
    registers: [registry],
  }),
  leaseFailures: new Counter({
    name: 'truenow_operator_lease_failures_total',
    help: 'Attempts to read, take or renew the Lease that failed.',
    registers: [registry],
  }),
})

function setToLargest(gauge: Gauge, label: string, sources: ReadonlySet<Source>): void {
  const largest = new Map<string, number>()
  for (const source of sources)
    largest.set(source.label, Math.max(source.seconds(), largest.get(source.label) ?? 0))
  gauge.reset() // A source that ended must not stand still at its last value.
  for (const [value, seconds] of largest) gauge.set({ [label]: value }, seconds)
}
