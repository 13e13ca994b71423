import type { Selection } from './selection.ts'

/** What a spec may set; the defaults are those of `spec.monitoring`. */
export type Thresholds = Readonly<{
  /** Seconds that complete answers may be behind. */
  freshnessSecondsMax: number
  /** Share of what one slot may take, from which on it is hot. */
  slotHeatMax: number
}>

/** One alert. Its name is its key in the table it stands in, and the name of its page in docs/runbooks. */
export type Alert = Readonly<{
  /** critical: users are hurt now. warning: they will be, or what protects them is gone. */
  severity: 'critical' | 'warning'
  /** How long the expression must hold, in seconds; shorter ones would tell of what heals by itself. */
  forSeconds: number
  expression: (selection: Selection, thresholds: Thresholds) => string
  /** Both are Prometheus templates: `$labels`, `$value`. */
  summary: string
  description: string
}>
