import { systemClock } from '@truenow/chassis/clock.ts'
import type { Log } from '@truenow/chassis/log.ts'
import { KubernetesError, type Stored } from '../../src/kubernetes/kubernetes-port.ts'
import { createReflector } from '../../src/kubernetes/reflector.ts'
import { PODS, VOLUME_CLAIMS } from '../../src/kubernetes/resources.ts'
import type { Json, RealApiServer } from './real-api-server.ts'

export type ScriptedPod = Stored & {
  spec: { nodeName?: string; containers: [{ name: string; image: string }] }
  status?: { podIP?: string; conditions?: ReadonlyArray<{ type: string; status: string }> }
}
type Claim = Stored & {
  spec: { resources: { requests: { storage: string } } }
  status?: { phase?: string; capacity?: { storage?: string } }
}
export type ScriptedKubelet = ReturnType<typeof createScriptedKubelet>

export const ZONE_LABEL = 'topology.kubernetes.io/zone'
/** Nodes as objects: nothing runs on them, but the API server binds pods to them. */
const NODES = ['a', 'b', 'c'].map((zone) => ({ name: `node-${zone}`, zone: `zone-${zone}` }))
const STORAGE_CLASS = 'scripted'

/** Nodes and the class of storage that the scripts below play; to be made once. */
export async function applyScriptedNodes({ ask }: RealApiServer): Promise<void> {
  const apply = (path: string, object: Json) =>
    ask('PATCH', `${path}?fieldManager=scripted-node`, object, 'application/apply-patch+yaml')
  for (const { name, zone } of NODES) {
    const metadata = { name, labels: { [ZONE_LABEL]: zone } }
    await apply(`/api/v1/nodes/${name}`, { apiVersion: 'v1', kind: 'Node', metadata })
  }
  const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' }
  await apply(`/apis/storage.k8s.io/v1/storageclasses/${STORAGE_CLASS}`, {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: STORAGE_CLASS, annotations },
    provisioner: 'truenow.io/scripted',
    allowVolumeExpansion: true,
  })
}

/**
 * What scheduler, kubelet and storage do in all namespaces, by the API server alone: a pod is bound to a node, becomes ready, and is
 * gone once it was deleted; a claim is bound and as large as it asks to be. Controllers make and count the pods themselves.
 */
export function createScriptedKubelet(api: RealApiServer, log: Log) {
  let addresses = 0
  const failures: string[] = []
  /** Each object by itself and one thing after the other; the next event of it looks again. */
  const busy = new Set<string>()
  const settings = { log, clock: systemClock, random: Math.random }
  const act = (object: Stored, work: () => Promise<unknown>) => {
    const { uid } = object.metadata
    if (busy.has(uid)) return
    busy.add(uid)
    void work()
      .catch((error: unknown) => {
        // It went, has changed, or a busy machine answered too late: the next look sees.
        const passes = error instanceof KubernetesError && [0, 404, 409].includes(error.status)
        if (!passes)
          failures.push(`${object.kind} ${object.metadata.namespace}/${object.metadata.name}: ${error}`)
      })
      .finally(() => busy.delete(uid))
  }
  const look = () => {
    for (const pod of pods.all()) act(pod, () => runPod(pod))
    for (const claim of claims.all()) act(claim, () => bindClaim(claim))
  }
  /** By namespace: the most zones in which a shard was away at once. */
  const zonesAwayMax = new Map<string, number>()
  const noteZones = (namespace: string) => {
    const before = zonesAwayMax.get(namespace)
    if (before === undefined) return
    const up = new Set(readyPods(namespace, 'hot-tier').map(({ metadata }) => metadata.labels?.[ZONE_LABEL]))
    zonesAwayMax.set(namespace, Math.max(before, NODES.length - up.size))
  }
  const pods = createReflector<ScriptedPod>(api.port, PODS, {
    ...settings,
    onChange: ({ kind, object }) => {
      noteZones(object.metadata.namespace)
      if (kind !== 'gone') act(object, () => runPod(object))
    },
  })
  const claims = createReflector<Claim>(api.port, VOLUME_CLAIMS, {
    ...settings,
    onChange: ({ kind, object }) => kind !== 'gone' && act(object, () => bindClaim(object)),
  })
  const looking = setInterval(look, 250)

  /** Of a role, in one namespace. */
  const readyPods = (namespace: string, role: string) =>
    pods
      .all()
      .filter(
        (pod) =>
          pod.metadata.namespace === namespace &&
          pod.metadata.labels?.['app.kubernetes.io/component'] === role &&
          pod.metadata.deletionTimestamp === undefined &&
          isReady(pod),
      )

  async function runPod(pod: ScriptedPod): Promise<void> {
    const { namespace, name, uid, deletionTimestamp, labels } = pod.metadata
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`
    if (deletionTimestamp !== undefined) {
      await api.ask('DELETE', path, { gracePeriodSeconds: 0, preconditions: { uid } })
      return
    }
    if (pod.spec.nodeName === undefined) {
      // Shards by their number, all others together: their names are of chance, and may end with a number as well.
      const shard =
        labels?.['app.kubernetes.io/component'] === 'hot-tier' ? Number(name.split('-').at(-1)) : 0
      const node = NODES[shard % NODES.length]
      const target = { apiVersion: 'v1', kind: 'Node', name: node?.name }
      // As an admission plugin of later versions does by itself.
      await api.ask('PATCH', path, { metadata: { uid, labels: { [ZONE_LABEL]: node?.zone } } })
      const metadata = { name, namespace, uid }
      await api.ask('POST', `${path}/binding`, { apiVersion: 'v1', kind: 'Binding', metadata, target })
      return
    }
    if (isReady(pod)) return
    addresses += 1
    const podIP = `10.${(addresses >> 16) & 255}.${(addresses >> 8) & 255}.${addresses & 255}`
    const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
      type,
      status: 'True',
      lastTransitionTime: new Date().toISOString(),
    }))
    const containerStatuses = pod.spec.containers.map((container) => ({
      name: container.name,
      image: container.image,
      imageID: container.image,
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: new Date().toISOString() } },
    }))
    const status = {
      phase: 'Running',
      startTime: new Date().toISOString(),
      podIP,
      podIPs: [{ ip: podIP }],
      conditions,
      containerStatuses,
    }
    await api.ask('PATCH', `${path}/status`, { metadata: { uid }, status })
  }

  async function bindClaim({ metadata, spec, status }: Claim): Promise<void> {
    const { storage } = spec.resources.requests
    if (metadata.deletionTimestamp !== undefined) return
    if (status?.phase === 'Bound' && status.capacity?.storage === storage) return
    const path = `/api/v1/namespaces/${metadata.namespace}/persistentvolumeclaims/${metadata.name}/status`
    const bound = { phase: 'Bound', accessModes: ['ReadWriteOnce'], capacity: { storage } }
    await api.ask('PATCH', path, { metadata: { uid: metadata.uid }, status: bound })
  }

  return {
    failures,
    hasSynced: async () => {
      await Promise.all([pods.hasSynced(), claims.hasSynced()])
    },
    readyPods,
    /** Begins to watch a namespace with a shard in every zone; the answer tells in how many zones one was away at once since. */
    watchZones: (namespace: string) => {
      zonesAwayMax.set(namespace, 0)
      return () => zonesAwayMax.get(namespace) ?? 0
    },
    /** The uid of the volume of this name: another one is another volume. */
    volume: (namespace: string, name: string) => claims.get({ namespace, name })?.metadata.uid,
    podOfAddress: (ip: string) => pods.all().find(({ status }) => status?.podIP === ip),
    close: async () => {
      clearInterval(looking)
      await Promise.all([pods.close(), claims.close()])
    },
  }
}

const isReady = ({ status }: ScriptedPod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true
