import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { microsecondsOfDuration } from './duration.ts'

const lawful: ReadonlyArray<[duration: string, us: number]> = [
  ['0s', 0],
  ['1ms', 1_000],
  ['500ms', 500_000],
  ['10s', 10_000_000],
  ['10m', 600_000_000],
  ['1h', 3_600_000_000],
  ['7d', 604_800_000_000],
]
for (const [duration, us] of lawful) {
  test(`microsecondsOfDuration: ${duration}`, () => assert.equal(microsecondsOfDuration(duration), us))
}

for (const duration of [
  '',
  '10',
  's',
  '-1s',
  '1.5s',
  '1h30m',
  ' 1s',
  '1s ',
  '1S',
  '1w',
  '1e3s',
  '1000000000s',
  '999999999d',
]) {
  test(`microsecondsOfDuration: '${duration}' is none`, () => {
    assert.throws(() => microsecondsOfDuration(duration), RangeError)
  })
}

test('microsecondsOfDuration: whole and exact, or refused', () => {
  const unit = fc.constantFrom<[string, number]>(['ms', 1e3], ['s', 1e6], ['m', 6e7], ['h', 3.6e9], ['d', 8.64e10]) // biome-ignore format: one line
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999 }), unit, (count, [name, factor]) => {
      const read = () => microsecondsOfDuration(`${count}${name}`)
      if (!Number.isSafeInteger(count * factor)) return assert.throws(read, RangeError)
      const us = read()
      assert.equal(us, count * factor)
      assert.ok(Number.isSafeInteger(us) && us >= count)
      assert.equal(us % 1_000, 0)
    }),
  )
})
