import type { Alert } from './alert.ts'
import { podAlerts } from './pod-alerts.ts'

/** A watch hears a bookmark at least as often as its longest time-out, 480 s; at three times that the process ends itself. */
const SILENT_SECONDS_MAX = 900

/** Every alert about the operator itself; the chart brings them. Users feel none of these at once. */
export const operatorAlerts = {
  TrueNowOperatorNoLeader: {
    severity: 'warning',
    forSeconds: 120,
    expression: ({ series, by }) => {
      const leading = series('truenow_operator_leading')
      return `sum ${by()} (${leading}) < 1 or absent(${leading})`
    },
    summary: 'No operator leads',
    description: 'No pod of the operator holds the Lease: nothing is repaired, changed or created.',
  },
  TrueNowOperatorPassesFailing: {
    severity: 'warning',
    // Longer than the window, which is longer than the longest backoff: one failure alone never fires.
    forSeconds: 1_500,
    expression: ({ series, by }) =>
      `sum ${by('kind')} (increase(${series('truenow_operator_passes_total', 'outcome="failed"')}[20m])) > 0`,
    summary: 'The operator fails on a {{ $labels.kind }}',
    description:
      'Passes over objects of kind {{ $labels.kind }} failed {{ $value | humanize }} times within 20 minutes, and go on failing.',
  },
  TrueNowOperatorWatchSilent: {
    severity: 'warning',
    forSeconds: 0,
    expression: ({ series, by }) =>
      `max ${by('kind')} (${series('truenow_operator_reflector_age_seconds')}) > ${SILENT_SECONDS_MAX}`,
    summary: 'The operator hears nothing of {{ $labels.kind }} objects',
    description:
      'The watch of {{ $labels.kind }} has told nothing for {{ $value | humanizeDuration }}, not even that nothing changed.',
  },
  ...podAlerts,
} as const satisfies Record<string, Alert>
