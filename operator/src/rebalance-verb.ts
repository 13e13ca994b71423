import { APPROVE_ANNOTATION, REFRESH_ANNOTATION, STOP_ANNOTATION } from './api/names.ts'
import type { Rebalance, RebalanceState } from './api/v1alpha1/rebalance.ts'

export type RebalanceVerb = 'approve' | 'stop' | 'refresh'

/** By which annotation each is asked for. Of several at once the first here counts: to stop is always safe. */
const ANNOTATIONS: ReadonlyArray<readonly [verb: RebalanceVerb, annotation: string]> = [
  ['stop', STOP_ANNOTATION],
  ['refresh', REFRESH_ANNOTATION],
  ['approve', APPROVE_ANNOTATION],
]

/** In which states a verb means something; elsewhere it is taken off again, with an Event. */
const ALLOWED: Readonly<Record<RebalanceVerb, readonly RebalanceState[]>> = {
  approve: ['ProposalReady'],
  stop: ['Rebalancing'],
  refresh: ['ProposalReady', 'Ready', 'Stopped', 'NotReady'],
}

/** In which states it has been obeyed, and was merely not taken off any more. */
const OBEYED: Readonly<Partial<Record<RebalanceVerb, RebalanceState>>> = {
  approve: 'Rebalancing',
  stop: 'Stopped',
}

/** What a person asks of a Rebalance by annotation. Pure. */
export function askedVerb({ metadata }: Rebalance): RebalanceVerb | undefined {
  const { annotations = {} } = metadata
  return ANNOTATIONS.find(([, annotation]) => annotations[annotation] !== undefined)?.[0]
}

/** Undefined: it may be done in this state; else why not, for people. Pure. */
export function whyNotNow(verb: RebalanceVerb, state: RebalanceState): string | undefined {
  if (ALLOWED[verb].includes(state) || OBEYED[verb] === state) return undefined
  return `${verb} means nothing while the Rebalance is ${state}; it may be asked for in ${ALLOWED[verb].join(', ')}.`
}

/** By which annotation the verb is asked for. */
export const annotationOf = (verb: RebalanceVerb): string =>
  ANNOTATIONS.find(([one]) => one === verb)?.[1] ?? ''

/** Annotations of a merge patch that takes this verb off, and nothing that was asked for since. */
export const withoutVerb = (verb: RebalanceVerb): Readonly<Record<string, null>> =>
  Object.fromEntries(ANNOTATIONS.flatMap(([one, annotation]) => (one === verb ? [[annotation, null]] : [])))
