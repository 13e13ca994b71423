import { KubernetesError, type KubernetesPort } from './kubernetes/kubernetes-port.ts'
import type { ControlPlane, Operands } from './operands.ts'

/** Every write asks whether we lead, at that very moment: a leader that was frozen wakes in the middle of a pass. */
export function portWhileLeading(port: KubernetesPort, isLeader: () => boolean): KubernetesPort {
  const refused = () =>
    Promise.reject(
      new KubernetesError('This process does not lead any more.', { status: 0, reason: 'NotLeader' }),
    )
  return {
    ...port,
    apply: (...args) => (isLeader() ? port.apply(...args) : refused()),
    mergePatch: (...args) => (isLeader() ? port.mergePatch(...args) : refused()),
    create: (...args) => (isLeader() ? port.create(...args) : refused()),
    replace: (...args) => (isLeader() ? port.replace(...args) : refused()),
    remove: (...args) => (isLeader() ? port.remove(...args) : refused()),
  }
}

/** The same for what is told to control planes; reading is open to all. */
export function operandsWhileLeading(operands: Operands, isLeader: () => boolean): Operands {
  const refused = () =>
    Promise.reject(
      new KubernetesError('This process does not lead any more.', { status: 0, reason: 'NotLeader' }),
    )
  const guarded = (one: ControlPlane): ControlPlane => {
    // Of this type, so that a command that is new cannot be forgotten here.
    const commands: Omit<ControlPlane, 'getPlacement' | 'close'> = {
      putCluster: (...args) => (isLeader() ? one.putCluster(...args) : refused()),
      putTable: (...args) => (isLeader() ? one.putTable(...args) : refused()),
      deleteTable: (...args) => (isLeader() ? one.deleteTable(...args) : refused()),
      deleteCluster: (...args) => (isLeader() ? one.deleteCluster(...args) : refused()),
      grantLeader: (...args) => (isLeader() ? one.grantLeader(...args) : refused()),
      planMoves: (...args) => (isLeader() ? one.planMoves(...args) : refused()),
      approveMoves: (...args) => (isLeader() ? one.approveMoves(...args) : refused()),
      advanceMoves: (...args) => (isLeader() ? one.advanceMoves(...args) : refused()),
      cancelMoves: (...args) => (isLeader() ? one.cancelMoves(...args) : refused()),
      retireShards: (...args) => (isLeader() ? one.retireShards(...args) : refused()),
    }
    return { ...one, ...commands }
  }
  return { ...operands, controlPlane: (cluster) => guarded(operands.controlPlane(cluster)) }
}
