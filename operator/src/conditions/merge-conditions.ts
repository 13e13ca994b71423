import type { Condition } from '../api/condition.ts'
import type { Judgement } from './judgement.ts'

/** The new conditions: a transition time is new only where the status changed. `now` is RFC 3339. Pure. */
export function mergeConditions(
  before: readonly Condition[],
  judged: readonly Judgement[],
  observedGeneration: number,
  now: string,
): Condition[] {
  return judged.map((judgement) => {
    const old = before.find(({ type }) => type === judgement.type)
    const lastTransitionTime = old?.status === judgement.status ? old.lastTransitionTime : now
    return { ...judgement, observedGeneration, lastTransitionTime }
  })
}

/** Conditions of which another reason is news too: a slot that a move helps becomes one that none helps. */
const REASON_IS_NEWS = ['SlotsWithinLimits']

/** The conditions whose status differs from before, for one Event each; a first True of a healthy object is one too. */
export function transitions(before: readonly Condition[], after: readonly Condition[]): Condition[] {
  return after.filter(({ type, status, reason }) => {
    const old = before.find((one) => one.type === type)
    return old?.status !== status || (REASON_IS_NEWS.includes(type) && old.reason !== reason)
  })
}
