import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missedKeys } from './relist-check.ts'

const map = (entries: Record<string, string>) => new Map(Object.entries(entries))
const cases: ReadonlyArray<
  [
    name: string,
    listed: Record<string, string>,
    held: Record<string, string>,
    touched: string[],
    missed: string[],
  ]
> = [
  ['the same', { a: '1' }, { a: '1' }, [], []],
  ['a change that the watch has not told', { a: '2' }, { a: '1' }, [], ['a']],
  ['a change that it told meanwhile, or one after it', { a: '2' }, { a: '3' }, ['a'], []],
  ['one that is missing here', { a: '1' }, {}, [], ['a']],
  ['one that went meanwhile', { a: '1' }, {}, ['a'], []],
  ['one that should be gone', {}, { a: '1' }, [], ['a']],
  ['one that came meanwhile', {}, { a: '1' }, ['a'], []],
]
for (const [name, listed, held, touched, missed] of cases) {
  test(`missedKeys: ${name}`, () => {
    assert.deepEqual(missedKeys(map(listed), map(held), new Set(touched)), missed)
  })
}
