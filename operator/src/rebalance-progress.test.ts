import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { type Move, MovePhase, MoveSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { SHOWN_MOVES_MAX } from './api/v1alpha1/rebalance.ts'
import { rebalanceProgress } from './rebalance-progress.ts'

const NOW_US = 1_000_000_000
const move = (phase: MovePhase, more: Partial<Pick<Move, 'bytesCopied' | 'startedAtUs' | 'slot'>> = {}) =>
  create(MoveSchema, {
    table: { namespace: 'production', name: 'events' },
    phase,
    bytes: 1_000n,
    message: 'why',
    ...more,
  })

const { PLANNED, BOOTSTRAPPING, DRAINING, DONE, CANCELLED, FAILED } = MovePhase
const cases: ReadonlyArray<[phases: readonly MovePhase[], state: string, says: RegExp]> = [
  [[PLANNED, DONE], 'Rebalancing', /1 of 2 moves are over; annotate with truenow.io\/stop=true/],
  [[DRAINING, CANCELLED], 'Rebalancing', /1 of 2/],
  [[DONE, DONE], 'Ready', /All 2 moves were made/],
  [[DONE, CANCELLED], 'Stopped', /1 moves were made and 1 undone; annotate with truenow.io\/refresh=true/],
  [[CANCELLED, FAILED], 'NotReady', /1 of 2 moves failed, the first: why; annotate/],
]
for (const [phases, state, says] of cases) {
  test(`rebalanceProgress: ${phases.join(', ')} is ${state}`, () => {
    const told = rebalanceProgress(
      phases.map((phase) => move(phase)),
      NOW_US,
    )
    assert.equal(told.state, state)
    assert.match(told.message, says)
  })
}

test('rebalanceProgress: rate and time left from the first start on, rounded; none while nothing is known', () => {
  const { progress } = rebalanceProgress([move(PLANNED), move(PLANNED)], NOW_US)
  assert.deepEqual(progress, { movesEnded: 0, bytesMoved: 0, bytesPerSecond: 0 })
  const startedAtUs = BigInt(NOW_US - 9_000_000)
  const copying = [move(BOOTSTRAPPING, { startedAtUs, bytesCopied: 600n }), move(PLANNED)]
  assert.deepEqual(rebalanceProgress(copying, NOW_US).progress, {
    movesEnded: 0,
    bytesMoved: 600,
    bytesPerSecond: 67,
    etaSeconds: 30,
  })
})

test('rebalanceProgress: what is open is shown before what is over, and never too much', () => {
  const moves = Array.from({ length: SHOWN_MOVES_MAX + 9 }, (_, slot) => move(DONE, { slot }))
  const told = rebalanceProgress([...moves, move(BOOTSTRAPPING, { slot: 99 })], NOW_US)
  assert.equal(told.moves.length, SHOWN_MOVES_MAX)
  assert.deepEqual([told.moves[0]?.slot, told.moves[0]?.phase], [99, 'Bootstrapping'])
  assert.equal(told.moveCount, SHOWN_MOVES_MAX + 10)
})
