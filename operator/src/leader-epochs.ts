import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { ObjectKey } from './kubernetes/kubernetes-port.ts'
import type { LeaseTerm } from './kubernetes/leader-lease.ts'
import type { Operands } from './operands.ts'

/** Clusters whose epoch is remembered; beyond it the oldest is asked for again. */
export const LEADER_EPOCHS_MAX = 10_000

/** gRPC UNIMPLEMENTED. */
const METHOD_UNKNOWN = 12

export type LeaderEpochs = Readonly<{
  /** Runs a command under this cluster's epoch, asking the control plane for one at first. Errors: TN_LEADER_STALE. */
  under: <T>(
    cluster: ObjectKey,
    command: (leaderEpoch: bigint) => Promise<T>,
    /** Of the question for an epoch; the command has its own. */
    options?: Readonly<{ timeoutMs: number }>,
  ) => Promise<T>
}>

/**
 * The epochs by which control planes know this leader. A refused command forgets the epoch: a catalog that was made anew
 * grants another, and one that has a newer leader refuses that too. Where that newer leader holds our own Lease, this process
 * was deposed without having noticed.
 */
export function createLeaderEpochs(
  options: Readonly<{
    operands: Operands
    /** `<namespace>/<lease>`. */
    operator: string
    term: () => LeaseTerm | undefined
    holder: () => string | undefined
    /** Another process was granted a later term of our own Lease: whatever this one still believes, it leads no more. */
    onDeposed: (message: string) => void
  }>,
): LeaderEpochs {
  const { operands, operator, term, holder, onDeposed } = options
  const epochs = new Map<string, bigint>()
  const ask = async (
    cluster: ObjectKey,
    key: string,
    options?: Readonly<{ timeoutMs: number }>,
  ): Promise<bigint> => {
    const [leading, identity] = [term(), holder()]
    if (leading === undefined || identity === undefined)
      throw new TrueNowError('TN_LEADER_STALE', 'This process does not lead any more; it commands nothing.')
    const request = {
      operator,
      holder: identity,
      leaseCreatedAtUs: BigInt(Date.parse(leading.createdAt) || 0) * 1_000n,
      leaseTransitions: BigInt(leading.transitions),
    }
    const granted = await operands.controlPlane(cluster).grantLeader(request, options).catch(unlessOlder)
    // Asked again before the next command: it may have been upgraded by then.
    if (granted === undefined) return 0n
    const { leaderEpoch } = granted
    const [oldest] = epochs.keys()
    if (epochs.size >= LEADER_EPOCHS_MAX && oldest !== undefined) epochs.delete(oldest)
    epochs.set(key, leaderEpoch)
    return leaderEpoch
  }
  return {
    under: async (cluster, command, options) => {
      const key = `${cluster.namespace}/${cluster.name}`
      try {
        return await command(epochs.get(key) ?? (await ask(cluster, key, options)))
      } catch (error) {
        if (error instanceof TrueNowError && error.code === 'TN_LEADER_STALE') {
          const mine = epochs.get(key) ?? 0n
          epochs.delete(key)
          // A catalog restored from a backup may name an earlier holder, but never with a greater epoch than we were granted.
          const { details } = error
          const isNewer = details.holder !== holder() && Number(details.leaderEpoch) > Number(mine)
          if (details.operator === operator && isNewer) onDeposed(error.message)
        }
        throw error
      }
    },
  }
}

/** Undefined: a control plane of before leader epochs, which knows no such call and obeys whoever commands. */
function unlessOlder(error: unknown): undefined {
  if (error instanceof TrueNowError && error.details.grpcStatus === METHOD_UNKNOWN) return undefined
  throw error
}
