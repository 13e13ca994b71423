import type { Alert, Thresholds } from './alert.ts'
import type { Selection } from './selection.ts'

export type RuleOptions = Readonly<{
  selection: Selection
  thresholds: Thresholds
  /** How long alerts wait before they fire, in percent of their own time. */
  delayPercent: number
  /** Where docs/runbooks can be read, without a slash at the end. */
  runbooksUrl: string
}>
export type RuleGroup = Readonly<{
  name: string
  rules: ReadonlyArray<
    Readonly<{
      alert: string
      expr: string
      for: string
      labels: Readonly<Record<string, string>>
      annotations: Readonly<Record<string, string>>
    }>
  >
}>

/** The `groups` of a PrometheusRule, one a severity, critical first. Pure. */
export function ruleGroups(
  alerts: Readonly<Record<string, Alert>>,
  { selection, thresholds, delayPercent, runbooksUrl }: RuleOptions,
): RuleGroup[] {
  return (['critical', 'warning'] as const).map((severity) => ({
    name: `truenow-${severity}`,
    rules: Object.entries(alerts)
      .filter(([, alert]) => alert.severity === severity)
      .map(([name, alert]) => ({
        alert: name,
        expr: alert.expression(selection, thresholds),
        for: `${Math.round((alert.forSeconds * delayPercent) / 100)}s`,
        labels: { severity },
        annotations: {
          summary: alert.summary,
          description: alert.description,
          runbook_url: `${runbooksUrl}/${name}.md`,
        },
      })),
  }))
}
