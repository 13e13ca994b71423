import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { CHILD_RESOURCES } from '../kubernetes/resources.ts'
import { childrenOf } from './all-children.ts'
import type { KubernetesObject } from './kubernetes-object.ts'
import { anyCluster } from './testing/any-cluster.ts'

type Container = Record<string, unknown> & {
  name: string
  image: string
  env: { name: string; value?: string; valueFrom?: Record<string, unknown> }[]
  securityContext: Record<string, unknown>
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[]
}
type PodSpec = Record<string, unknown> & {
  containers: Container[]
  volumes: Record<string, unknown>[]
  securityContext: Record<string, unknown>
}
const podOf = ({ spec }: KubernetesObject): PodSpec | undefined =>
  (spec as { template?: { spec: PodSpec } } | undefined)?.template?.spec
const podsOf = (cluster: TrueNowCluster) =>
  childrenOf(cluster, 'truenow:1').flatMap((child) => {
    const pod = podOf(child)
    return pod === undefined ? [] : [pod]
  })
const always = (law: (cluster: TrueNowCluster) => void) =>
  fc.assert(fc.property(anyCluster, law), { numRuns: 60 })

/** Everything that Pod Security *restricted* of Kubernetes 1.34 asks, and the two things that we ask on top. */
const ALLOWED_VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
]
function violations(pod: PodSpec): string[] {
  const wrong: string[] = []
  const forbidden = [
    'hostNetwork',
    'hostPID',
    'hostIPC',
    'hostUsers',
    'initContainers',
    'ephemeralContainers',
    'shareProcessNamespace',
  ]
  for (const field of forbidden) if (field in pod) wrong.push(field)
  const { runAsNonRoot, runAsUser, fsGroup, seccompProfile } = pod.securityContext
  if (runAsNonRoot !== true || runAsUser === 0 || fsGroup === 0) wrong.push('root')
  if ((seccompProfile as { type?: string } | undefined)?.type !== 'RuntimeDefault') wrong.push('seccomp')
  for (const volume of pod.volumes) {
    const [kind = ''] = Object.keys(volume).filter((key) => key !== 'name')
    if (!ALLOWED_VOLUMES.includes(kind)) wrong.push(`volume ${kind}`)
    if (kind === 'emptyDir' && !('sizeLimit' in (volume.emptyDir as object)))
      wrong.push('emptyDir without a limit')
  }
  for (const { securityContext, ports } of pod.containers) {
    const { allowPrivilegeEscalation, privileged, readOnlyRootFilesystem, capabilities } = securityContext
    if (allowPrivilegeEscalation !== false || privileged !== false) wrong.push('privileged')
    if (readOnlyRootFilesystem !== true) wrong.push('writable root')
    if (JSON.stringify(capabilities) !== '{"drop":["ALL"]}') wrong.push('capabilities')
    if ((ports as object[]).some((port) => 'hostPort' in port)) wrong.push('hostPort')
  }
  return wrong
}

test('childrenOf: the judge of pods can find them guilty', () => {
  const guilty = {
    hostNetwork: true,
    securityContext: {},
    volumes: [{ name: 'v', hostPath: {} }],
    containers: [],
  }
  assert.deepEqual(violations(guilty as unknown as PodSpec), [
    'hostNetwork',
    'root',
    'seccomp',
    'volume hostPath',
  ])
})

test('childrenOf: every pod is restricted, whatever the spec says', () => {
  always((cluster) => {
    const pods = podsOf(cluster)
    assert.equal(pods.length, 6)
    for (const pod of pods) assert.deepEqual(violations(pod), [])
  })
})

test('childrenOf: no pod has a token, each its own account, and none talks to the Kubernetes API', () => {
  always((cluster) => {
    const accounts = podsOf(cluster).map((pod) => {
      assert.equal(pod.automountServiceAccountToken, false)
      assert.equal(pod.enableServiceLinks, false)
      return pod.serviceAccountName
    })
    assert.equal(new Set(accounts).size, 6)
    for (const child of childrenOf(cluster, 'truenow:1')) {
      if (child.kind !== 'ServiceAccount') continue
      assert.equal(child.automountServiceAccountToken, false)
      assert.ok(accounts.includes(child.metadata.name))
    }
  })
})

test('childrenOf: a secret is a read-only file by reference: never an environment variable, never an argument', () => {
  always((cluster) => {
    for (const { containers, volumes } of podsOf(cluster)) {
      const [container] = containers as [Container]
      assert.deepEqual(container.args, [container.name])
      for (const { name, value, valueFrom } of container.env) {
        assert.ok(valueFrom === undefined || Object.keys(valueFrom).join() === 'fieldRef', name)
        if (name.includes('URL')) assert.match(`${name} ${value}`, /^[A-Z_]+_URL_FILE \/run\/secrets\//)
      }
      assert.equal('envFrom' in container, false)
      for (const { name, secret } of volumes as { name: string; secret?: { defaultMode: number } }[]) {
        if (secret === undefined) continue
        assert.equal(secret.defaultMode, 0o440)
        assert.equal(container.volumeMounts.find((mount) => mount.name === name)?.readOnly, true)
      }
    }
  })
})

test('childrenOf: only what a user may add is added: placement, never names, images or rights', () => {
  always((cluster) => {
    const plain = childrenOf({ ...cluster, spec: withoutPodTemplate(cluster) }, 'truenow:1').map(podOf)
    const added = new Set<string>()
    for (const [index, child] of childrenOf(cluster, 'truenow:1').entries()) {
      const pod = podOf(child)
      if (pod === undefined) continue
      for (const [key, value] of Object.entries(pod))
        if (JSON.stringify(value) !== JSON.stringify(plain[index]?.[key])) added.add(key)
    }
    const allowed = ['nodeSelector', 'tolerations', 'affinity', 'priorityClassName']
    assert.deepEqual(
      [...added].filter((key) => !allowed.includes(key)),
      [],
    )
  })
})

const withoutPodTemplate = ({ spec: { podTemplate: _, ...rest } }: TrueNowCluster) => rest

test('childrenOf: selectors, names and what cannot change depend on the cluster’s name alone', () => {
  const fixed = (cluster: TrueNowCluster) =>
    new Map(
      childrenOf(cluster, 'truenow:1').map(({ kind, metadata, spec }) => {
        const { selector, podSelector, serviceName, podManagementPolicy, clusterIP } = (spec ?? {}) as Record<
          string,
          unknown
        >
        const unchangeable = {
          selector,
          podSelector,
          serviceName,
          podManagementPolicy,
          clusterIP,
          labels: metadata.labels,
        }
        return [`${kind}/${metadata.name}`, JSON.stringify(unchangeable)]
      }),
    )
  fc.assert(
    fc.property(anyCluster, anyCluster, ({ metadata, ...one }, other) => {
      const left = fixed({ ...one, metadata })
      for (const [name, what] of fixed({ ...other, metadata }))
        if (left.has(name)) assert.equal(what, left.get(name), name)
    }),
    { numRuns: 40 },
  )
})

test('childrenOf: every selector finds exactly the pods of its own role', () => {
  always((cluster) => {
    const children = childrenOf(cluster, 'truenow:1')
    const pods = children.flatMap(({ spec }) => {
      const template = (spec as { template?: { metadata: { labels: Record<string, string> } } } | undefined)
        ?.template
      return template === undefined ? [] : [template.metadata.labels]
    })
    for (const { kind, spec, metadata } of children) {
      const { selector, podSelector } = (spec ?? {}) as {
        selector?: Record<string, unknown>
        podSelector?: { matchLabels: Record<string, string> }
      }
      const wanted = (podSelector?.matchLabels ?? selector?.matchLabels ?? selector) as
        | Record<string, string>
        | undefined
      if (wanted === undefined) continue
      const found = pods.filter((labels) =>
        Object.entries(wanted).every(([key, value]) => labels[key] === value),
      )
      const component = metadata.labels?.['app.kubernetes.io/component']
      assert.deepEqual(
        found.map((labels) => labels['app.kubernetes.io/component']),
        [component],
        `${kind} ${metadata.name}`,
      )
    }
  })
})

test('childrenOf: names fit, for the longest lawful name of a cluster and its last pod', () => {
  fc.assert(
    fc.property(anyCluster, (cluster) => {
      const longest = { ...cluster, metadata: { ...cluster.metadata, name: 'n'.repeat(40) } }
      for (const { metadata, kind } of childrenOf(longest, 'truenow:1')) {
        // A pod of a set carries `<set>-<ordinal>` and `<set>-<10 characters>` as labels.
        const room = kind === 'StatefulSet' ? '-4294967295' : ''
        assert.ok(`${metadata.name}${room}`.length <= 63, metadata.name)
        for (const value of Object.values(metadata.labels ?? {})) assert.ok(value.length <= 63)
      }
    }),
    { numRuns: 5 },
  )
})

test('childrenOf: every child is owned by its cluster, found by its label, and of a kind that is watched', () => {
  always((cluster) => {
    const children = childrenOf(cluster, 'truenow:1')
    const names = children.map(({ kind, metadata }) => `${kind}/${metadata.name}`)
    assert.equal(new Set(names).size, names.length)
    for (const { kind, apiVersion, metadata } of children) {
      assert.ok(CHILD_RESOURCES.some((one) => one.kind === kind && one.apiVersion === apiVersion))
      assert.equal(metadata.labels?.['truenow.io/cluster'], cluster.metadata.name)
      assert.equal(metadata.namespace, cluster.metadata.namespace)
      const [owner] = metadata.ownerReferences ?? []
      assert.deepEqual([owner?.uid, owner?.controller], [cluster.metadata.uid, true])
    }
  })
})

test('childrenOf: the same spec and image give the same objects, and nothing that JSON would lose', () => {
  always((cluster) => {
    const children = childrenOf(cluster, 'truenow:1')
    assert.equal(JSON.stringify(childrenOf(structuredClone(cluster), 'truenow:1')), JSON.stringify(children))
    assert.deepEqual(JSON.parse(JSON.stringify(children)), children)
  })
})

test('childrenOf: a disruption budget wherever there is more than one pod, and nowhere else', () => {
  always((cluster) => {
    const children = childrenOf(cluster, 'truenow:1')
    const budgets = children.filter(({ kind }) => kind === 'PodDisruptionBudget')
    const many = children.filter(
      ({ spec }) => Number((spec as { replicas?: number } | undefined)?.replicas ?? 0) > 1,
    )
    assert.deepEqual(
      budgets.map(({ metadata }) => metadata.name).toSorted(),
      many.map(({ metadata }) => metadata.name).toSorted(),
    )
    for (const { spec } of budgets)
      assert.deepEqual(
        [
          (spec as { maxUnavailable: number }).maxUnavailable,
          (spec as { unhealthyPodEvictionPolicy: string }).unhealthyPodEvictionPolicy,
        ],
        [1, 'AlwaysAllow'],
      )
  })
})
