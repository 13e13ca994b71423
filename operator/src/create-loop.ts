import { CLUSTER_LABEL } from './api/names.ts'
import type { Table } from './api/v1alpha1/table.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import { KubernetesError, type ObjectKey, type Stored } from './kubernetes/kubernetes-port.ts'
import type { Change } from './kubernetes/object-store.ts'
import type { OperatorMetrics } from './metrics.ts'
import type { OperatorContext } from './operator-context.ts'
import { reconcileCluster } from './reconcile-cluster.ts'
import { reconcileRebalance } from './reconcile-rebalance.ts'
import { reconcileTable } from './reconcile-table.ts'
import { type Departed, retireDeparted } from './retire-departed.ts'
import { tablesOfCluster } from './tables-of-cluster.ts'

/** Deleted objects that wait to be let go; beyond it they are left to `retireLostTables` and to claims that expire. */
export const DEPARTED_MAX = 10_000

/**
 * Whatever made our copy old comes by the watch and is worked on at once; this is for a watch that sleeps, which many keys may
 * wait for: each time twice as long.
 */
const OLD_COPY_MS = 1_000
const OLD_COPY_MS_MAX = 60_000

export type Again = { afterMs: number } | undefined
export type Loop = Readonly<{
  /** Works on one key of the queue. */
  work: (key: string) => Promise<Again>
  /** Turns a change of any object that is watched into keys of the queue. */
  onChange: (kind: string, change: Change<Stored>) => void
  /** Every object there is, for a new leader. */
  addAll: () => void
}>

const CLUSTER = 'TrueNowCluster'
const TABLE = 'Table'
const REBALANCE = 'Rebalance'
const keyOf = (kind: string, { namespace, name }: ObjectKey) => `${kind}/${namespace}/${name}`

/**
 * The control loop: changes become keys, keys become passes over the whole state. What an event said is never trusted; only
 * that an object without a finalizer went is remembered, because afterwards nothing else tells.
 */
export function createLoop(
  context: OperatorContext,
  options: Readonly<{
    add: (key: string) => void
    restMs: number
    metrics: OperatorMetrics
    isLeader: () => boolean
  }>,
): Loop {
  const { add, restMs, metrics, isLeader } = options
  const departed = new Map<string, Departed>()
  /** Conflicts in a row, by key; of keys that are in the queue, and so no more than it holds. */
  const conflicts = new Map<string, number>()
  const addCluster = (key: ObjectKey) => {
    add(keyOf(CLUSTER, key))
    for (const { metadata } of tablesOfCluster(context.tables, key)) add(keyOf(TABLE, metadata))
  }
  const depart = (object: Table | TrueNowCluster) => {
    if (!isLeader() || departed.size >= DEPARTED_MAX) return
    departed.set(object.metadata.uid, { object, seenMs: context.clock.monotonicMs() })
    metrics.departed.set(departed.size)
  }
  const reconcile = (kind: string, key: ObjectKey): Promise<Again> => {
    if (kind === CLUSTER) return reconcileCluster(context, key, restMs)
    return kind === TABLE ? reconcileTable(context, key, restMs) : reconcileRebalance(context, key)
  }
  /** What went under this name is let go in the same pass: beside it, a pass over the old object could claim its name again. */
  const pass = async (key: string): Promise<Again> => {
    const [kind = '', namespace = '', name = ''] = key.split('/')
    const retired = await retireOf(context, departed, kind, { namespace, name })
    metrics.departed.set(departed.size)
    const again = await reconcile(kind, { namespace, name })
    return sooner(retired, again)
  }
  return {
    work: async (key) => {
      const kind = key.split('/')[0] ?? ''
      const stop = metrics.passSeconds.startTimer({ kind })
      try {
        const again = await pass(key)
        conflicts.delete(key)
        metrics.passes.inc({ kind, outcome: 'done' })
        return again
      } catch (error) {
        const wasOld = error instanceof KubernetesError && error.reason === 'Conflict'
        metrics.passes.inc({ kind, outcome: wasOld ? 'conflict' : 'failed' })
        if (!wasOld) {
          conflicts.delete(key)
          throw error
        }
        context.log.debug({ key, err: error }, 'our copy was old; the pass says nothing and is repeated')
        const before = conflicts.get(key) ?? 0
        conflicts.set(key, before + 1)
        return { afterMs: Math.min(OLD_COPY_MS * 2 ** before, OLD_COPY_MS_MAX) }
      } finally {
        stop()
      }
    },
    onChange: (kind, { kind: what, object }) => {
      const { metadata } = object
      if (kind === TABLE || kind === CLUSTER) {
        if (what === 'gone') depart(object as Table | TrueNowCluster)
        if (kind === TABLE) add(keyOf(TABLE, metadata))
        else addCluster(metadata)
        return
      }
      if (kind === REBALANCE) return add(keyOf(REBALANCE, metadata))
      const owner = metadata.labels?.[CLUSTER_LABEL]
      if (owner !== undefined) addCluster({ namespace: metadata.namespace, name: owner })
    },
    addAll: () => {
      for (const { metadata } of context.clusters.all()) add(keyOf(CLUSTER, metadata))
      for (const { metadata } of context.tables.all()) add(keyOf(TABLE, metadata))
      for (const { metadata } of context.rebalances.all()) add(keyOf(REBALANCE, metadata))
    },
  }
}

async function retireOf(
  context: OperatorContext,
  departed: Map<string, Departed>,
  kind: string,
  { namespace, name }: ObjectKey,
): Promise<Again> {
  let again: Again
  for (const [uid, one] of departed) {
    const { object } = one
    if (object.kind !== kind || object.metadata.namespace !== namespace || object.metadata.name !== name)
      continue
    const later = await retireDeparted(context, one)
    if (later === undefined) departed.delete(uid)
    again = sooner(again, later)
  }
  return again
}

function sooner(left: Again, right: Again): Again {
  if (left === undefined || right === undefined) return left ?? right
  return left.afterMs < right.afterMs ? left : right
}
