import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNameHints, NAME_HINTS_MAX } from './name-hints.ts'

test('createNameHints: the nearest column, or nothing', () => {
  const hint = createNameHints(new Map([['region', 1] as const, ['revenue', 2] as const]))
  assert.equal(hint('regoin'), '; did you mean "region"?')
  assert.equal(hint('zzzzzz'), '')
})

test('createNameHints: columns are gone through for so many names and no more', () => {
  let walks = 0
  const columns = new (class extends Map<string, number> {
    override keys() {
      walks += 1
      return super.keys()
    }
  })([['region', 1]])
  const hint = createNameHints(columns)
  for (let round = 0; round < 2; round++) for (let name = 0; name < 1_000; name++) hint(`region${name}`)
  assert.equal(walks, NAME_HINTS_MAX)
  assert.equal(hint('region0'), '; did you mean "region"?')
})
