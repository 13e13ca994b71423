import type { Outcome } from './step.ts'

/** While something is still moving. */
const MOVING_MS = 1_000

/**
 * When to look again: soon while things move, after `restMs` when all is well, never where only a change of the spec can
 * help. Errors: what a step threw, so that the work queue backs off.
 */
export function requeueAfter(
  { stopped }: Outcome<object>,
  ready: boolean,
  restMs: number,
): { afterMs: number } | undefined {
  if (stopped?.kind === 'failed') throw stopped.error
  if (stopped?.kind === 'invalid') return undefined
  if (stopped?.seconds !== undefined) return { afterMs: stopped.seconds * 1_000 }
  return { afterMs: ready ? restMs : MOVING_MS }
}
