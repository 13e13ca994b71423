import type { HotSlot } from './hot-slots.ts'

/** What a pass over a table found out, step by step. */
export type TableFacts = Readonly<{
  topic?: string
  version?: number
  slotsReady?: number
  /** How the topic differs from what it must be; empty = it does not. */
  drift?: readonly string[]
  /** µs that answers are behind; absent means unknown. */
  freshnessUs?: number
  /** Slots of this table that are hot; absent means unknown. */
  hotSlots?: readonly HotSlot[]
  /** The cluster is paused or held by another operator: nothing is written outside. */
  resting?: true
  /** The object's version after a write of this very pass. */
  objectVersion?: string
}>
