import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commitMove, loseVolume, type PlacedSlot, type SlotMove } from './move-protocol.ts'

const proof = { incarnation: 2, processId: 'p' }
const move: SlotMove = { from: 0, to: 1, phase: 'CaughtUp', sinceRevision: 1, fromIncarnation: 0, proof }
const nextEpoch = () => 9
const slotWith = (from: 'serving' | 'joining'): PlacedSlot => ({
  epoch: 8,
  replicas: [
    { shard: 0, incarnation: 1, state: from },
    { shard: 1, incarnation: 2, state: 'joining' },
  ],
})

/** Found by the model: whoever had lost its rows before it left must not be called back to serve. */
for (const [before, after] of [
  ['serving', 'serving'],
  ['joining', 'joining'],
] as const) {
  test(`loseVolume: the new holder is lost, and the old one, which was ${before}, is ${after} again`, () => {
    const committed = commitMove(slotWith(before), move, proof, nextEpoch)
    assert.ok(committed.kind === 'stepped')
    const lost = { shard: 1, incarnation: 3, revision: 5 }
    const { slot, move: back } = loseVolume(committed.slot, committed.move, lost, nextEpoch)
    assert.deepEqual(
      slot.replicas.map(({ shard, state }) => [shard, state]),
      [
        [0, after],
        [1, 'joining'],
      ],
    )
    assert.equal(back?.phase, 'Bootstrapping')
  })
}
