import type { Clock } from '@truenow/chassis/clock.ts'
import type { ObjectMeta } from './api/object-meta.ts'

/** For so long a deletion waits for a control plane that does not answer; then the object is let go. */
export const UNREACHABLE_MS_MAX = 60_000

/** Has this object been waiting to go for longer than UNREACHABLE_MS_MAX. */
export function overdue({ deletionTimestamp }: ObjectMeta, clock: Clock): boolean {
  if (deletionTimestamp === undefined) return false
  return clock.nowUs() / 1_000 - Date.parse(deletionTimestamp) > UNREACHABLE_MS_MAX
}
