import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { blockStarts, type LogBlock, logBlock, startBenchLogs } from './bench-logs.ts'
import { definition, eventBlock } from './event-blocks.ts'
import type { LogThreadData, ToLogThread } from './start-log-thread.ts'

/* The thread of start-log-thread.ts: says its address, then that both phases are prepared. */
const PHASES = 2
const { held, phaseRows, blockRows } = workerData as LogThreadData
const allRows = held + PHASES * phaseRows
type BlocksOfSlots = readonly (readonly LogBlock[])[]
const gates = Array.from({ length: PHASES }, () => Promise.withResolvers<BlocksOfSlots>())
const prepared: BlocksOfSlots[] = []
let opened = 0

assert(parentPort !== null)
const port = parentPort
port.on('message', async (what: ToLogThread) => {
  if (what === 'open') {
    gates[opened]?.resolve(prepared[opened] ?? [])
    opened += 1
    return
  }
  for (let phase = 0; phase < PHASES; phase++) prepared.push(await prepare(held + phase * phaseRows))
  port.postMessage('prepared')
})
const { address } = await startBenchLogs(async function* (slot, firstOffset) {
  let toSkip = firstOffset
  for (const first of blockStarts(slot, 0, held, blockRows)) {
    if (toSkip-- > 0) continue
    yield blockAt(first, held)
    await turn()
  }
  for (const { promise } of gates) {
    const own = (await promise)[slot] ?? []
    yield* own.slice(Math.max(0, toSkip))
    toSkip -= own.length
  }
})
port.postMessage(address)

function blockAt(first: number, to: number): LogBlock {
  return logBlock(eventBlock(first, Math.min(blockRows, to - first), allRows))
}

/** The blocks of each slot among the rows of the phase that begins at `from`. */
async function prepare(from: number): Promise<BlocksOfSlots> {
  const ofSlots = Array.from({ length: definition.slots }, (): LogBlock[] => [])
  for (const [slot, own] of ofSlots.entries()) {
    for (const first of blockStarts(slot, from, from + phaseRows, blockRows)) {
      own.push(blockAt(first, from + phaseRows))
      await turn() // Streams that are silent for long would be left.
    }
  }
  return ofSlots
}
