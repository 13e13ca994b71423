import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { INGEST_PART, LONGEST_WAITING_EVERY, OWED_MS_MAX, SHORT_ROWS_MAX, TurnOrder } from './turn-order.ts'

const NARROW = 1_000
const FULL = 10_000_000
const rows = fc.oneof(fc.integer({ min: 0, max: SHORT_ROWS_MAX }), fc.integer({ min: 0, max: FULL }))

/** What comes before a turn, and what that turn takes, whosever it is. */
const step = fc.record({
  comes: fc.array(rows, { maxLength: 2 }),
  goesOn: fc.boolean(),
  blockMs: fc.double({ min: 0.05, max: 10, noNaN: true }),
  sliceMs: fc.double({ min: 0.05, max: 20, noNaN: true }),
})
const steps = fc.array(step, { minLength: 50, maxLength: 300 })

/** Turns in which blocks always wait; a read that goes on waits again, behind the others. */
function play(all: ReadonlyArray<typeof step extends fc.Arbitrary<infer Step> ? Step : never>) {
  const order = new TurnOrder()
  const waiting: Array<{ rows: number; ahead: number; sinceTurn: number }> = []
  const spent = { blocksMs: 0, readsMs: 0 }
  const taken: Array<string | number> = []
  let readTurns = 0
  const wait = (rows: number) => waiting.push({ rows, ahead: waiting.length, sinceTurn: readTurns })
  for (const { comes, goesOn, blockMs, sliceMs } of all) {
    for (const rows of comes) wait(rows)
    const turn = order.next(1, waiting.map(({ rows }) => rows)) // biome-ignore format: one line
    taken.push(turn)
    if (turn === 'blocks') {
      order.blocksTook(blockMs, true)
      spent.blocksMs += blockMs
      continue
    }
    const [read] = waiting.splice(turn, 1)
    assert.ok(read !== undefined, `no read at ${turn}`)
    order.readHasTurn(read.rows, turn)
    readTurns += 1
    const waited = readTurns - read.sinceTurn
    const most = LONGEST_WAITING_EVERY * (1 + read.ahead)
    assert.ok(waited <= most, `${waited} turns of reads behind ${read.ahead} others`)
    order.readTook(sliceMs)
    spent.readsMs += sliceMs
    if (goesOn) wait(read.rows)
  }
  for (const { ahead, sinceTurn } of waiting)
    assert.ok(readTurns - sinceTurn < LONGEST_WAITING_EVERY * (1 + ahead), 'a read waits for ever')
  return { spent, taken }
}

test('TurnOrder: blocks that wait get their part and no read starves, whatever comes and however long it takes', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const { blocksMs, readsMs } = play(all).spent
      const owedMs = INGEST_PART * (blocksMs + readsMs) - blocksMs
      assert.ok(owedMs <= OWED_MS_MAX, `blocks got ${blocksMs} ms, reads ${readsMs} ms`)
    }),
  )
})

test('TurnOrder: the same queue has the same order', () => {
  fc.assert(fc.property(steps, (all) => assert.equal(play(all).taken.join(), play(all).taken.join())))
})

test('TurnOrder: long reads and blocks take turns', () => {
  const order = new TurnOrder()
  const taken = Array.from({ length: 6 }, () => {
    const turn = order.next(3, [FULL, FULL])
    if (turn === 'blocks') order.blocksTook(2, true)
    else {
      order.readHasTurn(FULL, turn)
      order.readTook(2)
    }
    return turn
  })
  assert.deepEqual(taken, ['blocks', 0, 'blocks', 0, 'blocks', 0])
})

const cases: ReadonlyArray<[name: string, blocks: number, reads: number[], expected: 'blocks' | number]> = [
  ['nobody reads', 1, [], 'blocks'],
  ['a full scan waits for the blocks', 1, [FULL], 'blocks'],
  ['no block waits', 0, [FULL], 0],
  ['a narrow read goes before blocks and a full scan', 1, [FULL, NARROW], 1],
  ['as many rows as a short read may have', 1, [SHORT_ROWS_MAX], 0],
  ['one row too many', 1, [SHORT_ROWS_MAX + 1], 'blocks'],
  ['of equals the longest waiting', 1, [FULL, NARROW, NARROW], 1],
]
for (const [name, blocks, reads, expected] of cases) {
  test(`TurnOrder: ${name}`, () => assert.equal(new TurnOrder().next(blocks, reads), expected))
}

test('TurnOrder: a narrow read leaves a long one its turn after blocks', () => {
  const order = new TurnOrder()
  assert.equal(order.next(1, [FULL]), 'blocks')
  order.blocksTook(2, true)
  assert.equal(order.next(1, [FULL, NARROW]), 1)
  order.readHasTurn(NARROW, 1)
  order.readTook(1)
  assert.equal(order.next(1, [FULL]), 0)
})

test('TurnOrder: a narrow read goes first however often a full scan had its turn, and three in a row do', () => {
  const order = new TurnOrder()
  for (let slices = 0; slices < 9; slices++) {
    assert.equal(order.next(0, [FULL, NARROW]), 1, `after ${slices} slices of the full scan`)
    order.readHasTurn(FULL, 0)
  }
  for (const expected of [1, 1, 1, 0, 1]) {
    assert.equal(order.next(0, [FULL, NARROW]), expected)
    order.readHasTurn(expected === 0 ? FULL : NARROW, expected)
  }
})

test('TurnOrder: narrow reads without end leave blocks their part, and now and then a full scan its slice', () => {
  const order = new TurnOrder()
  const spent = { blocks: 0, full: 0, narrow: 0 }
  for (let turn = 0; turn < 1_000; turn++) {
    const next = order.next(8, [FULL, NARROW, NARROW])
    if (next === 'blocks') order.blocksTook(2, true)
    else {
      order.readHasTurn(next === 0 ? FULL : NARROW, next)
      order.readTook(2)
    }
    spent[next === 'blocks' ? 'blocks' : next === 0 ? 'full' : 'narrow'] += 2
  }
  assert.ok(spent.blocks >= 0.29 * 2_000 && spent.blocks <= 0.31 * 2_000, `blocks ${spent.blocks} ms`)
  assert.ok(spent.full >= 0.17 * 2_000, `full scan ${spent.full} ms`)
})
