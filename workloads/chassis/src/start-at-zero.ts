import type { Counter } from 'prom-client'

/**
 * A counter that tells every value of its one label from the start. One that appears with its first event has not
 * increased, as PromQL sees it, so an alert on what happens once would never fire.
 */
export function startAtZero<Label extends string>(
  counter: Counter<Label>,
  label: Label,
  values: readonly string[],
): Counter<Label> {
  for (const value of values) counter.inc({ [label]: value } as Partial<Record<Label, string>>, 0)
  return counter
}
