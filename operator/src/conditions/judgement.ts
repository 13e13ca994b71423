/** Reason of a condition about work of which there is none. */
export const NOTHING_REASON = 'NothingToDo'

/** What a condition's function answers; `mergeConditions` adds generation and time. */
export type Judgement = Readonly<{
  type: string
  status: 'True' | 'False' | 'Unknown'
  reason: string
  /** What is going on and, where something is wrong, what to do next. */
  message: string
}>
