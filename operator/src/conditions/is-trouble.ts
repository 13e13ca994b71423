import type { Condition } from '../api/condition.ts'
import { NOTHING_REASON } from './judgement.ts'

/** Conditions whose True is bad news. */
const TROUBLE_WHEN_TRUE = ['UpgradeBlocked']
/** Conditions about work, of which there may be some or none; False is bad news only where the work is refused. */
const ABOUT_WORK = ['ScalingDown', 'Draining', 'Rebalancing']

/** Whether a condition says that something is not as it should be. Unknown is none for an Event, and is for a person who asks. Pure. */
export function isTrouble({ type, status, reason }: Pick<Condition, 'type' | 'status' | 'reason'>): boolean {
  if (ABOUT_WORK.includes(type)) return status === 'False' && reason !== NOTHING_REASON
  return (status === 'True') === TROUBLE_WHEN_TRUE.includes(type)
}
