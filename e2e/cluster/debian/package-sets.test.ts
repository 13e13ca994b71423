import assert from 'node:assert/strict'
import { test } from 'node:test'
import { debianPackageSets } from './package-sets.ts'

for (const [name, packages] of Object.entries(debianPackageSets)) {
  test(`package set ${name}: sorted and without doubles, for its cache goes by the list`, () => {
    assert.deepEqual([...packages], [...new Set(packages)].sort())
  })
}
