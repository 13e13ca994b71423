/**
 * What a step of the loop may answer. A step is idempotent: it may run again at any time. A throw is not an answer: the
 * work queue retries it with backoff.
 *
 *   done      go on with the next step
 *   wait      not an error: something is still moving, or cannot be reached; looked at again after `seconds`
 *   invalid   only the user can mend the spec: no retry until the object changes
 */
export type StepResult<Facts> =
  | Readonly<{ kind: 'done'; facts?: Partial<Facts> }>
  | Readonly<{
      kind: 'wait'
      seconds: number
      reason: string
      message: string
      facts?: Partial<Facts>
      /** Where it is another condition than the step's that is False. */
      condition?: string
    }>
  | Readonly<{ kind: 'invalid'; reason: string; message: string }>

export type Step<Kind, Facts> = Readonly<{
  name: string
  /** The condition that is False while this step has not been done. */
  condition: string
  run: (object: Kind, facts: Facts) => Promise<StepResult<Facts>>
}>

/** How a pass ended: at which step, and what all steps up to it found out. */
export type Outcome<Facts> = Readonly<{
  facts: Facts
  stopped?: Readonly<{
    step: string
    condition: string
    kind: 'wait' | 'invalid' | 'failed'
    reason: string
    message: string
    seconds?: number
    /** What a step threw; told in status first, then thrown again so that the queue backs off. */
    error?: unknown
  }>
}>
