import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { missingTools, type Tools, toolsHere } from './missing-tools.ts'

const all: Tools = {
  go: 'go1.24.0',
  binariesCached: false,
  javaProblem: undefined,
  maven: true,
  kafkaCached: false,
}
const noJava = { javaProblem: 'no java on PATH' }
const cases: ReadonlyArray<readonly [name: string, tools: Tools, missing: readonly string[]]> = [
  ['everything is there', all, []],
  ['a later Go', { ...all, go: 'go1.26.8' }, []],
  ['Go is too old', { ...all, go: 'go1.23.12' }, ['Go 1.24']],
  ['no Go', { ...all, go: '' }, ['Go 1.24']],
  ['no Go, but Kubernetes is built', { ...all, go: '', binariesCached: true }, []],
  ['no Maven', { ...all, maven: false }, ['Maven']],
  ['no Maven, but Kafka is there', { ...all, maven: false, kafkaCached: true }, []],
  ['no Java, whatever is kept', { ...all, ...noJava, kafkaCached: true, binariesCached: true }, ['JDK 17']],
  ['nothing', { ...all, ...noJava, go: '', maven: false }, ['Go 1.24', 'JDK 17', 'Maven']],
]
for (const [name, tools, missing] of cases) {
  test(`missing tools: ${name}`, () => {
    const message = missingTools(tools)
    assert.equal(message?.match(/^ {2}- /gm)?.length ?? 0, missing.length, message)
    for (const what of missing) assert.ok(message?.includes(what), message)
  })
}

test('missing tools: where PATH leads nowhere every one of them is missed, and here none', async () => {
  const root = resolve(import.meta.dirname, '..', '..')
  const { PATH } = process.env
  const nowhere = mkdtempSync(join(tmpdir(), 'truenow-path-'))
  try {
    process.env.PATH = nowhere
    const { go, javaProblem, maven } = await toolsHere(root)
    assert.deepEqual({ go, maven }, { go: '', maven: false })
    assert.match(javaProblem ?? '', /no java on PATH/)
  } finally {
    process.env.PATH = PATH
    rmSync(nowhere, { recursive: true })
  }
  assert.equal(missingTools(await toolsHere(root)), undefined)
})
