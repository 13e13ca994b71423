import type { Clock } from '@truenow/chassis/clock.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'
import type { Resource, Stored } from './kubernetes-port.ts'
import { microTime } from './micro-time.ts'

export const LEASES: Resource = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' }
export type Lease = Stored &
  Readonly<{
    spec: Readonly<{
      holderIdentity?: string
      leaseDurationSeconds?: number
      acquireTime?: string
      renewTime?: string
      leaseTransitions?: number
    }>
  }>
/** The Lease as last read, and since when it has been so by the clock of whoever read it. */
export type SeenLease = Readonly<{
  /** Undefined: there is none. */
  lease: Lease | undefined
  record: string
  atMs: number
  /** There was a held one before: its holder may not have noticed yet. */
  vanished: boolean
}>

/** A holder's own duration counts, as it may come from another release; but not without end. */
const HOLDER_LEASE_MS_MAX = 60_000

/** Whether a candidate may take what it saw: it is free, its own, or unchanged for the whole lease. Times by the local clock. */
export function mayTake(seen: SeenLease, identity: string, nowMs: number, leaseMs: number): boolean {
  const holder = seen.lease?.spec.holderIdentity || undefined
  if (holder === identity) return true
  if (holder === undefined && !seen.vanished) return true
  const heldMs = Math.min((seen.lease?.spec.leaseDurationSeconds ?? 0) * 1_000, HOLDER_LEASE_MS_MAX)
  return nowMs - seen.atMs >= Math.max(leaseMs, heldMs)
}

/**
 * The Lease under `identity`, made from the one that was read, whose resourceVersion is the precondition. `''` releases.
 * A new holder raises `leaseTransitions`; the first is 0. Metadata of others stays.
 */
export function leaseRecord(
  from: Lease | undefined,
  by: Readonly<{ namespace: string; name: string; identity: string; leaseMs: number; clock: Clock }>,
): KubernetesObject {
  const now = microTime.format(by.clock.nowUs())
  const renews = from?.spec.holderIdentity === by.identity
  const releases = by.identity === ''
  const transitions = from?.spec.leaseTransitions ?? 0
  const metadata: KubernetesObject['metadata'] = {
    ...from?.metadata,
    namespace: by.namespace,
    name: by.name,
  }
  return {
    apiVersion: LEASES.apiVersion,
    kind: LEASES.kind,
    metadata,
    spec: {
      ...from?.spec,
      holderIdentity: by.identity,
      leaseDurationSeconds: releases ? 1 : Math.ceil(by.leaseMs / 1_000),
      acquireTime: renews ? (from?.spec.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: from === undefined || renews || releases ? transitions : transitions + 1,
    },
  }
}
