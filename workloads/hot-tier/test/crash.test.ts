import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SlotReplica } from '@truenow/kernels/replica/slot-replica.ts'
import { fold, randomLog, seededRandom, VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'

const [first] = VERSIONS as [(typeof VERSIONS)[0]]
const KILLS = 15
const SEED = Number(process.env.SEED ?? 20_260_101)
const root = mkdtempSync(join(tmpdir(), 'truenow-crash-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** Starts the process on the volume, reads where it stands, and kills it `delayMs` later. */
async function runAndKill(directory: string, delayMs: number) {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'crashing-shard.ts'), directory, String(SEED)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const exited = once(child, 'exit')
  try {
    const lines = createInterface({ input: child.stdout })
    const [line] = (await Promise.race([once(lines, 'line'), exited])) as [string]
    assert.equal(typeof line, 'string', 'it died before it said where it stands')
    await sleep(delayMs)
    const [offset = '', hash = '', refused = ''] = line.split(' ')
    return { offset: Number(offset), hash, refused: Number(refused) }
  } finally {
    child.kill('SIGKILL')
    const [, signal] = await exited
    assert.equal(signal, 'SIGKILL', 'it goes on until it is killed')
  }
}

test(`a shard killed ${KILLS} times in the midst of its snapshots always comes back as if nothing had happened (SEED=${SEED})`, async () => {
  const random = seededRandom(SEED)
  const directory = join(root, 'slot')
  const log = randomLog(SEED)
  const uninterrupted = new SlotReplica(first)
  let advanced = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const { offset, hash, refused } = await runAndKill(directory, Math.floor(random() * 20 * (kill + 1)))
    assert.equal(refused, 0, 'a crash leaves no manifest that names what is not there')
    assert.ok(offset >= uninterrupted.cursor.offset, 'what was durable stays durable')
    if (offset > uninterrupted.cursor.offset) advanced += 1
    while (uninterrupted.cursor.offset < offset) fold(uninterrupted, log.next().value)
    assert.deepEqual({ offset, hash }, { offset: uninterrupted.cursor.offset, hash: uninterrupted.stateHash() }) // biome-ignore format: one line
  }
  assert.ok(advanced >= 1, `no kill came after a first snapshot`)
})
