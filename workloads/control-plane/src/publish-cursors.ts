import { setTimeout as delay } from 'node:timers/promises'
import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { cursorGroupName } from '@truenow/contracts/topics.ts'
import { getPlacement } from './get-placement.ts'
import type { Parts } from './parts.ts'
import { nameOf } from './read-catalog.ts'

/** Shards report once a second; whoever watches a lag looks every half minute at most. */
export const PUBLISH_CURSORS_MS = 30_000

/**
 * Publishes how far the serving replicas of every table have applied its topic, as committed offsets of the table's group,
 * for `kafka-consumer-groups` and any other lag tool: nothing of ours reads them. Every process of the control plane does;
 * the later commit stands. Ends when `signal` aborts; what fails is logged, counted and tried again at the next turn.
 */
export async function publishCursors(parts: Parts, signal: AbortSignal, periodMs = PUBLISH_CURSORS_MS) {
  const { kafka, identity, log, metrics } = parts
  while (!signal.aborted) {
    await delay(periodMs, undefined, { signal }).catch(() => {})
    if (signal.aborted || parts.follower.current() === undefined) continue
    try {
      for (const { namespace, name, topic, nextOffsets } of appliedOffsets(await getPlacement(parts))) {
        signal.throwIfAborted()
        await kafka.publishCursors(cursorGroupName(identity, namespace, name), topic, nextOffsets)
        metrics.cursorsPublished.inc({ outcome: 'published' })
      }
    } catch (err) {
      if (signal.aborted) return
      metrics.cursorsPublished.inc({ outcome: 'failed' })
      log.warn({ err }, 'cursors were not published; lag tools show older ones')
    }
  }
}

type Applied = Readonly<{
  namespace: string
  name: string
  topic: string
  nextOffsets: ReadonlyMap<number, number>
}>

/** Per table and slot, the next offset that the serving replica furthest behind will apply; slots without one are left out. */
export function appliedOffsets({ catalog, loads }: GetPlacementResponse): Applied[] {
  const reported = new Map<string, number>()
  for (const { shard, incarnation, slots } of loads) {
    for (const { table, slot, cursor } of slots) {
      if (cursor === undefined) continue
      const key = `${table?.namespace}.${table?.name}/${slot}/${shard}/${incarnation}`
      reported.set(key, Number(cursor.offset) + 1)
    }
  }
  return (catalog?.tables ?? []).flatMap(({ versionsJson, topic, slots }) => {
    const { namespace, name } = nameOf(versionsJson)
    const nextOffsets = new Map<number, number>()
    for (const { slot, replicas } of slots) {
      const serving = replicas
        .filter(({ state }) => state === ReplicaState.SERVING)
        .map(({ shard, incarnation }) => reported.get(`${namespace}.${name}/${slot}/${shard}/${incarnation}`))
        .filter((offset) => offset !== undefined)
      if (serving.length > 0) nextOffsets.set(slot, Math.min(...serving))
    }
    return nextOffsets.size === 0 ? [] : [{ namespace, name, topic, nextOffsets }]
  })
}
