import { create, toBinary } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type ReportShardRequest,
  ReportShardRequestSchema,
  type ReportShardResponse,
  ReportShardResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState, type SlotState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { promoteReplica, proveMove } from '@truenow/kernels/sharding/move-protocol.ts'
import type { Change } from './catalog-store.ts'
import { claimsCaughtUp, provesCaughtUp } from './caught-up.ts'
import { goOnAbove } from './go-on-above.ts'
import { readOpenMovesOf, writeMove } from './move-rows.ts'
import type { Parts } from './parts.ts'
import { readPlacedSlots, type SlotChange, slotKeyOf, writePlacedSlots } from './placed-slots.ts'
import { nameOf } from './read-catalog.ts'

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
      if (promoted > 0) log.info({ shard, promoted }, 'replicas caught up and serve')
      if (proven.length > 0) await follower.refresh()
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
    const { namespace, name } = nameOf(versionsJson)
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

/**
 * joining → serving under a new epoch, or a move's next step, if shard and replica are still what they were. Answers how
 * many replicas began to serve.
 */
function promote(
  { store, clock }: Parts,
  request: ReportShardRequest,
  proven: readonly Candidate[],
): Promise<number> {
  const { shard, processId } = request
  return store.change(`shard ${shard} process ${processId}`, async (change) => {
    const { query, touch, audit } = change
    const found = await stillAssigned(change, request, proven)
    if (found.registered === undefined) return 0
    const said = { ...registeredOf(request), shard, revision: Number(request.catalogRevision), holds: true, caughtUp: true } // biome-ignore format: one line
    let epoch: number | undefined
    const nextEpoch = () => (epoch ??= change.nextEpoch())
    const promoted: Array<SlotChange & { name: string }> = []
    for (const { key, before, move, name } of found.slots) {
      if (move?.phase === 'Bootstrapping' && move.to === shard) {
        const step = proveMove(before, move, said, found.registered)
        if (step.kind === 'waits') continue
        await writeMove(query, move, { ...move, ...step.move, message: step.message }, clock.nowUs())
        touch()
        audit('advance-move', `${move.planId}/${move.number}`, `${step.move.phase}: ${name}`)
        continue
      }
      const after = promoteReplica(before, move, said, found.registered, nextEpoch)
      if (after !== undefined) promoted.push({ ...key, before, after, name })
    }
    if (promoted.length === 0) return 0
    await writePlacedSlots(query, promoted)
    touch()
    audit('promote-replicas', `shard ${shard}`, promoted.map(({ name }) => name).join(' '))
    return promoted.length
  })
}

/** Of the candidates those whose slot is still under the epoch that was proven, with the shard as it is registered now. */
async function stillAssigned(
  { query }: Change,
  { shard, incarnation }: ReportShardRequest,
  proven: readonly Candidate[],
) {
  const [registered] = await query<{ incarnation: number; processId: string }>(
    'SELECT incarnation, process_id AS "processId" FROM $schema.shard WHERE shard = $1',
    [shard],
  )
  const tables = await query<{ table_id: number; topic: string }>(
    "SELECT table_id, topic FROM $schema.table_entry WHERE state = 'live' AND topic = ANY($1::text[])",
    [proven.map(({ topic }) => topic)],
  )
  const idOf = new Map(tables.map(({ table_id, topic }) => [topic, table_id]))
  const keys = proven.flatMap((candidate) => {
    const tableId = idOf.get(candidate.topic)
    return tableId === undefined ? [] : [{ candidate, key: { tableId, slot: candidate.slot } }]
  })
  const placed = await readPlacedSlots(query, keys.map(({ key }) => key)) // biome-ignore format: one line
  const moves = new Map((await readOpenMovesOf(query, keys.map(({ key }) => key))).map((move) => [slotKeyOf(move), move])) // biome-ignore format: one line
  const slots = keys.flatMap(({ candidate, key }) => {
    const before = placed.get(slotKeyOf(key))
    const ours = before?.replicas.some(
      (one) => one.shard === shard && one.incarnation === Number(incarnation),
    )
    if (before === undefined || ours !== true || before.epoch !== Number(candidate.epoch)) return []
    const name = `${candidate.namespace}.${candidate.name}/${candidate.slot}`
    return [{ key, before, move: moves.get(slotKeyOf(key)), name }]
  })
  return { registered, slots }
}

const registeredOf = ({ incarnation, processId }: ReportShardRequest) => ({
  incarnation: Number(incarnation),
  processId,
})
