import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { Judgement } from '../conditions/judgement.ts'
import { KubernetesError, type Stored } from '../kubernetes/kubernetes-port.ts'
import { childResource, VOLUME_CLAIMS } from '../kubernetes/resources.ts'
import type { OperatorContext } from '../operator-context.ts'
import { podOfShard } from '../pod-of-shard.ts'
import { bytesOfQuantity } from '../quantity.ts'
import { labelSelectorOf, selectorLabels } from '../resources/child-metadata.ts'
import type { Step, StepResult } from '../step.ts'
import type { Workload } from '../workloads.ts'

type Claim = Stored &
  Readonly<{
    spec?: Readonly<{ resources?: Readonly<{ requests?: Readonly<{ storage?: string }> }> }>
    status?: Readonly<{
      capacity?: Readonly<{ storage?: string }>
      conditions?: ReadonlyArray<Readonly<{ type: string; status: string }>>
    }>
  }>
const GROWN = 'VolumesGrown'

/**
 * Volumes follow `hotTier.storage.size` up. A StatefulSet keeps the volumes it was made with, so: every claim is made larger; then
 * the set is deleted without its pods, which run on, and made anew with the larger template (ensure-children), which takes them
 * over. Nothing is remembered between these: what stands says what comes next, whoever leads. Where a claim may not grow, the set
 * stays as it was and all else goes on. Whether a class allows it, the API server says: it refuses the first claim.
 */
export function growVolumes(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'grow-volumes',
    condition: 'Synced',
    run: async (cluster, { paused }) => {
      const { metadata, spec, status } = cluster
      const name = `${metadata.name}-hot-tier`
      const live = context.child<Workload>('StatefulSet', { namespace: metadata.namespace, name })
      const have = live?.spec.volumeClaimTemplates?.[0]?.spec.resources.requests.storage
      if (paused === true || live === undefined || have === undefined) return { kind: 'done' }
      if (live.metadata.deletionTimestamp !== undefined) return madeAnew(name)
      const { size } = spec.hotTier.storage
      const wanted = bytesOfQuantity(size)
      if (wanted < bytesOfQuantity(have)) return shrinkRefused(size, have)
      const before = status?.conditions?.find(({ type }) => type === GROWN)
      const grows = wanted > bytesOfQuantity(have)
      const isOpen = before !== undefined && before.status !== 'True'
      if (!grows && !isOpen && status?.observedGeneration === metadata.generation)
        return { kind: 'done', facts: { volumes: before === undefined ? 'none' : asSpecified(size) } }
      // Told before it begins: as long as the condition stands, whoever leads has something to look after.
      if (grows && !isOpen) return { kind: 'done', facts: { volumes: growing(size), keptStorage: have } }
      const claims = await claimsOf(context, cluster)
      const refused = await growClaims(context, cluster, claims, wanted)
      if (refused !== undefined) return { kind: 'done', facts: { volumes: refused, keptStorage: have } }
      if (grows) {
        const key = { namespace: metadata.namespace, name }
        await context.kubernetes.remove(childResource('StatefulSet'), key, live.metadata.uid, {
          orphan: true,
        })
        return madeAnew(name)
      }
      const pending = pendingOf(claims, wanted)
      if (pending === undefined && before === undefined) return { kind: 'done', facts: { volumes: 'none' } }
      return { kind: 'done', facts: { volumes: pending ?? asSpecified(size) } }
    },
  }
}

const madeAnew = (name: string): StepResult<ClusterFacts> => ({
  kind: 'wait',
  seconds: 1,
  reason: 'GrowingVolumes',
  message: `StatefulSet ${name} is made anew with larger volumes; its pods run on.`,
  facts: { volumes: judged('False', 'Growing', `StatefulSet ${name} is made anew.`) },
})

const shrinkRefused = (size: string, have: string): StepResult<ClusterFacts> => ({
  kind: 'wait',
  seconds: 60,
  condition: 'SpecValid',
  reason: 'ShrinkRefused',
  message: `spec.hotTier.storage.size is ${size} and volumes have ${have}: they cannot shrink; set it back.`,
})

/** Those of the shards that shall be, in order; a claim on its way out is nobody's any more. */
async function claimsOf({ kubernetes }: OperatorContext, cluster: TrueNowCluster): Promise<readonly Claim[]> {
  const { metadata, spec } = cluster
  const labelSelector = labelSelectorOf(selectorLabels(cluster, 'hot-tier'))
  const { items } = await kubernetes.list<Claim>(VOLUME_CLAIMS, {
    namespace: metadata.namespace,
    labelSelector,
  })
  const shards = Array.from({ length: spec.hotTier.shards }, (_, shard) => shard)
  return shards.flatMap((shard) => {
    const name = `data-${podOfShard(cluster, shard)}`
    return (
      items.find((one) => one.metadata.name === name && one.metadata.deletionTimestamp === undefined) ?? []
    )
  })
}

/** Asks for the size where less is asked for. Answers why that was refused. Errors: KubernetesError. */
async function growClaims(
  { kubernetes, record }: OperatorContext,
  cluster: TrueNowCluster,
  claims: readonly Claim[],
  wanted: number,
): Promise<Judgement | undefined> {
  const { size } = cluster.spec.hotTier.storage
  for (const { metadata, spec } of claims) {
    if (bytesOfQuantity(spec?.resources?.requests?.storage ?? '0') >= wanted) continue
    const { namespace, name, uid, resourceVersion } = metadata
    const patch = { metadata: { uid, resourceVersion }, spec: { resources: { requests: { storage: size } } } }
    try {
      await kubernetes.mergePatch(VOLUME_CLAIMS, { namespace, name }, patch)
    } catch (error) {
      if (!(error instanceof KubernetesError) || ![403, 422].includes(error.status)) throw error
      const message = `PersistentVolumeClaim ${name} may not grow to ${size}: ${error.message}. Its StorageClass must have allowVolumeExpansion: true, and the operator the right to patch claims.`
      return judged('False', 'ExpansionRefused', message)
    }
    const note = `PersistentVolumeClaim ${name} shall have ${size}; the pod on it runs on.`
    await record(cluster, { type: 'Normal', reason: 'VolumeGrows', action: 'Grow', note })
  }
  return undefined
}

/** What claims still wait for; undefined: all have what they were promised. */
function pendingOf(claims: readonly Claim[], wanted: number): Judgement | undefined {
  const has = (claim: Claim, type: string) =>
    claim.status?.conditions?.some((one) => one.type === type && one.status === 'True') === true
  const small = claims.filter(({ status }) => bytesOfQuantity(status?.capacity?.storage ?? '0') < wanted)
  const names = (some: readonly Claim[]) => some.map(({ metadata }) => metadata.name).join(', ')
  const restart = small.filter((claim) => has(claim, 'FileSystemResizePending'))
  if (restart.length > 0) {
    const pods = restart.map(({ metadata }) => metadata.name.replace(/^data-/, '')).join(', ')
    const message = `The file systems of ${names(restart)} grow when their pods start: delete ${pods}, one at a time, each after the cluster is Ready again.`
    return judged('False', 'FileSystemResizePending', message)
  }
  return small.length === 0
    ? undefined
    : judged('False', 'Resizing', `The storage still enlarges ${names(small)}.`)
}

const growing = (size: string) => judged('False', 'Growing', `Volumes shall have ${size}.`)
const asSpecified = (size: string) => judged('True', 'AsSpecified', `Every volume has ${size} or more.`)
const judged = (status: Judgement['status'], reason: string, message: string): Judgement => ({ type: GROWN, status, reason, message }) // biome-ignore format: one line
