import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeHyperLogLog, HYPERLOGLOG_SPARSE_MAX } from '@truenow/contracts/wire/hyperloglog-v1.ts'
import fc from 'fast-check'
import { StateBudget } from '../aggregates/state-budget.ts'
import { estimateHyperLogLog, HyperLogLog } from './hyperloglog.ts'
import { ValueHasher } from './value-hasher.ts'

const budget = () => new StateBudget('QUERY_SKETCH_BYTES_MAX', 0, 'ask for less')
function sketchOf(values: Iterable<number>): HyperLogLog {
  const [sketch, hasher] = [new HyperLogLog(budget()), new ValueHasher()]
  for (const value of values) {
    hasher.ofNumber(value)
    sketch.add(hasher.high, hasher.low)
  }
  return sketch
}
const bytesOf = (sketch: HyperLogLog) => encodeHyperLogLog(sketch.state())
const span = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index)

test('hyperloglog: any split merged in any order is the same bytes, repeats and transitions included', () => {
  // Spans that overlap, from empty to well beyond what stays sparse.
  const part = fc.tuple(fc.nat(4_000), fc.oneof(fc.nat(5), fc.nat(4_000)))
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
      const spans = parts.map(([from, count]) => span(from, count))
      const whole = bytesOf(sketchOf(spans.flat()))
      const merged = new HyperLogLog(budget())
      for (const values of spans.toReversed()) merged.merge(sketchOf(values).state())
      assert.deepEqual(bytesOf(merged), whole)
      merged.merge(sketchOf(spans[0]!).state())
      merged.merge(merged.state())
      assert.deepEqual(bytesOf(merged), whole)
    }),
    { numRuns: 60 },
  )
})

test('hyperloglog: dense from the first index that sparse has no room for', () => {
  const sketch = new HyperLogLog(budget())
  for (let index = 1; index <= HYPERLOGLOG_SPARSE_MAX; index++) sketch.add((index << 7) >>> 0, 1)
  assert.equal(sketch.state().form, 'sparse')
  assert.equal(Math.round(estimateHyperLogLog(sketch.state())), HYPERLOGLOG_SPARSE_MAX)
  sketch.add(((HYPERLOGLOG_SPARSE_MAX + 1) << 7) >>> 0, 1)
  assert.equal(sketch.state().form, 'dense')
})

test('hyperloglog: the extremes of a hash have the extreme ranks, whichever form came first', () => {
  for (const [high, low] of [
    [0, 0],
    [0, 1],
    [0x7f, 0],
    [0x3ffff, 0],
    [0xffffffff, 0xffffffff],
  ] as const) {
    const [early, late] = [sketchOf([]), sketchOf(span(0, 5_000))]
    early.add(high, low)
    for (const { state } of [early, late].map((sketch) => ({ state: sketch.state() }))) {
      const other = sketchOf(span(0, 5_000))
      other.merge(state)
      late.add(high, low)
      if (state.form === 'sparse') assert.deepEqual(bytesOf(other), bytesOf(late))
    }
  }
})

test('hyperloglog: nothing is nothing, and every register full is still a number', () => {
  assert.equal(estimateHyperLogLog(sketchOf([]).state()), 0)
  const full = { form: 'dense' as const, registers: new Uint8Array(12_288).fill(255) }
  for (let at = 0; at < 12_288; at += 3) full.registers.set([0xf3, 0x3c, 0xcf], at) // 51 four times
  assert.equal(estimateHyperLogLog(full), Number.POSITIVE_INFINITY)
})

test('value hasher: equal values hash alike, whatever the dictionary and the type of number', () => {
  const [one, two] = [new ValueHasher(), new ValueHasher()]
  const texts = ['ü€😀', '', 'a'.repeat(2_000)]
  const column = (dictionary: readonly string[]) => ({
    type: 'string' as const,
    dictionary,
    codes: Uint32Array.of(0, 1, 2, 0),
  })
  for (const [row, at] of [
    [0, 2],
    [1, 1],
    [2, 0],
    [3, 2],
  ] as const) {
    one.ofRow(column(texts), row)
    two.ofRow(column(texts.toReversed()), at)
    assert.deepEqual([one.high, one.low], [two.high, two.low])
  }
  one.ofNumber(-0)
  two.ofRow({ type: 'int64', values: Float64Array.of(0) }, 0)
  assert.deepEqual([one.high, one.low], [two.high, two.low])
})
