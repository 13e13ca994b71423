import { create, toBinary } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type ReportShardRequest,
  ReportShardRequestSchema,
  type ReportShardResponse,
  ReportShardResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState, type SlotState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { claimsCaughtUp, provesCaughtUp } from './caught-up.ts'
import { goOnAbove } from './go-on-above.ts'
import type { Parts } from './parts.ts'

/** A joining replica that says it has caught up, with where to look whether that is so. */
type Candidate = Readonly<{
  namespace: string
  name: string
  topic: string
  slot: number
  /** Epoch of the assignment that was proven; another one since then is another proof. */
  epoch: bigint
  cursorOffset: number
}>

/** Slots whose log end is asked for at once. */
const PROOFS_AT_ONCE = 32

/**
 * Catalog.ReportShard. Keeps the report for placement and operator, and promotes what has caught up. Only the newest process of
 * the newest incarnation is heard: a paused zombie that wakes is told that it is retired.
 */
export function createReportShard(parts: Parts) {
  /** Shard → topic/slot/incarnation/epoch → the log's end when that replica first claimed to have caught up. */
  const firstEnds = new Map<number, Map<string, number>>()
  /** Greatest epoch known to be covered by the catalog's counter, so that it is not asked again with every report. */
  let epochCovered = 0

  async function coverEpochs({ shard, incarnation, slots }: ReportShardRequest): Promise<void> {
    const epoch = slots.reduce((greatest, state) => Math.max(greatest, Number(state.epoch)), 0)
    if (epoch <= epochCovered) return
    const seen = { epoch: BigInt(epoch), incarnation }
    await parts.store.change(`shard ${shard}`, (change) => goOnAbove(change, seen))
    await parts.follower.refresh()
    epochCovered = epoch
  }

  /** Only proven candidates come out; those whose proof needs the next report are remembered. */
  async function prove(
    shard: number,
    incarnation: bigint,
    candidates: readonly Candidate[],
  ): Promise<Candidate[]> {
    const before = firstEnds.get(shard)
    const remembered = new Map<string, number>()
    const proven: Candidate[] = []
    const check = async (candidate: Candidate) => {
      const { topic, slot, epoch, cursorOffset } = candidate
      const key = `${topic}/${slot}/${incarnation}/${epoch}`
      const { endOffset } = await parts.kafka.offsetRange(topic, slot)
      const first = before?.get(key)
      if (provesCaughtUp(cursorOffset, endOffset, first)) proven.push(candidate)
      else remembered.set(key, first ?? endOffset)
    }
    for (let at = 0; at < candidates.length; at += PROOFS_AT_ONCE) {
      await Promise.all(candidates.slice(at, at + PROOFS_AT_ONCE).map(check))
    }
    firstEnds.set(shard, remembered)
    return proven
  }

  return async function reportShard(request: ReportShardRequest): Promise<ReportShardResponse> {
    const { store, follower, metrics, log, clock } = parts
    const { shard, incarnation, processId } = request
    const heard = await store.query(
      `INSERT INTO $schema.shard_report (shard, reported_at_us, report)
       SELECT shard, $4::bigint, $5::bytea FROM $schema.shard WHERE shard = $1 AND incarnation = $2 AND process_id = $3
       ON CONFLICT (shard) DO UPDATE SET reported_at_us = excluded.reported_at_us, report = excluded.report
       RETURNING shard`,
      [
        shard,
        Number(incarnation),
        processId,
        clock.nowUs(),
        Buffer.from(toBinary(ReportShardRequestSchema, request)),
      ],
    )
    if (heard.length === 0) {
      const message = `Shard ${shard}, incarnation ${incarnation}, process ${processId} is not the one registered; register again.`
      throw new TrueNowError('TN_SHARD_RETIRED', message)
    }
    await coverEpochs(request)
    const candidates = candidatesOf(parts, request)
    if (candidates.length > 0) {
      const proven = await prove(shard, incarnation, candidates).catch((err: unknown) => {
        log.warn({ err, shard }, 'the log end could not be asked; joining replicas wait')
        return []
      })
      const promoted = proven.length === 0 ? 0 : await promote(parts, request, proven)
      metrics.promotions.inc(promoted)
      if (promoted > 0) {
        log.info({ shard, promoted }, 'replicas caught up and serve')
        await follower.refresh()
      }
    }
    return create(ReportShardResponseSchema, { revision: follower.current()?.revision ?? 0n })
  }
}

function candidatesOf({ follower }: Parts, { shard, incarnation, slots }: ReportShardRequest): Candidate[] {
  const tables = follower.current()?.tables ?? []
  const keyOf = (namespace: string, name: string) => `${namespace}.${name}`
  const states = new Map<string, Map<number, SlotState>>()
  for (const state of slots) {
    const key = keyOf(state.table?.namespace ?? '', state.table?.name ?? '')
    const ofTable = states.get(key) ?? new Map<number, SlotState>()
    states.set(key, ofTable.set(state.slot, state))
  }
  return tables.flatMap(({ versionsJson, topic, slots: assignments }) => {
    const { namespace, name } = JSON.parse(versionsJson[0] ?? '{}') as { namespace: string; name: string }
    const ofTable = states.get(keyOf(namespace, name))
    return assignments.flatMap(({ slot, epoch, replicas }) => {
      const state = ofTable?.get(slot)
      const joining = replicas.some(
        (replica) =>
          replica.shard === shard &&
          replica.incarnation === incarnation &&
          replica.state === ReplicaState.JOINING,
      )
      // A report under an older epoch speaks of another assignment.
      if (!joining || state === undefined || state.epoch < epoch) return []
      const cursorOffset = Number(state.cursor?.offset ?? -1n)
      const claims = claimsCaughtUp({
        cursorOffset,
        reportedEndOffset: Number(state.endOffset),
        progressedAtUs: Number(state.progressedAtUs),
        stalledReason: state.stalledReason,
      })
      return claims ? [{ namespace, name, topic, slot, epoch, cursorOffset }] : []
    })
  })
}

/** joining → serving under a new epoch, if shard and replica are still what they were. Answers how many. */
function promote(
  { store }: Parts,
  request: ReportShardRequest,
  proven: readonly Candidate[],
): Promise<number> {
  const { shard, incarnation, processId } = request
  return store.change(`shard ${shard} process ${processId}`, async ({ query, nextEpoch, touch, audit }) => {
    const promoted = await query<{ table_id: number; slot: number }>(
      `UPDATE $schema.replica AS replica SET state = 'serving'
       FROM $schema.table_entry AS entry, $schema.shard AS shard,
         $schema.slot AS slot, unnest($4::text[], $5::int[], $6::bigint[]) AS given (topic, slot, epoch)
       WHERE replica.shard = $1 AND replica.incarnation = $2 AND replica.state = 'joining'
         AND shard.shard = $1 AND shard.incarnation = $2 AND shard.process_id = $3
         AND entry.table_id = replica.table_id AND entry.state = 'live'
         AND entry.topic = given.topic AND replica.slot = given.slot
         AND slot.table_id = replica.table_id AND slot.slot = replica.slot AND slot.epoch = given.epoch
       RETURNING replica.table_id, replica.slot`,
      [
        shard,
        Number(incarnation),
        processId,
        proven.map(({ topic }) => topic),
        proven.map(({ slot }) => slot),
        proven.map(({ epoch }) => Number(epoch)),
      ],
    )
    if (promoted.length === 0) return 0
    await query(
      `UPDATE $schema.slot SET epoch = $1 FROM unnest($2::bigint[], $3::int[]) AS given (table_id, slot)
       WHERE slot.table_id = given.table_id AND slot.slot = given.slot`,
      [nextEpoch(), promoted.map((row) => row.table_id), promoted.map((row) => row.slot)],
    )
    touch()
    const slots = proven.map(({ namespace, name, slot }) => `${namespace}.${name}/${slot}`)
    audit('promote-replicas', `shard ${shard}`, slots.join(' '))
    return promoted.length
  })
}
