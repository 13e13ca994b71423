import type { ClusterFacts } from '../cluster-facts.ts'
import type { Outcome } from '../step.ts'
import type { RoleState } from '../workloads.ts'
import type { Judgement } from './judgement.ts'
import { stoppedCondition } from './stopped-condition.ts'

/** Does Kubernetes hold what the spec says: every object applied, every pod of its newest template. Pure. */
export function clusterSynced(outcome: Outcome<ClusterFacts>, roles: readonly RoleState[]): Judgement {
  const type = 'Synced'
  if (outcome.facts.paused === true) {
    const message = 'spec.paused is true: nothing is changed until it is false.'
    return { type, status: 'Unknown', reason: 'Paused', message }
  }
  const good = { reason: 'AsSpecified', message: 'Every object is as the spec says.' }
  const judged = stoppedCondition(type, outcome, good)
  if (judged.status !== 'True') return judged
  const { unseen = [] } = outcome.facts
  if (unseen.length > 0)
    return { type, status: 'False', reason: 'Applying', message: `Just applied: ${unseen.join(', ')}.` }
  const rolling = roles.filter(({ desired, updated }) => updated < desired)
  const { waiting } = outcome.facts
  if (rolling.length === 0 && waiting === undefined) return judged
  const what = rolling.map(({ role, updated, desired }) => `${role} ${updated}/${desired}`).join(', ')
  const said = what === '' ? [] : [`Pods of the newest template: ${what}.`]
  const next =
    waiting === undefined ? [] : [`The new image waits for ${waiting.behind}: ${waiting.roles.join(', ')}.`]
  return { type, status: 'False', reason: 'RollingOut', message: [...said, ...next].join(' ') }
}
