import type { Outcome } from '../step.ts'
import type { TableFacts } from '../table-facts.ts'
import type { Judgement } from './judgement.ts'
import { stoppedCondition } from './stopped-condition.ts'

/** Every condition of a Table, from one pass. `slots` is how many it has. Pure. */
export function tableConditions(outcome: Outcome<TableFacts>, slots: number): Judgement[] {
  const valid = stoppedCondition('SpecValid', outcome, { reason: 'Valid', message: 'The spec is legal.' })
  const synced = tableSynced(outcome)
  return [tableReady([valid, synced], outcome.facts, slots), valid, synced]
}

function tableSynced(outcome: Outcome<TableFacts>): Judgement {
  const type = 'Synced'
  const { drift = [], resting } = outcome.facts
  if (outcome.stopped === undefined && resting === true) {
    return {
      type,
      status: 'Unknown',
      reason: 'Paused',
      message: 'The cluster is paused: nothing is changed.',
    }
  }
  if (outcome.stopped === undefined && drift.length > 0) {
    const message = `The topic differs from what it must be: ${drift.join('; ')}. Set it back; the operator never changes a topic that is there.`
    return { type, status: 'False', reason: 'TopicDrift', message }
  }
  const good = { reason: 'AsSpecified', message: 'Catalog and topic are as the spec says.' }
  return stoppedCondition(type, outcome, good)
}

function tableReady(others: readonly Judgement[], facts: TableFacts, slots: number): Judgement {
  const type = 'Ready'
  const failed = others.find(({ status }) => status !== 'True')
  if (failed !== undefined) return { type, status: 'False', reason: failed.reason, message: failed.message }
  const { slotsReady = 0 } = facts
  if (slotsReady < slots) {
    const message = `${slotsReady} of ${slots} slots are served in full; the others catch up, see the shards.`
    return { type, status: 'False', reason: 'SlotsNotReady', message }
  }
  return { type, status: 'True', reason: 'AllServing', message: `All ${slots} slots are served in full.` }
}
