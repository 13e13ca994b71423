import { create } from '@bufbuild/protobuf'
import type { TableView } from '@truenow/chassis/catalog-view.ts'
import {
  PartialQueryRequestSchema,
  type Plan,
  SlotStatus,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { SubscribeEventSchema } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { crc32c } from '@truenow/contracts/wire/crc32c.ts'
import { Arena } from '@truenow/kernels/columns/arena.ts'
import { TextPools } from '@truenow/kernels/columns/text-pool.ts'
import { SlotReplica } from '@truenow/kernels/replica/slot-replica.ts'
import { Registry } from 'prom-client'
import { executePartial } from '../../src/execute-partial.ts'
import { createHotTierMetrics } from '../../src/metrics.ts'
import type { ShardSlot } from '../../src/shard-slot.ts'
import { slotInHand } from '../../src/testing/slot-in-hand.ts'
import { TURN_MS } from '../../src/turns.ts'

/** What one shard answered, and how far each of its slots had come. */
export type ShardAnswer = Readonly<{
  slot: number
  batch: Uint8Array
  rowsScanned: number
  rowsMatched: number
  rowsFromRollups: number
  positions: ReadonlyArray<readonly [slot: number, offset: number]>
}>
/** Shards that a table is dealt out to, at most. */
export const SHARDS_MAX = 3
export type LogBlock = Readonly<{ slot: number; offset: number; appendTimeUs: number; value: Uint8Array }>

/** Every quiet bucket is folded, whatever its size: logs here are short. */
const ROLLUP_LIMITS = { cellsMax: 4_096, rowsACellMin: 0.01, rowsMin: 1 }

/** Memory of each shard, divided anew for every table. */
const MEMORIES = Array.from(
  { length: SHARDS_MAX },
  () => new WebAssembly.Memory({ initial: 1, maximum: 16_384, shared: true }),
)

/** The slots of one table, dealt out to shards, behind the entries that the shard itself uses: a stream's event, a partial query. */
export class ShardsInHand {
  private readonly slots: readonly ShardSlot[]
  private readonly shards: number
  private readonly signal = new AbortController().signal

  constructor(versions: readonly TableDefinition[], shards: number) {
    const definition = versions.at(-1) as TableDefinition
    const definitions = new Map(versions.map((one) => [one.version, one]))
    const table: TableView = { definition, definitions, topic: 't', uid: 'u', slots: [] }
    const metrics = createHotTierMetrics(new Registry())
    this.shards = Math.min(shards, definition.slots)
    const memories = MEMORIES.map((memory) => {
      const arena = new Arena(memory)
      return { arena, texts: new TextPools(arena) }
    })
    this.slots = Array.from({ length: definition.slots }, (_, slot) => {
      return slotInHand({
        table,
        slot,
        shard: slot % this.shards,
        metrics,
        clock: { nowUs: () => 1_800_000_000_000_000, monotonicMs: () => 0 },
        replica: new SlotReplica(versions[0] as TableDefinition, {
          ...memories[slot % this.shards],
          rollupLimits: ROLLUP_LIMITS,
        }),
      })
    })
  }

  /** Folds one block in, as its stream tells it. */
  take({ slot, offset, appendTimeUs, value }: LogBlock): void {
    const target = this.slots[slot] as ShardSlot
    const place = {
      previousOffset: BigInt(target.replica.cursor.offset),
      offset: BigInt(offset),
      appendTimeUs: BigInt(appendTimeUs),
      checksum: crc32c(value),
    }
    const { event } = create(SubscribeEventSchema, { event: { case: 'block', value: { ...place, value } } })
    const taken = target.take(event)
    if (taken !== 'taken') throw new Error(`the block at ${slot}:${offset} was not taken: ${taken}`)
    target.replica.foldBuckets() // At once: blocks here are too small for a bucket to be folded beside them.
  }

  /**
   * Starts the plan on every shard; `between` runs after each start, so that no two need have the same moment. Where one refuses, the
   * others are waited for too: the next table has their memory.
   */
  async ask(plan: Plan, between: () => unknown): Promise<readonly ShardAnswer[]> {
    const running = Array.from({ length: this.shards }, (_, shard) => {
      const answer = this.askShard(plan, shard)
      between()
      return answer
    })
    await Promise.allSettled(running)
    return Promise.all(running)
  }

  private async askShard(plan: Plan, shard: number): Promise<ShardAnswer> {
    const own = this.slots.filter(({ key }) => key.slot % this.shards === shard)
    const [{ key }] = own as [ShardSlot]
    const slots = own.map((slot) => ({
      slot: slot.key.slot,
      epoch: 1n,
      incarnation: 1n,
      shards: [shard],
      atLeastOffset: -1n,
    }))
    const request = create(PartialQueryRequestSchema, {
      table: { namespace: key.namespace, name: key.name },
      plan,
      slots,
    })
    // Every look finds the slice over, so that each pause gives the thread away.
    const startWork = () => () => 2 * TURN_MS
    const found = await executePartial(
      request,
      shard,
      (_namespace, _name, slot) => this.slots[slot],
      startWork,
      this.signal,
    )
    const positions = found.slots.map((answered): readonly [number, number] => {
      if (answered.status !== SlotStatus.OK || !('cursor' in answered))
        throw new Error(`slot ${answered.slot} did not answer: ${answered.detail}`)
      return [answered.slot, Number(answered.cursor.offset)]
    })
    return {
      slot: key.slot,
      batch: found.batch,
      rowsScanned: Number(found.rowsScanned),
      rowsMatched: Number(found.rowsMatched),
      rowsFromRollups: Number(found.rowsFromRollups),
      positions,
    }
  }
}
