import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { MUTATIONS } from './mutations.ts'

for (const { name, file, from, to } of MUTATIONS)
  test(`a mistake that can be made: ${name}`, () => {
    const text = readFileSync(new URL(`../../../../${file}`, import.meta.url), 'utf8')
    const found = text.split(from).length - 1
    assert.equal(
      found,
      1,
      `${file} holds "${from}" ${found} times, and once is needed: write the mutation anew`,
    )
    assert.notEqual(from, to)
  })
