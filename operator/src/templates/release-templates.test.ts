import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { Stored } from '../kubernetes/kubernetes-port.ts'
import { childrenOf } from '../resources/all-children.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'
import type { PodRole } from '../resources/services.ts'
import { anyCluster } from '../resources/testing/any-cluster.ts'
import { adoptTemplate, heldOf, imageOf, templateOf } from './held-template.ts'
import { releaseTemplates, type StandingWorkload, UPGRADE_ORDER } from './release-templates.ts'

const [drawn] = fc.sample(anyCluster, { numRuns: 1, seed: 7 }) as [TrueNowCluster]
const { podTemplate: _, upgradePolicy: __, ...spec } = drawn.spec
const cluster: TrueNowCluster = { ...drawn, spec }
const workloadOf = (children: readonly KubernetesObject[], role: PodRole) =>
  children.find(
    ({ kind, metadata }) =>
      ['Deployment', 'StatefulSet'].includes(kind) && metadata.name === `${cluster.metadata.name}-${role}`,
  ) as KubernetesObject
const imagesOf = (children: readonly KubernetesObject[]) =>
  Object.fromEntries(
    UPGRADE_ORDER.map((role) => [role, imageOf(templateOf(workloadOf(children, role)))?.split(':')[1]]),
  )

/** A cluster whose objects were applied as `children`; `more` says how single roles stand. */
const standing =
  (children: readonly KubernetesObject[], more: Partial<Record<PodRole, Partial<StandingWorkload>>> = {}) =>
  (role: PodRole): StandingWorkload => ({
    held: () => heldOf(workloadOf(children, role)) ?? assert.fail(`${role} tells nothing`),
    rolledOut: true,
    anyReady: true,
    ...more[role],
  })
const release = (
  of: TrueNowCluster,
  image: string,
  stands: (role: PodRole) => StandingWorkload | undefined,
) => releaseTemplates(of, image, childrenOf(of, image), stands)
const first = release(cluster, 'truenow:1', () => undefined).children

test('releaseTemplates: what is not there yet is released at once, and tells what it was made of', () => {
  assert.deepEqual(new Set(Object.values(imagesOf(first))), new Set(['1']))
  for (const role of UPGRADE_ORDER) {
    const workload = workloadOf(first, role)
    assert.deepEqual(heldOf(workload)?.template, JSON.parse(JSON.stringify(templateOf(workload))))
  }
})

test('releaseTemplates: a new image goes through the roles in order, each when the former ones are whole', () => {
  let children = first
  for (const [at, role] of UPGRADE_ORDER.entries()) {
    const next = release(cluster, 'truenow:2', standing(children))
    const expected = UPGRADE_ORDER.map((each, index) => [each, index <= at ? '2' : '1'])
    assert.deepEqual(imagesOf(next.children), Object.fromEntries(expected))
    const rest = UPGRADE_ORDER.slice(at + 1)
    assert.deepEqual(next.waiting, rest.length === 0 ? undefined : { roles: rest, behind: role })
    // While that one rolls nothing goes on.
    const rolling = release(cluster, 'truenow:2', standing(next.children, { [role]: { rolledOut: false } }))
    assert.deepEqual(imagesOf(rolling.children), imagesOf(next.children))
    children = next.children
  }
})

test('releaseTemplates: a role without a ready pod does not wait for its turn', () => {
  const next = release(
    cluster,
    'truenow:2',
    standing(first, { ingester: { anyReady: false, rolledOut: false } }),
  )
  assert.deepEqual(
    UPGRADE_ORDER.filter((role) => imagesOf(next.children)[role] === '2'),
    ['control-plane', 'ingester'],
  )
})

test('releaseTemplates: back to the former image half-way, only those that had the new one change', () => {
  const half = release(cluster, 'truenow:2', standing(first)).children
  const back = release(cluster, 'truenow:1', standing(half))
  assert.deepEqual(back.children, first)
  assert.equal(back.waiting, undefined)
})

test('releaseTemplates: a change that leaves the image alone waits for nobody', () => {
  const more = {
    ...cluster,
    spec: { ...spec, gateway: { replicas: 2, resources: { limits: { memory: '9Gi' } } } },
  }
  const next = release(more, 'truenow:1', standing(first, { query: { rolledOut: false } }))
  assert.match(JSON.stringify(workloadOf(next.children, 'gateway')), /9Gi/)
  assert.equal(next.waiting, undefined)
})

/** Templates as another operator made them: one more variable in each container. */
const ofAnother = (children: readonly KubernetesObject[]) =>
  JSON.parse(
    JSON.stringify(children).replaceAll('TRUENOW_GRACE_SECONDS', 'TRUENOW_FORMER_NAME'),
  ) as KubernetesObject[]

test('releaseTemplates: what only a new operator changes waits, until the spec changes or the policy says so', () => {
  const former = ofAnother(first)
  const waits = release(cluster, 'truenow:1', standing(former))
  assert.deepEqual(waits.pendingRoles, UPGRADE_ORDER)
  for (const role of UPGRADE_ORDER)
    assert.deepEqual(templateOf(workloadOf(waits.children, role)), templateOf(workloadOf(former, role)))
  const asked = { ...cluster, spec: { ...spec, query: { ...spec.query, replicas: 2, cacheTtlSeconds: 7 } } }
  const one = release(asked as TrueNowCluster, 'truenow:1', standing(former))
  assert.deepEqual(
    one.pendingRoles,
    UPGRADE_ORDER.filter((role) => role !== 'query'),
  )
  const always: TrueNowCluster = { ...cluster, spec: { ...spec, upgradePolicy: 'Always' } }
  const all = release(always, 'truenow:1', standing(former))
  assert.deepEqual(all.pendingRoles, [])
  assert.doesNotMatch(JSON.stringify(all.children), /TRUENOW_FORMER_NAME/)
})

test('releaseTemplates: a restart goes into the pods of the shards alone; taken off again, nothing changes', () => {
  const asked = {
    ...cluster,
    metadata: { ...cluster.metadata, annotations: { 'truenow.io/restart': 'now' } },
  }
  const next = release(asked, 'truenow:1', standing(first))
  const changed = UPGRADE_ORDER.filter(
    (role) =>
      JSON.stringify(templateOf(workloadOf(next.children, role))) !==
      JSON.stringify(templateOf(workloadOf(first, role))),
  )
  assert.deepEqual(changed, ['hot-tier'])
  assert.deepEqual(release(cluster, 'truenow:1', standing(next.children)).children, next.children)
})

test('adoptTemplate: what is live counts, in our own words where it says the same, without what the server writes', () => {
  const rendered = workloadOf(childrenOf(cluster, 'truenow:1'), 'query')
  const live = JSON.parse(JSON.stringify(rendered)) as Stored & {
    spec: { template: { spec: object; metadata: object } }
  }
  Object.assign(live.spec.template.spec, { dnsPolicy: 'ClusterFirst' })
  Object.assign(live.spec.template.metadata, { creationTimestamp: null })
  assert.deepEqual(adoptTemplate(live, rendered, 'in').template, templateOf(rendered))
  Object.assign(live.spec.template.spec, { terminationGracePeriodSeconds: 99 })
  const adopted = adoptTemplate(live, rendered, 'in').template as { spec: object; metadata: object }
  assert.deepEqual([Object.keys(adopted.metadata), 'dnsPolicy' in adopted.spec], [['labels'], true])
})

test('heldOf: an annotation that somebody spoiled tells nothing', () => {
  const workload = workloadOf(first, 'query')
  for (const text of ['', '{', 'null', '{"inputs":1}', '{"inputs":"x","template":{}}'])
    assert.equal(
      heldOf({
        ...workload,
        metadata: { ...workload.metadata, annotations: { 'truenow.io/pod-template': text } },
      }),
      undefined,
    )
})
