import type { KubernetesObject } from './kubernetes-object.ts'

type Scaled = Readonly<{
  scaleTargetRef: Readonly<{ kind: string; name: string }>
  minReplicas: number
  maxReplicas: number
}>

/**
 * The same objects, but whatever an autoscaler among them scales has as many pods as stand there, within its bounds: the
 * autoscaler's number is not ours to change. It is not left out of what is applied, because Kubernetes makes a 1 of what its
 * only owner gives up. Pure.
 */
export function keepScale(
  wanted: readonly KubernetesObject[],
  standing: (kind: string, name: string) => number | undefined,
): KubernetesObject[] {
  const scaled = new Map(
    wanted
      .filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
      .map(({ spec }) => {
        const { scaleTargetRef: target, ...bounds } = spec as Scaled
        return [`${target.kind}/${target.name}`, bounds]
      }),
  )
  return wanted.map((one) => {
    const { kind, metadata } = one
    const bounds = scaled.get(`${kind}/${metadata.name}`)
    if (bounds === undefined) return one
    const { minReplicas, maxReplicas } = bounds
    const replicas = Math.min(maxReplicas, Math.max(minReplicas, standing(kind, metadata.name) ?? 0))
    return { ...one, spec: { ...(one.spec as object), replicas } }
  })
}
