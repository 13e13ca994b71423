import type { Alert } from './alert.ts'

/** What may befall any pod, a cluster's or the operator's. */
export const podAlerts = {
  TrueNowPodDown: {
    severity: 'warning',
    forSeconds: 300,
    expression: ({ series, by }) => `min ${by('job', 'pod')} (${series('up')}) == 0`,
    summary: 'Pod {{ $labels.pod }} cannot be scraped',
    description: 'Prometheus gets no answer from {{ $labels.job }} pod {{ $labels.pod }}.',
  },
  TrueNowPodRestarting: {
    severity: 'warning',
    forSeconds: 0,
    expression: ({ series, by }) =>
      `max ${by('job', 'pod')} (changes(${series('process_start_time_seconds')}[30m])) > 2`,
    summary: 'Pod {{ $labels.pod }} restarts again and again',
    description:
      'The process of {{ $labels.job }} pod {{ $labels.pod }} has started anew {{ $value | humanize }} times within 30 minutes.',
  },
} as const satisfies Record<string, Alert>
