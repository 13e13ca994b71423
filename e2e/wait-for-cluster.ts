import { setTimeout as sleep } from 'node:timers/promises'
import { QUICKSTART } from './install-truenow.ts'
import { podsOfCluster, type RunningPod } from './pods-of-cluster.ts'
import { kubectl, type Target } from './target.ts'

type Condition = Readonly<{
  type: string
  status: string
  reason: string
  message: string
  observedGeneration: number
}>
type Seen = Readonly<{
  metadata: Readonly<{ generation: number }>
  status?: Readonly<{
    phase?: string
    conditions?: readonly Condition[]
    inProgressOperations?: Readonly<{ upgrade?: Readonly<Record<string, string>> }>
  }>
}>

/**
 * Waits until the cluster `demo` of a namespace is Ready for its newest spec and `more` holds. Answers what its status said of
 * the upgrade meanwhile, in order and each once. Errors: after `timeoutMs`, with where it stands.
 */
export async function waitForCluster(
  target: Target,
  namespace: string,
  timeoutMs: number,
  more: () => Promise<string | undefined> = async () => undefined,
): Promise<string[]> {
  const giveUpAt = performance.now() + timeoutMs
  const said: string[] = []
  for (;;) {
    const args = ['-n', namespace, 'get', `truenowcluster/${QUICKSTART.cluster}`, '-o', 'json']
    const { metadata, status } = JSON.parse(await kubectl(target, args)) as Seen
    const { role, pod, predicate } = status?.inProgressOperations?.upgrade ?? {}
    const told = [role, pod, predicate].filter((one) => one !== undefined).join(' ')
    if (told !== '' && said.at(-1) !== told) said.push(told)
    const ready = status?.conditions?.find(({ type }) => type === 'Ready')
    const is = ready?.status === 'True' && ready.observedGeneration === metadata.generation
    const why = is ? await more() : `${ready?.reason}: ${ready?.message}`
    if (why === undefined) return said
    if (performance.now() > giveUpAt)
      throw new Error(`cluster ${namespace}: not within ${timeoutMs} ms: ${why}; ${JSON.stringify(status)}`)
    await sleep(500)
  }
}

/** Waits until the cluster is Ready, as `waitForCluster` does, and none of the pods `before` is left. */
export const waitForNewPods = (
  target: Target,
  namespace: string,
  timeoutMs: number,
  before: readonly RunningPod[],
): Promise<string[]> =>
  waitForCluster(target, namespace, timeoutMs, async () => {
    const now = await podsOfCluster(target, namespace)
    const old = now.filter(({ uid }) => before.some((pod) => pod.uid === uid))
    return old.length === 0 ? undefined : `${old.map((pod) => pod.name).join(', ')} are of before`
  })
