import assert from 'node:assert/strict'
import { test } from 'node:test'
import { instanceLayout } from './instance-layout.ts'
import { hideHostDirectories, namespaceScript } from './namespace-script.ts'

test('hideHostDirectories: a checkout below a hidden directory stays in sight', () => {
  const lines = hideHostDirectories("/var/lib/it's here")
  const hidden = lines.indexOf('mount -t tmpfs -o mode=755 truenow /var/lib')
  assert.equal(lines[hidden - 1], "cd '/var/lib/it'\\''s here'")
  assert.ok(lines.indexOf("mount --no-canonicalize --rbind . '/var/lib/it'\\''s here'") > hidden)
})

test('hideHostDirectories: a name that only begins alike is elsewhere', () => {
  assert.ok(!hideHostDirectories('/var/library').some((line) => line.startsWith('cd')))
})

test('namespaceScript: stops at the first failure, and holds the namespaces at its end', () => {
  const lines = namespaceScript(instanceLayout('/a', 'mine')).split('\n')
  assert.equal(lines[0], 'set -eu')
  assert.equal(lines.at(-1), 'exec sleep infinity')
})
