import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IdWindow } from '@truenow/kernels/replica/id-window.ts'
import { createVolumeRunFiles } from './volume-run-files.ts'

/*
 * What it costs to tell duplicates from new ids: ours, with runs on a real volume, their writing and merging included, beside
 * what one would write first: a Set of ids as strings, which keeps all in memory, survives no restart, and here forgets nothing.
 * Both see the same blocks and must admit the same rows. One JSON line a row; `ours` and `peer` in nanoseconds of CPU time an
 * id, all threads of the process and the kernel's work for its files too. `ratio` is peer / ours.
 */
const IDS = Number(process.argv[2] ?? 10_000_000)
const ROWS = 8_192
const BLOCKS = Math.ceil(IDS / ROWS)
/** Blocks a row that is measured in a full window. */
const MEASURED = Math.ceil(BLOCKS / 4)

/** Block `number` of an endless sequence of ids: the words are a bijective mix of row and block, so none comes twice. */
function fillBlock(words: Uint32Array, number: number): void {
  for (let row = 0; row < ROWS; row++) {
    const id = number * ROWS + row
    words[row * 4] = Math.imul(id, 0x9e3779b1)
    words[row * 4 + 1] = Math.imul(id ^ (id >>> 15), 0x85ebca6b)
    words[row * 4 + 2] = Math.imul(id ^ (id >>> 13), 0xc2b2ae35)
    words[row * 4 + 3] = id
  }
}

const directory = mkdtempSync(join(tmpdir(), 'truenow-dedup-'))
const window = new IdWindow(createVolumeRunFiles(directory))
const set = new Set<string>()
const words = new Uint32Array(ROWS * 4)
const bytes = Buffer.from(words.buffer)
/** One block a millisecond: the window holds BLOCKS of them. */
const windowUs = BLOCKS * 1_000

function ours(timeUs: number): number {
  window.look(words, ROWS)
  window.expire(timeUs, windowUs)
  const admitted = window.admitAll(new Uint8Array(ROWS), timeUs)
  window.work(ROWS)
  return admitted
}

function peer(): number {
  const before = set.size
  for (let row = 0; row < ROWS; row++) set.add(bytes.toString('latin1', row * 16, row * 16 + 16))
  return set.size - before
}

let block = 0
function measure(row: string, count: number, of: (turn: number) => number, withPeer: boolean): void {
  const cpu = { ours: 0, peer: 0 }
  const took = (name: keyof typeof cpu, judge: () => number): number => {
    const before = process.cpuUsage()
    const admitted = judge()
    const { user, system } = process.cpuUsage(before)
    cpu[name] += user + system
    return admitted
  }
  for (let turn = 0; turn < count; turn++, block++) {
    fillBlock(words, of(turn))
    const admitted = took('ours', () => ours(block * 1_000))
    if (withPeer) assert.equal(took('peer', peer), admitted)
  }
  const ns = (us: number) => Math.round((us * 1_000) / (count * ROWS))
  const figures = withPeer ? { peer: ns(cpu.peer), ratio: Number((cpu.peer / cpu.ours).toFixed(2)) } : {}
  const bytesAnId = Number((window.residentBytes / window.size).toFixed(1))
  console.log(
    JSON.stringify({ bench: 'dedup', row, ids: window.size, ours: ns(cpu.ours), ...figures, unit: 'CPU-ns/id', bytes_an_id: bytesAnId, runs: window.runCount }), // biome-ignore format: one line
  )
}

try {
  const heapBefore = process.memoryUsage().heapUsed
  measure('new ids, window filling', BLOCKS, () => block, true)
  const setBytes = (process.memoryUsage().heapUsed - heapBefore) / set.size
  console.log(JSON.stringify({ bench: 'dedup', row: 'bytes an id of the peer', peer: Math.round(setBytes), unit: 'bytes/id' })) // biome-ignore format: one line
  measure('duplicates, of the newest', 64, (turn) => BLOCKS - 1 - turn, true)
  measure('duplicates, of the oldest', 64, (turn) => MEASURED + turn, true)
  set.clear()
  // New ids begin where none was: the blocks of duplicates above took numbers too.
  measure('new ids, window full', BLOCKS, () => block, false)
} finally {
  window.close()
  rmSync(directory, { recursive: true, force: true })
}
