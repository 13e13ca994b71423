import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STALL_REASONS, stallReason } from './stall-reason.ts'

test('stallReason: every reason is known by the word before its colon', () => {
  for (const reason of STALL_REASONS) assert.equal(stallReason(`${reason}: because of this: that`), reason)
})

const cases: ReadonlyArray<[text: string, expected: string | undefined]> = [
  ['', undefined],
  ['MemoryFullish: no such reason', 'Other'],
  ['MemoryFull without a colon', 'Other'],
  ['it just stands', 'Other'],
]
for (const [text, expected] of cases) {
  test(`stallReason: '${text}'`, () => assert.equal(stallReason(text), expected))
}
