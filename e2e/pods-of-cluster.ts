import { QUICKSTART } from './install-truenow.ts'
import { kubectl, type Target } from './target.ts'

/** One pod of a cluster as it runs now; `started` changes with the pod, its container and its image. */
export type RunningPod = Readonly<{ name: string; role: string; uid: string; image: string; started: string }>

/** The pods of the cluster `demo` of a namespace that are not on their way out, by name. */
export async function podsOfCluster(target: Target, namespace: string): Promise<RunningPod[]> {
  const label = `truenow.io/cluster=${QUICKSTART.cluster}`
  const { items } = JSON.parse(
    await kubectl(target, ['-n', namespace, 'get', 'pods', '-l', label, '-o', 'json']),
  )
  return (items as PodJson[])
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata, spec, status }) => {
      const { name, uid, labels } = metadata
      const restarts = status.containerStatuses?.[0]?.restartCount ?? 0
      const image = spec.containers[0]?.image ?? ''
      const role = labels['app.kubernetes.io/component'] ?? ''
      return { name, role, uid, image, started: `${uid}/${restarts}/${image}` }
    })
    .toSorted((left, right) => left.name.localeCompare(right.name))
}

type PodJson = Readonly<{
  metadata: Readonly<{
    name: string
    uid: string
    deletionTimestamp?: string
    labels: Readonly<Record<string, string>>
  }>
  spec: Readonly<{ containers: ReadonlyArray<Readonly<{ image: string }>> }>
  status: Readonly<{ containerStatuses?: ReadonlyArray<Readonly<{ restartCount: number }>> }>
}>
