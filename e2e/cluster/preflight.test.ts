import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Machine, preflight } from './preflight.ts'

const able: Machine = { platform: 'linux', architecture: 'x64', uid: 0 }
const cases: ReadonlyArray<[name: string, machine: Machine, context: string | undefined, refused: boolean]> =
  [
    ['root on Linux', able, undefined, false],
    ['root, with an empty context', able, '', false],
    ['a person, with a context', { ...able, uid: 1000 }, 'mine', false],
    ['a Mac, with a context', { ...able, platform: 'darwin', uid: 501 }, 'mine', false],
    ['a person without one', { ...able, uid: 1000 }, undefined, true],
    ['a Mac without one', { ...able, platform: 'darwin' }, undefined, true],
    ['another processor', { ...able, architecture: 'arm64' }, undefined, true],
  ]
for (const [name, machine, context, refused] of cases) {
  test(`preflight: ${name}`, () => {
    const message = preflight(machine, context)
    assert.equal(message !== undefined, refused)
    if (message === undefined) return
    assert.match(message, /sudo make up/)
    assert.match(message, /make up KUBE_CONTEXT=<context> IMAGE=/)
  })
}

const root = process.getuid?.() === 0
test('preflight: as nobody the program ends with 2 at once', {
  skip: root ? false : 'needs root to become nobody',
}, () => {
  const { KUBE_CONTEXT: _, ...env } = process.env
  const program = [join(import.meta.dirname, 'preflight.ts')]
  const { status, stderr } = spawnSync(process.execPath, program, {
    uid: 65_534,
    gid: 65_534,
    env,
    encoding: 'utf8',
  })
  assert.equal(status, 2, stderr)
  assert.match(stderr, /this is uid 65534/)
})
