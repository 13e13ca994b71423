import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ROLE_PORTS } from '@truenow/contracts/ports.ts'
import fc from 'fast-check'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { childLabels } from './child-metadata.ts'
import { CALLS, roleNetworkPolicy } from './network-policies.ts'
import { POD_ROLES } from './services.ts'
import { anyCluster } from './testing/any-cluster.ts'

type Selector = Readonly<{ matchLabels?: Readonly<Record<string, string>> }>
type Peer = Readonly<{
  podSelector?: Selector
  namespaceSelector?: Selector
  ipBlock?: Readonly<{ cidr: string }>
}>
type Rule = Readonly<{
  from?: readonly Peer[]
  to?: readonly Peer[]
  ports?: ReadonlyArray<Readonly<{ protocol: string; port: number }>>
}>
type Policy = Readonly<{
  podSelector: Selector
  policyTypes: readonly string[]
  ingress: readonly Rule[]
  egress: readonly Rule[]
}>
type Pod = Readonly<{ name: string; near: boolean; labels: Readonly<Record<string, string>> }>

const always = (law: (cluster: TrueNowCluster) => void) =>
  fc.assert(fc.property(anyCluster, law), { numRuns: 40 })
const policiesOf = (cluster: TrueNowCluster) =>
  new Map(POD_ROLES.map((role) => [role as string, roleNetworkPolicy(cluster, role).spec as Policy]))
const matches = ({ matchLabels = {} }: Selector, labels: Readonly<Record<string, string>>) =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value)

/** As the Kubernetes API defines a peer; an address block is taken to hold pods as well, as with some network plugins. */
function isPeer({ podSelector, namespaceSelector, ipBlock }: Peer, pod: Pod): boolean {
  if (ipBlock !== undefined) return true
  if (namespaceSelector === undefined && !pod.near) return false
  return matches(podSelector ?? {}, pod.labels)
}
const allows = (rules: readonly Rule[], side: 'from' | 'to', pod: Pod, port: number) =>
  rules.some(
    (rule) =>
      (rule[side] === undefined || rule[side].some((peer) => isPeer(peer, pod))) &&
      (rule.ports === undefined || rule.ports.some((one) => one.port === port)),
  )

/** `from to port` of everything that the policies let through, among the cluster's pods and from two kinds of others. */
function reachable(cluster: TrueNowCluster): string[] {
  const policies = policiesOf(cluster)
  const pods: Pod[] = [
    ...POD_ROLES.map((role) => ({ name: role, near: true, labels: childLabels(cluster, role) })),
    { name: 'operator', near: false, labels: { 'app.kubernetes.io/component': 'operator' } },
    { name: 'anyone', near: false, labels: {} },
  ]
  return pods.flatMap((from) =>
    POD_ROLES.flatMap((role) => {
      const to = pods.find(({ name }) => name === role) as Pod
      return (['http', 'grpc'] as const).flatMap((kind) => {
        const port = ROLE_PORTS[role][kind]
        const egress = policies.get(from.name)?.egress
        const leaves = egress === undefined || allows(egress, 'to', to, port)
        const enters = allows(policies.get(role)?.ingress ?? [], 'from', from, port)
        return leaves && enters ? [`${from.name} ${role} ${kind}`] : []
      })
    }),
  )
}

/** The rows of the table in operator/README.md, spelled out pair by pair. */
function documented(): { pairs: string[]; outside: string[] } {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const rows = [...readme.matchAll(/^\| ([a-z, -]+) \| ([a-z, -]+) \| ([A-Za-z0-9, ]+) \| .* \|$/gm)]
  const list = (text: string | undefined) => (text ?? '').split(', ')
  const expanded = rows.flatMap(([, from, to, ports]) =>
    list(from).flatMap((one) =>
      list(to).flatMap((other) => list(ports).map((port) => `${one} ${other} ${port}`)),
    ),
  )
  return {
    pairs: expanded
      .filter((row) => / (HTTP|gRPC)$/.test(row))
      .map((row) => row.replace('HTTP', 'http').replace('gRPC', 'grpc')),
    outside: expanded.filter((row) => / any address /.test(row)),
  }
}

test('roleNetworkPolicy: who can reach whom is the table in operator/README.md, no more and no less', () => {
  const { pairs } = documented()
  const anyones = pairs
    .filter((row) => row.startsWith('anyone '))
    .map((row) => row.replace('anyone ', 'operator '))
  const expected = [...new Set([...pairs, ...anyones])].toSorted()
  assert.ok(expected.length > CALLS.length + 9)
  always((cluster) => assert.deepEqual(reachable(cluster).toSorted(), expected))
})

test('roleNetworkPolicy: what leaves the cluster is the table in operator/README.md', () => {
  const { outside } = documented()
  always((cluster) => {
    const { kafka, postgres, redis } = cluster.spec
    const systems: ReadonlyArray<[name: string, ports: readonly number[]]> = [
      ['Kafka', kafka.brokers.map((broker) => Number(broker.split(':')[1]))],
      ['PostgreSQL', [postgres.port]],
      ['Redis', [redis?.port ?? 6_379]],
    ]
    const named = (port: number) => systems.find(([, ports]) => ports.includes(port))?.[0] ?? String(port)
    const found = [...policiesOf(cluster)].flatMap(([role, { egress }]) =>
      egress
        .filter(({ to = [] }) => to.some(({ ipBlock }) => ipBlock !== undefined))
        .flatMap(({ ports = [] }) =>
          [...new Set(ports.map(({ port }) => named(port)))].map((port) => `${role} any address ${port}`),
        ),
    )
    assert.deepEqual(found.toSorted(), outside.toSorted())
  })
})

test('roleNetworkPolicy: both directions are denied by default, and no rule is without peers or ports', () => {
  always((cluster) => {
    for (const [role, { podSelector, policyTypes, ingress, egress }] of policiesOf(cluster)) {
      assert.deepEqual(policyTypes, ['Ingress', 'Egress'])
      assert.equal(podSelector.matchLabels?.['app.kubernetes.io/component'], role)
      const isDns = ({ ports = [] }: { ports?: readonly { port: number }[] }) =>
        ports.length > 0 && ports.every(({ port }) => port === 53 || port === 5_353)
      for (const rule of [...ingress, ...egress.filter((one) => !isDns(one))]) {
        const peers = rule.from ?? rule.to ?? []
        assert.ok(
          peers.length > 0 && (rule.ports ?? []).length > 0,
          `${role}: an empty list allows everything`,
        )
        assert.ok(peers.every((peer) => Object.keys(peer).length > 0))
        assert.ok((rule.ports ?? []).every(({ port }) => Number.isInteger(port) && port > 0 && port < 65_536))
      }
      assert.ok(
        ingress.every((rule) => rule.from !== undefined) &&
          egress.every((rule) => rule.to !== undefined || isDns(rule)),
      )
    }
  })
})

test('roleNetworkPolicy: a pod of another cluster in the same namespace is anyone', () => {
  always((cluster) => {
    const other = { ...cluster, metadata: { ...cluster.metadata, name: `${cluster.metadata.name}2` } }
    const stranger = { name: 'stranger', near: true, labels: childLabels(other, 'query') }
    const { ingress } = policiesOf(cluster).get('hot-tier') as Policy
    assert.equal(allows(ingress, 'from', stranger, ROLE_PORTS['hot-tier'].grpc), false)
  })
})
