import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runningPid, signalPidFile, writePidFile } from './pid-file.ts'
import { parseStartTicks, processIdentity } from './process-identity.ts'

const directory = mkdtempSync(join(tmpdir(), 'truenow-pid-'))
after(() => rmSync(directory, { recursive: true }))

test('parseStartTicks: a command with blanks and brackets does not shift the fields', () => {
  const rest = Array.from({ length: 30 }, (_, index) => String(index + 4)).join(' ') // Field 4 on.
  assert.deepEqual(parseStartTicks(`7 (a ) b) (c) S ${rest}`), { state: 'S', startTicks: 22 })
  assert.equal(parseStartTicks('torn'), undefined)
})

test('pid file: finds the process that was remembered, and forgets it when it ended', async () => {
  const path = join(directory, 'child.json')
  const child = spawn('sleep', ['60'])
  writePidFile(path, child.pid ?? 0)
  assert.equal(runningPid(path), child.pid)
  signalPidFile(path, 'SIGKILL')
  await once(child, 'exit')
  assert.equal(runningPid(path), undefined)
})

test('pid file: a recycled pid is neither found nor killed', async () => {
  const path = join(directory, 'recycled.json')
  const child = spawn('sleep', ['60'])
  const { pid = 0 } = child
  writeFileSync(path, JSON.stringify({ pid, startTicks: (processIdentity(pid)?.startTicks ?? 0) - 1 }))
  assert.equal(runningPid(path), undefined)
  signalPidFile(path, 'SIGKILL')
  assert.throws(() => readFileSync(path), /ENOENT/)
  assert.ok(processIdentity(pid), 'it still runs')
  child.kill()
  await once(child, 'exit')
})

for (const torn of ['', '{', 'null', '{"pid":"1"}', '{"pid":1}']) {
  test(`pid file: '${torn}' counts as none`, () => {
    const path = join(directory, 'torn.json')
    writeFileSync(path, torn)
    assert.equal(runningPid(path), undefined)
  })
}
