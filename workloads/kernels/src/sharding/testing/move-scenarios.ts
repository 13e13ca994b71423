import { type MoveGuards, NOBODY } from '../move-protocol.ts'
import type { MoveScenario } from './move-model.ts'

/** Small clusters in which everything that two moves of a slot can do to each other happens. */
export const MOVE_SCENARIOS: readonly MoveScenario[] = [
  {
    name: 'two leaders',
    shards: 2,
    replicationFactor: 1,
    moves: [[0, 1]],
    faults: 0,
    reports: 1,
    leaders: 2,
  },
  { name: 'a fault', shards: 2, replicationFactor: 1, moves: [[0, 1]], faults: 1, reports: 1, leaders: 1 },
  { name: 'cancelled, then again', shards: 2, replicationFactor: 1, moves: [[0, 1], [0, 1]], faults: 0, reports: 1, leaders: 1 }, // biome-ignore format: one line
  { name: 'there and back', shards: 2, replicationFactor: 1, moves: [[0, 1], [1, 0]], faults: 0, reports: 2, leaders: 1 }, // biome-ignore format: one line
  { name: 'one replica, two targets', shards: 3, replicationFactor: 1, moves: [[0, 2], [0, 1]], faults: 0, reports: 1, leaders: 1 }, // biome-ignore format: one line
  { name: 'two replicas, one target', shards: 3, replicationFactor: 2, moves: [[0, 2], [1, 2]], faults: 0, reports: 1, leaders: 1 }, // biome-ignore format: one line
  { name: 'one replica more', shards: 2, replicationFactor: 1, moves: [[NOBODY, 1]], faults: 1, reports: 1, leaders: 1 }, // biome-ignore format: one line
  { name: 'one replica fewer', shards: 2, replicationFactor: 2, moves: [[1, NOBODY]], faults: 1, reports: 1, leaders: 1 }, // biome-ignore format: one line
  { name: 'one more, then the other fewer', shards: 2, replicationFactor: 1, moves: [[NOBODY, 1], [0, NOBODY]], faults: 0, reports: 1, leaders: 1 }, // biome-ignore format: one line
  { name: 'a shard lost for good', shards: 2, replicationFactor: 1, moves: [[0, 1]], again: true, lost: 0, faults: 1, reports: 1, leaders: 1 }, // biome-ignore format: one line
  { name: 'a shard removed', shards: 2, replicationFactor: 1, moves: [[0, 1], [1, 0]], removed: 1, faults: 0, reports: 1, leaders: 1 }, // biome-ignore format: one line
]

/** The same with an old leader beside the new one and more of everything, for `make prove-moves`. */
export const LONG_SCENARIOS: readonly MoveScenario[] = [
  { name: 'there and back', shards: 2, replicationFactor: 1, moves: [[0, 1], [1, 0]], faults: 1, reports: 2, leaders: 2 }, // biome-ignore format: one line
  { name: 'cancelled, then again', shards: 2, replicationFactor: 1, moves: [[0, 1], [0, 1]], faults: 1, reports: 1, leaders: 2 }, // biome-ignore format: one line
  { name: 'one replica and two faults', shards: 2, replicationFactor: 1, moves: [[0, 1]], faults: 2, reports: 2, leaders: 2 }, // biome-ignore format: one line
  { name: 'one replica, two targets', shards: 3, replicationFactor: 1, moves: [[0, 2], [0, 1]], faults: 0, reports: 2, leaders: 2 }, // biome-ignore format: one line
  { name: 'two replicas, one target', shards: 3, replicationFactor: 2, moves: [[0, 2], [1, 2]], faults: 0, reports: 1, leaders: 2 }, // biome-ignore format: one line
  { name: 'two replicas and a fault', shards: 3, replicationFactor: 2, moves: [[0, 2]], faults: 1, reports: 1, leaders: 2 }, // biome-ignore format: one line
  { name: 'two replicas and two faults', shards: 3, replicationFactor: 2, moves: [[0, 2]], faults: 2, reports: 1, leaders: 1 }, // biome-ignore format: one line
  { name: 'one more, then the other fewer', shards: 2, replicationFactor: 1, moves: [[NOBODY, 1], [0, NOBODY]], faults: 1, reports: 2, leaders: 2 }, // biome-ignore format: one line
  { name: 'from two replicas to three and back', shards: 3, replicationFactor: 2, moves: [[NOBODY, 2], [0, NOBODY]], faults: 1, reports: 1, leaders: 1 }, // biome-ignore format: one line
  { name: 'a shard lost for good', shards: 3, replicationFactor: 2, moves: [[1, 2]], again: true, lost: 1, faults: 1, reports: 1, leaders: 1 }, // biome-ignore format: one line
  { name: 'a shard removed', shards: 2, replicationFactor: 1, moves: [[0, 1], [1, 0]], removed: 1, faults: 1, reports: 2, leaders: 1 }, // biome-ignore format: one line
]

/** In which of them it shows that a guard is missing. */
export const SHOWS_WITHOUT: Readonly<Record<keyof MoveGuards, string>> = {
  leaderIsNewest: 'two leaders',
  termIsGreater: 'two leaders',
  slotHasNoOpenMove: 'one replica, two targets',
  fromHolds: 'one replica, two targets',
  toHoldsNone: 'two replicas, one target',
  reporterIsNewest: 'a fault',
  saysCaughtUp: 'a fault',
  reportIsSinceStart: 'cancelled, then again',
  proofStands: 'a fault',
  isBeforeServing: 'two leaders',
  reportIsSinceDrain: 'there and back',
  saysGone: 'two leaders',
  isNotMoved: 'two leaders',
  othersServe: 'one replica fewer',
  catalogHoldsNone: 'a shard lost for good',
  saysEmpty: 'a shard removed',
  reportIsOfThisMap: 'a shard removed',
}

/** A guard that always holds, under its own name: what the protocol is without it. */
export const withoutGuard = (guards: MoveGuards, name: keyof MoveGuards): MoveGuards => ({
  ...guards,
  [name]: () => undefined,
})
