import { systemClock } from '@truenow/chassis/clock.ts'
import { createGrpcServer } from '@truenow/chassis/grpc-server.ts'
import { createHealth } from '@truenow/chassis/health.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { encodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import { crc32c } from '@truenow/contracts/wire/crc32c.ts'
import { Registry } from 'prom-client'
import { definition, type EventBlock, eventBlock } from './event-blocks.ts'

export type LogBlock = Readonly<{ value: Buffer; checksum: number; appendTimeUs: number }>

/** A block as it stands in the log. */
export function logBlock({ block, appendTimeUs }: EventBlock): LogBlock {
  const value = encodeBlock(block.tableVersion, block.rowCount, block.columns)
  return { value, checksum: crc32c(value), appendTimeUs }
}

/** Rows of a block, but the last; what rows hold depends on where their block begins. */
export const BLOCK_ROWS = 5_000

/** First rows of the blocks of one slot among the rows [from, to): blocks are dealt out to the slots in turn. */
export function* blockStarts(slot: number, from: number, to: number, blockRows: number): Generator<number> {
  for (let first = from + slot * blockRows; first < to; first += definition.slots * blockRows) yield first
}

/** Of each slot, its blocks of a log of so many rows. */
export function dealtBlocks(rows: number) {
  return async function* (slot: number, firstOffset: number): AsyncGenerator<LogBlock> {
    for (const first of blockStarts(slot, firstOffset * definition.slots * BLOCK_ROWS, rows, BLOCK_ROWS)) {
      yield logBlock(eventBlock(first, Math.min(BLOCK_ROWS, rows - first), rows))
      await new Promise((resolve) => setImmediate(resolve)) // Other slots are asked as well.
    }
  }
}

/** An ingester, over gRPC as in production, whose log of a slot is what `blocksOf` yields from an offset on; offsets count blocks. */
export async function startBenchLogs(
  blocksOf: (slot: number, firstOffset: number) => AsyncIterable<LogBlock>,
) {
  const log = createLog({ role: 'ingester', level: 'ERROR' })
  const health = createHealth({ role: 'ingester', version: '', clock: systemClock })
  const server = createGrpcServer({ role: 'ingester', log, registry: new Registry(), health })
  server.add(BlockStream, {
    getProgress: () => Promise.reject(new Error('not asked here')),
    subscribe: async function* ({ slot, cursor }, { signal }) {
      let offset = (cursor?.offset ?? -1n) + 1n
      const heartbeat = () => ({ endOffset: offset, position: offset - 1n, atUs: 1n })
      for await (const { value, checksum, appendTimeUs } of withHeartbeats(blocksOf(slot, Number(offset)))) {
        if (value === undefined) yield { event: { case: 'heartbeat', value: heartbeat() } }
        else {
          const place = { previousOffset: offset - 1n, offset, appendTimeUs: BigInt(appendTimeUs), checksum }
          yield { event: { case: 'block', value: { ...place, value } } }
          offset += 1n
        }
        if (signal.aborted) return
      }
      while (!signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, HEARTBEAT_MS))
        yield { event: { case: 'heartbeat', value: heartbeat() } }
      }
    },
  })
  return { address: `127.0.0.1:${await server.listen('127.0.0.1', 0)}`, close: server.close }
}

const HEARTBEAT_MS = 500
const QUIET = { value: undefined, checksum: 0, appendTimeUs: 0 }

/** A slot that is silent for long would be left by the shard. */
async function* withHeartbeats(blocks: AsyncIterable<LogBlock>): AsyncIterable<LogBlock | typeof QUIET> {
  const iterator = blocks[Symbol.asyncIterator]()
  for (let next = iterator.next(); ; ) {
    let timer: NodeJS.Timeout | undefined
    const quiet = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), HEARTBEAT_MS)
    })
    const result = await Promise.race([next, quiet])
    clearTimeout(timer)
    if (result === undefined) yield QUIET
    else if (result.done === true) return
    else {
      yield result.value
      next = iterator.next()
    }
  }
}
