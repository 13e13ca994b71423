import { create } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type GrantLeaderRequest,
  type GrantLeaderResponse,
  GrantLeaderResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import {
  grantLeader as grant,
  type LeaderGrant,
  whyNotHeard,
} from '@truenow/kernels/sharding/move-protocol.ts'
import type { Change } from './catalog-store.ts'
import { migrate } from './migrate.ts'
import type { Parts } from './parts.ts'

/**
 * Terms of two Leases cannot be compared, so another operator is heard only when the former has commanded nothing for this
 * long: it was handed the cluster over (truenow.io/adopt), or the former is gone.
 */
export const LEADER_CLAIM_SECONDS = 60

type Known = LeaderGrant & Readonly<{ operator: string; silentSeconds: number }>

/**
 * Catalog.GrantLeader: an epoch for whoever leads, greater than every one before. It comes before the first command, so a
 * catalog that was deleted under this process is made anew here. Errors: TN_LEADER_STALE.
 */
export async function grantLeader(
  { store, follower }: Parts,
  request: GrantLeaderRequest,
): Promise<GrantLeaderResponse> {
  const { operator, holder } = request
  if (operator === '' || holder === '')
    throw new TrueNowError('TN_REQUEST_INVALID', 'GrantLeader needs the Lease (`operator`) and its `holder`.')
  const asking = {
    createdAtUs: Number(request.leaseCreatedAtUs),
    transitions: Number(request.leaseTransitions),
    holder,
  }
  if (follower.state() === 'gone') await migrate(store.postgres, store.schema)
  const epoch = await store.change(holder, async (change) => {
    const known = await knownLeader(change)
    const granted =
      known === undefined || known.operator === operator ? grant(known, asking) : takeOver(known, asking)
    if (typeof granted === 'string') throw stale(known, granted)
    await change.query(
      `UPDATE $schema.catalog SET leader_operator = $1, leader_holder = $2, leader_created_at_us = $3,
         leader_transitions = $4, leader_epoch = $5, leader_heard_at = now()`,
      [operator, holder, granted.createdAtUs, granted.transitions, granted.epoch],
    )
    if (granted.epoch !== known?.epoch)
      change.audit(
        'grant-leader',
        operator,
        `epoch ${granted.epoch} to ${holder}, term ${granted.transitions}`,
      )
    return granted.epoch
  })
  return create(GrantLeaderResponseSchema, { leaderEpoch: BigInt(epoch) })
}

/** Refuses a command of any leader but the newest; to be called first in the transaction that obeys it. */
export async function requireLeader(change: Change, epoch: bigint): Promise<void> {
  const known = await knownLeader(change)
  const why = whyNotHeard(known, Number(epoch))
  if (why !== undefined) throw stale(known, why)
  await change.query('UPDATE $schema.catalog SET leader_heard_at = now()')
}

/**
 * The same for commands that are older than leader epochs: epoch 0, of a caller without a Lease, is obeyed where no leader
 * was ever granted one, or after LEADER_CLAIM_SECONDS of its silence, so that an operator can be rolled back.
 */
export async function requireLeaderIfAny(change: Change, epoch: bigint): Promise<void> {
  if (epoch === 0n) refuseUnfenced(await knownLeader(change))
  else await requireLeader(change, epoch)
}

/** For what comes before the transaction and is harmless when repeated: the transaction asks again. */
export async function refuseStaleLeader({ query }: Pick<Change, 'query'>, epoch: bigint): Promise<void> {
  const known = await knownLeader({ query })
  if (epoch === 0n) return refuseUnfenced(known)
  const why = whyNotHeard(known, Number(epoch))
  if (why !== undefined) throw stale(known, why)
}

function refuseUnfenced(known: Known | undefined): void {
  if (known === undefined || known.silentSeconds >= LEADER_CLAIM_SECONDS) return
  throw stale(known, `it carries no leader epoch, and ${commanded(known)}`)
}

const commanded = ({ operator, silentSeconds }: Known) =>
  `operator ${operator} commanded ${Math.round(silentSeconds)} s ago; another is heard after ${LEADER_CLAIM_SECONDS} s of silence`

function takeOver(known: Known, asking: Omit<LeaderGrant, 'epoch'>): LeaderGrant | string {
  if (known.silentSeconds >= LEADER_CLAIM_SECONDS) return { ...asking, epoch: known.epoch + 1 }
  return commanded(known)
}

async function knownLeader({ query }: Pick<Change, 'query'>): Promise<Known | undefined> {
  const [row] = await query<{
    operator: string
    holder: string
    created: number
    transitions: number
    epoch: number | null
    silent: number
  }>(
    `SELECT leader_operator AS operator, leader_holder AS holder, leader_created_at_us AS created, leader_transitions AS transitions,
       leader_epoch AS epoch, extract(epoch FROM now() - leader_heard_at)::float8 AS silent FROM $schema.catalog`,
  )
  if (row === undefined || row.epoch === null) return undefined
  const { operator, holder, created, transitions, epoch, silent } = row
  return { operator, holder, createdAtUs: created, transitions, epoch, silentSeconds: silent }
}

function stale(known: Known | undefined, why: string): TrueNowError {
  const message = `The command is refused: ${why}. Whoever leads now asks for an epoch (GrantLeader) and commands under it.`
  const { epoch = 0, operator = '', holder = '' } = known ?? {}
  return new TrueNowError('TN_LEADER_STALE', message, { details: { leaderEpoch: epoch, operator, holder } })
}
