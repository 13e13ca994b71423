import assert from 'node:assert/strict'
import { test } from 'node:test'
import { proveDedup } from './prove-dedup.ts'

const SEED = Number(process.env.SEED ?? 20_260_101)

test(`a shard killed three times in the midst of its runs of ids loses and doubles nothing (SEED=${SEED}; at length: make prove-dedup)`, async () => {
  const limits = { recentIdsMin: 4_096, recentIdsMax: 16_384, runsMax: 4 }
  const proof = await proveDedup({ blocks: 40, snapshotBlocks: 3, seed: SEED, limits, kills: 3 })
  const { lost, doubled, ended, expected, starts } = proof
  assert.deepEqual([lost, doubled], [0, 0])
  assert.deepEqual([ended.applied, ended.deduplicated, ended.held], [expected.applied, expected.deduplicated, expected.applied]) // biome-ignore format: one line
  assert.deepEqual(starts.map(({ refused }) => refused), [0, 0, 0, 0]) // biome-ignore format: one line
  assert.ok(starts.slice(1).every(({ block }) => block > 0), 'every start but the first goes on from a snapshot') // biome-ignore format: one line
  assert.ok(ended.runs > 0 && ended.runs <= 5, `${ended.runs} runs`)
})
