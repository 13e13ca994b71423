import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type HeatStanding, judgeHeat } from './judge-heat.ts'

const LIMITS = { hotAt: 0.7, coolAt: 0.5, hotAfterMs: 60_000 }
const look = (
  before: ReadonlyMap<string, HeatStanding>,
  heat: number | undefined,
  nowMs: number,
  goesOn = true,
) => judgeHeat(before, new Map([['s', heat]]), { nowMs, goesOn }, LIMITS)
/** Whether the slot is hot after each of these looks, ten seconds apart. */
function looks(...heats: ReadonlyArray<number | undefined>): boolean[] {
  let standing: ReadonlyMap<string, HeatStanding> = new Map()
  return heats.map((heat, at) => {
    standing = look(standing, heat, at * 10_000)
    return standing.get('s')?.isHot === true
  })
}
const times = <Value>(count: number, value: Value): Value[] => Array.from({ length: count }, () => value)

const cases: ReadonlyArray<[name: string, heats: ReadonlyArray<number | undefined>, hot: boolean]> = [
  ['not before a minute', times(6, 0.9), false],
  ['after a minute', times(7, 0.9), true],
  ['a minute near the limit, at last on it', [0.7, ...times(5, 0.6), 0.7], true],
  ['a minute near the limit, below it at last', [0.7, ...times(7, 0.6)], false],
  ['never on the limit', times(20, 0.69), false],
  ['cool in between', [...times(6, 0.9), 0.49, 0.9], false],
  ['hot stays hot near the limit', [...times(7, 0.9), ...times(20, 0.5)], true],
  ['hot no more when cool', [...times(7, 0.9), 0.49], false],
  ['hot stays hot while nobody reports', [...times(7, 0.9), ...times(20, undefined)], true],
  ['nobody reports: not hot by that', [...times(6, 0.9), ...times(5, undefined)], false],
]
for (const [name, heats, hot] of cases)
  test(`judgeHeat: ${name}`, () => assert.equal(looks(...heats).at(-1), hot))

test('judgeHeat: after a long time without a look the minute begins anew, and who is hot stays so', () => {
  const waiting = look(look(new Map(), 0.9, 0), 0.9, 50_000)
  assert.equal(look(waiting, 0.9, 500_000, false).get('s')?.isHot, false)
  assert.equal(look(waiting, 0.9, 500_000).get('s')?.isHot, true)
  const hot = look(waiting, 0.9, 60_000)
  assert.equal(look(hot, 0.6, 500_000, false).get('s')?.isHot, true)
})

test('judgeHeat: a slot that is not there any more is forgotten', () => {
  const hot = look(look(new Map(), 0.9, 0), 0.9, 60_000)
  assert.equal(judgeHeat(hot, new Map(), { nowMs: 70_000, goesOn: true }, LIMITS).size, 0)
})

test('judgeHeat: whoever is hot was on the limit a minute apart and never cool between; whoever is not anymore was cool', () => {
  const heat = fc.option(fc.double({ min: 0, max: 1.2, noNaN: true }), { nil: undefined })
  fc.assert(
    fc.property(fc.array(heat, { maxLength: 40 }), (heats) => {
      const hot = looks(...heats)
      for (const [at, is] of hot.entries()) {
        const was = hot[at - 1] === true
        const now = heats[at]
        if (was && !is) assert.ok(now !== undefined && now < LIMITS.coolAt)
        if (was || !is) continue
        assert.ok(now !== undefined && now >= LIMITS.hotAt)
        const cool = heats.slice(0, at).findLastIndex((one) => one !== undefined && one < LIMITS.coolAt)
        const first = heats.findIndex((one, from) => from > cool && one !== undefined && one >= LIMITS.hotAt)
        assert.ok((at - first) * 10_000 >= LIMITS.hotAfterMs)
      }
    }),
  )
})
