import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { RoleState } from '../workloads.ts'
import type { Judgement } from './judgement.ts'
import { servingReplicas } from './serving-replicas.ts'

const NEEDED = ['SpecValid', 'Synced', 'OperandReachable', 'KafkaReachable', 'Available']

/** All of the others, every pod ready, every slot at full replication. The message names the first thing in the way. Pure. */
export function clusterReady(
  others: readonly Judgement[],
  seen: Readonly<{
    roles: readonly RoleState[]
    placement: GetPlacementResponse | undefined
    troubles: string
  }>,
): Judgement {
  const type = 'Ready'
  const no = (reason: string, message: string): Judgement => ({ type, status: 'False', reason, message })
  const invalid = others.find((one) => one.type === 'SpecValid' && one.status !== 'True')
  if (invalid !== undefined) return no(invalid.reason, invalid.message)
  // Before the pods: some wait for nothing else.
  const kafka = others.find((one) => one.type === 'KafkaReachable' && one.status === 'False')
  if (kafka !== undefined) return no(kafka.reason, kafka.message)
  const unready = seen.roles.filter(({ desired, ready }) => ready < desired)
  if (unready.length > 0) {
    const what = unready.map(({ role, ready, desired }) => `${role} ${ready}/${desired}`).join(', ')
    const why = seen.troubles === '' ? '' : ` ${seen.troubles}.`
    return no('PodsNotReady', `Ready pods: ${what}.${why}`)
  }
  const failed = NEEDED.map((name) => others.find((one) => one.type === name)).find(
    (one) => one === undefined || one.status !== 'True',
  )
  if (failed !== undefined) return no(failed.reason, failed.message)
  const thin = underReplicated(seen.placement)
  if (thin > 0)
    return no(
      'UnderReplicated',
      `${thin} slots have fewer serving replicas than replicationFactor; they catch up.`,
    )
  return {
    type,
    status: 'True',
    reason: 'AllServing',
    message: 'Every pod is ready and every slot served in full.',
  }
}

function underReplicated(placement: GetPlacementResponse | undefined): number {
  if (placement?.catalog === undefined) return 0
  const { tables, replicationFactor } = placement.catalog
  return tables
    .flatMap(({ slots }) => slots)
    .filter((slot) => servingReplicas(slot, placement) < replicationFactor).length
}
