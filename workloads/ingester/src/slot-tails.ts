import type { RoleContext } from '@truenow/chassis/running-role.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { IngesterMetrics } from './metrics.ts'
import { SlotTail, type TailParts } from './slot-tail.ts'

export type SlotTails = Readonly<{
  /** The tail of a slot, for one more subscriber; `release` when it leaves. */
  acquire: (
    key: string,
    nextOffset: number,
    parts: Pick<TailParts, 'table' | 'topic' | 'slot' | 'judge' | 'kafka'>,
  ) => Readonly<{ tail: SlotTail; release: () => void }>
  all: () => Iterable<SlotTail>
  close: () => Promise<void>
}>

/** A tail without a subscriber is kept this long: the next one likely comes from where the last one left. */
const IDLE_MS = 10_000
const SWEEP_MS = 2_000
/** Slots that one process follows; the port has its own, higher limit. */
const TAILS_MAX = 8_192

/** One tail a slot, shared by its subscribers, released when nobody came back for a while. */
export function createSlotTails(context: RoleContext, metrics: IngesterMetrics, bytesMax: number): SlotTails {
  const tails = new Map<string, SlotTail>()
  const { clock } = context
  const drop = (key: string, tail: SlotTail) => {
    if (tails.get(key) === tail) tails.delete(key)
    metrics.tails.set(tails.size)
    return tail.close()
  }
  const timer = setInterval(() => {
    for (const [key, tail] of tails) {
      const idle = tail.subscribers === 0 && clock.monotonicMs() - tail.idleSinceMs > IDLE_MS
      if (idle || tail.failure !== undefined) void drop(key, tail)
    }
  }, SWEEP_MS)
  return {
    all: () => tails.values(),
    acquire: (key, nextOffset, parts) => {
      let tail = tails.get(key)
      if (tail === undefined || tail.failure !== undefined) {
        if (tail !== undefined) void drop(key, tail)
        if (tails.size >= TAILS_MAX)
          throw new TrueNowError('TN_OVERLOADED', `${TAILS_MAX} slots are followed already.`)
        tail = new SlotTail(
          { ...parts, clock, bytesMax, onBytes: (n) => metrics.tailBytes.inc(n) },
          nextOffset,
        )
        tails.set(key, tail)
        metrics.tails.set(tails.size)
      }
      const held = tail
      held.subscribers += 1
      metrics.subscribers.inc()
      const release = () => {
        held.subscribers -= 1
        held.idleSinceMs = clock.monotonicMs()
        metrics.subscribers.dec()
      }
      return { tail: held, release }
    },
    close: async () => {
      clearInterval(timer)
      await Promise.all([...tails].map(([key, tail]) => drop(key, tail)))
    },
  }
}
