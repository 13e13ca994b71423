import type { ClusterFacts } from '../cluster-facts.ts'
import type { StepResult } from '../step.ts'

/** What a look at the certificates of a cluster found, and until when that may be believed. In memory: whoever leads next looks again. */
export type LookedAtCertificates = Readonly<{
  /** Generation of the spec and what was asked for then. */
  asked: string
  result: StepResult<ClusterFacts>
  /** By the monotonic clock, ms. */
  untilMs: number
}>
