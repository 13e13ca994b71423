import type { Outcome } from '../step.ts'
import type { Judgement } from './judgement.ts'

/** The order in which the steps of a pass meet these conditions. */
const ORDER = ['SpecValid', 'Synced', 'OperandReachable'] as const

/**
 * A condition that a step stands for: False where the pass stopped at it, Unknown where the step failed or the pass stopped
 * before it was reached, True where the pass went past it. Pure.
 */
export function stoppedCondition(
  type: (typeof ORDER)[number],
  { stopped }: Outcome<object>,
  good: Readonly<{ reason: string; message: string }>,
): Judgement {
  if (stopped === undefined) return { type, status: 'True', ...good }
  if (stopped.condition === type) {
    // An API server that answers 500 says nothing about the spec.
    const status = stopped.kind === 'failed' ? 'Unknown' : 'False'
    return { type, status, reason: stopped.reason, message: stopped.message }
  }
  const reached = ORDER.indexOf(stopped.condition as (typeof ORDER)[number])
  if (reached < 0 || reached > ORDER.indexOf(type)) return { type, status: 'True', ...good }
  const message = `Not judged: ${stopped.condition} comes first (${stopped.reason}).`
  return { type, status: 'Unknown', reason: 'NotReached', message }
}
