import { KubernetesError } from './kubernetes/kubernetes-port.ts'
import type { Outcome, Step } from './step.ts'

/** A namespace on its way out takes no new objects, and neither a warning nor a longer and longer backoff is due for that. */
const TERMINATING_SECONDS = 5

/**
 * One pass over the ordered steps of a kind: the order is the policy. What a step throws ends the pass as `failed`.
 * Errors: KubernetesError with reason Conflict, since then our copy of the object was old and the pass says nothing.
 */
export async function runSteps<Kind, Facts extends object>(
  object: Kind,
  steps: ReadonlyArray<Step<Kind, Facts>>,
  none: Facts,
): Promise<Outcome<Facts>> {
  let facts = none
  for (const { name, condition, run } of steps) {
    const at = { step: name, condition }
    try {
      const result = await run(object, facts)
      if (result.kind === 'invalid') {
        const { kind, reason, message } = result
        return { facts, stopped: { ...at, kind, reason, message } }
      }
      facts = { ...facts, ...result.facts }
      if (result.kind === 'wait') {
        const { kind, reason, message, seconds } = result
        const where = { step: name, condition: result.condition ?? condition }
        return { facts, stopped: { ...where, kind, reason, message, seconds } }
      }
    } catch (error) {
      if (error instanceof KubernetesError && error.reason === 'Conflict') throw error
      const message = `${name}: ${error instanceof Error ? error.message : String(error)}`
      if (isTerminating(error)) {
        const seconds = TERMINATING_SECONDS
        return { facts, stopped: { ...at, kind: 'wait', reason: 'NamespaceTerminating', message, seconds } }
      }
      return { facts, stopped: { ...at, kind: 'failed', reason: 'StepFailed', message, error } }
    }
  }
  return { facts }
}

/** The API server has no reason of its own for it. */
const isTerminating = (error: unknown): boolean =>
  error instanceof KubernetesError && error.status === 403 && error.message.includes('being terminated')
