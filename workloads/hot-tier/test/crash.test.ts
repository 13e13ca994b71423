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
import {
  fold,
  logOf,
  randomLog,
  seededRandom,
  VERSIONS,
} from '@truenow/kernels/replica/testing/random-log.ts'
import { CRASHING_SLOTS, type WorkersLine, type WorkersTask } from './crashing-log.ts'

const [first] = VERSIONS as [(typeof VERSIONS)[0]]
const KILLS = 15
const SEED = Number(process.env.SEED ?? 20_260_101)
const root = mkdtempSync(join(tmpdir(), 'truenow-crash-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** Starts the process on the volume, reads its first line, and kills it `delayMs` later. */
async function runAndKill(program: string, args: readonly string[], delayMs: number): Promise<string> {
  const argv = [join(import.meta.dirname, program), ...args]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  try {
    const lines = createInterface({ input: child.stdout })
    const [line] = (await Promise.race([once(lines, 'line'), exited])) as [string]
    assert.equal(typeof line, 'string', 'it died before it said where it stands')
    await sleep(delayMs)
    return line
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
    const delayMs = Math.floor(random() * 20 * (kill + 1))
    const line = await runAndKill('crashing-shard.ts', [directory, String(SEED)], delayMs)
    const [at, hash, refused] = line.split(' ')
    const offset = Number(at)
    assert.equal(refused, '0', 'a crash leaves no manifest that names what is not there')
    assert.ok(offset >= uninterrupted.cursor.offset, 'what was durable stays durable')
    if (offset > uninterrupted.cursor.offset) advanced += 1
    while (uninterrupted.cursor.offset < offset) fold(uninterrupted, log.next().value)
    assert.deepEqual({ offset, hash }, { offset: uninterrupted.cursor.offset, hash: uninterrupted.stateHash() }) // biome-ignore format: one line
  }
  assert.ok(advanced >= 1, `no kill came after a first snapshot`)
})

test(`a shard of two worker threads killed in the midst of its work comes back with every slot as if nothing had happened (SEED=${SEED})`, async () => {
  const random = seededRandom(SEED)
  const directory = join(root, 'shard')
  const [KILLS_OF_THREADS, RECORDS] = [4, 40]
  let restored = 0
  const run = async (task: Omit<WorkersTask, 'directory' | 'seed'>, delayMs: number) => {
    const line = await runAndKill('crashing-workers.ts', [JSON.stringify({ ...task, directory, seed: SEED })], delayMs) // biome-ignore format: one line
    const said = JSON.parse(line) as WorkersLine
    assert.equal(said.refused, 0, 'a crash leaves no manifest that names what is not there')
    restored += said.restored
    return said
  }
  let records = 0
  for (let kill = 0; kill < KILLS_OF_THREADS; kill++) {
    await run({ first: records, more: RECORDS, toEnd: false }, random() * 600)
    records += RECORDS
  }
  const { slots } = await run({ first: records, more: 0, toEnd: true }, 0)
  assert.ok(restored >= 1, 'no kill came after a first snapshot')
  assert.deepEqual(
    slots,
    Array.from({ length: CRASHING_SLOTS }, (_, slot) => {
      const replica = new SlotReplica(first)
      for (const record of logOf(SEED + slot, records)) fold(replica, record)
      return { slot, offset: replica.cursor.offset, hash: replica.stateHash() }
    }),
  )
})
