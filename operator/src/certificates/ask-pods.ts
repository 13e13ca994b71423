import { ROLE_PORTS } from '@truenow/contracts/ports.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { OperatorContext } from '../operator-context.ts'
import { podsOfCluster } from '../pods-of-cluster.ts'
import { POD_ROLES } from '../resources/services.ts'
import { observeWorkloads, type Pod, type Workload } from '../workloads.ts'
import type { PodAnswer } from './unsettled-pods.ts'

/** Pods that are asked at once. */
const ASKED_AT_ONCE = 16
/** Phases of pods that will never run again, such as evicted ones: they call nobody. */
const ENDED = ['Failed', 'Succeeded']

/**
 * Asks every pod of a cluster. A role of which fewer pods are to be seen than it should have counts as one that does not answer: an
 * old cache, or a pod that is only being made, proves nothing.
 */
export async function askPods(
  context: OperatorContext,
  cluster: TrueNowCluster,
): Promise<Array<Readonly<{ name: string; answer: PodAnswer }>>> {
  const { child, askPodTls } = context
  const pods = podsOfCluster(context, cluster.metadata).filter(
    ({ status }) => !ENDED.includes(status?.phase ?? ''),
  )
  const roleOf = ({ metadata }: Pod) => metadata.labels?.['app.kubernetes.io/component']
  const asked: Array<Readonly<{ name: string; answer: PodAnswer }>> = []
  const ask = async (pod: Pod) => {
    const role = POD_ROLES.find((one) => one === roleOf(pod))
    const address = pod.status?.podIP
    if (role === undefined) return
    const answer =
      address === undefined ? undefined : await askPodTls(`${hostOf(address)}:${ROLE_PORTS[role].http}`)
    asked.push({ name: pod.metadata.name, answer })
  }
  for (let at = 0; at < pods.length; at += ASKED_AT_ONCE)
    await Promise.all(pods.slice(at, at + ASKED_AT_ONCE).map(ask))
  for (const { role, desired } of observeWorkloads(cluster, (kind, key) => child<Workload>(kind, key))) {
    const seen = pods.filter((pod) => roleOf(pod) === role).length
    if (seen < desired) asked.push({ name: `one of the ${desired} pods of ${role}`, answer: undefined })
  }
  return asked.toSorted((left, right) => left.name.localeCompare(right.name))
}

const hostOf = (address: string): string => (address.includes(':') ? `[${address}]` : address)
