import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commitMove, loseVolume, type PlacedSlot, retireShard, type SlotMove } from './move-protocol.ts'

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

const retirements: ReadonlyArray<[what: string, move: SlotMove, shard: number, phase: string]> = [
  ['ends the draining of its copy', { ...move, phase: 'Draining', from: 7 }, 7, 'Done'],
  ['cancels what was to come to it', { ...move, phase: 'Planned', to: 7 }, 7, 'Cancelled'],
  ['leaves other moves alone', { ...move, phase: 'Draining', from: 6 }, 7, 'Draining'],
]
for (const [what, given, shard, phase] of retirements)
  test(`retireShard: ${what}`, () => {
    const retired = retireShard(slotWith('serving'), given, shard)
    assert.ok(retired.kind === 'retired')
    assert.equal(retired.move?.phase, phase)
  })

test('retireShard: not while the catalog places anything on it', () => {
  assert.equal(retireShard(slotWith('joining'), undefined, 1).kind, 'waits')
})
