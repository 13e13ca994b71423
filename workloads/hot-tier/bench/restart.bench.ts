import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeBlock, encodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import type { SlotReplica } from '@truenow/kernels/replica/slot-replica.ts'
import { eventBlock } from './event-blocks.ts'
import { createStores, definition } from './restart-shard.ts'

/*
 * A shard of eight slots and ROWS rows, all their ids remembered, is restarted from real files. A process writes the snapshots; new ones
 * restore them and decode and apply the tail of the log that came after: `TAIL_ROWS`, ten seconds of 10,000 rows. Measured from the start of the process
 * until its replicas stand where the one before did (their state hashes are compared). The files are in the page cache, as after a
 * crash of the process; after one of the machine the disk's own speed comes on top.
 */
const ROWS = Number(process.env.ROWS ?? 10_000_000)
const TAIL_ROWS = 100_000
const BLOCK_ROWS = 1_000
const RUNS = 3
const all = Math.ceil((ROWS + TAIL_ROWS) / BLOCK_ROWS)
const before = Math.ceil(ROWS / BLOCK_ROWS)

/** Block `number` of the log, into its slot. */
function applyBlock(replicas: readonly SlotReplica[], number: number): void {
  const { block, appendTimeUs } = eventBlock(number * BLOCK_ROWS, BLOCK_ROWS, all * BLOCK_ROWS)
  replicas[number % definition.slots]?.apply(block, definition, { offset: number, checksum: 0 }, appendTimeUs)
}
const hashes = (replicas: readonly SlotReplica[]) => replicas.map((replica) => replica.stateHash()).join()
const shardOf = (directory: string) => join(directory, 'shard')
const tailOf = (directory: string) => join(directory, 'tail')

function write(directory: string): void {
  const stores = createStores(shardOf(directory))
  const replicas = stores.map((store) => store.createReplica(definition))
  for (let number = 0; number < before; number++) applyBlock(replicas, number)
  for (const [slot, store] of stores.entries()) store.write(replicas[slot] as SlotReplica)
  mkdirSync(tailOf(directory))
  for (let number = before; number < all; number++) {
    applyBlock(replicas, number)
    const { block, appendTimeUs } = eventBlock(number * BLOCK_ROWS, BLOCK_ROWS, all * BLOCK_ROWS)
    const name = `${number}-${appendTimeUs}`
    writeFileSync(join(tailOf(directory), name), encodeBlock(block.tableVersion, BLOCK_ROWS, block.columns))
  }
  console.log(JSON.stringify({ hashes: hashes(replicas) }))
}

function restart(directory: string): void {
  const loadedMs = performance.now()
  const replicas = createStores(shardOf(directory)).map((store) =>
    store.restore((file, why) => assert.fail(`${file}: ${why}`)),
  )
  const restoredMs = performance.now()
  assert.ok(replicas.every((replica) => replica !== undefined))
  const tail = readdirSync(tailOf(directory)).map((name) => [name, ...name.split('-').map(Number)] as const)
  for (const [name, number = 0, appendTimeUs = 0] of tail.toSorted(([, a = 0], [, b = 0]) => a - b)) {
    const block = decodeBlock(readFileSync(join(tailOf(directory), name)))
    const at = { offset: number, checksum: 0 }
    replicas[number % definition.slots]?.apply(block, definition, at, appendTimeUs)
  }
  const freshMs = performance.now()
  const { user, system } = process.cpuUsage()
  const ids = replicas.reduce((sum, { ids }) => sum + ids.size, 0)
  const rows = replicas.reduce((sum, { residentRows }) => sum + residentRows, 0)
  console.log(JSON.stringify({ hashes: hashes(replicas), loadedMs, restoredMs, freshMs, cpuMs: (user + system) / 1_000, ids, rows, rssBytes: process.memoryUsage().rss })) // biome-ignore format: one line
}

function child(step: string, directory: string) {
  const argv = ['--max-old-space-size=8192', import.meta.filename, step, directory]
  const { stdout, status } = spawnSync(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  assert.equal(status, 0, step)
  return JSON.parse(String(stdout)) as Readonly<Record<string, number>> & Readonly<{ hashes: string }>
}

function main(): void {
  const directory = mkdtempSync(join(tmpdir(), 'truenow-restart-'))
  try {
    const written = child('write', directory)
    const shard = shardOf(directory)
    const bytes = readdirSync(shard, { recursive: true, encoding: 'utf8' }).reduce((sum, name) => {
      const file = statSync(join(shard, name))
      return file.isFile() ? sum + file.size : sum
    }, 0)
    for (let run = 0; run < RUNS; run++) {
      const { hashes: found, ...figures } = child('restart', directory)
      assert.equal(found, written.hashes, 'restarted, it is what it was')
      const { loadedMs = 0, restoredMs = 0, freshMs = 0, cpuMs = 0, rows, ids, rssBytes = 0 } = figures
      const ms = { modules: Math.round(loadedMs), restore: Math.round(restoredMs - loadedMs), tail: Math.round(freshMs - restoredMs) } // biome-ignore format: one line
      console.log(
        JSON.stringify({ bench: 'restart', row: `run ${run + 1}`, rows, ids, files_mb: Math.round(bytes / 1e6), ours: Math.round(freshMs), unit: 'ms to fresh', ...ms, cpu_ms: Math.round(cpuMs), rss_mb: Math.round(rssBytes / 1e6) }), // biome-ignore format: one line
      )
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const [step, directory = ''] = process.argv.slice(2)
if (step === 'write') write(directory)
else if (step === 'restart') restart(directory)
else main()
