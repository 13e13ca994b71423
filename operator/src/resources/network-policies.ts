import { ROLE_PORTS, type Role } from '@truenow/contracts/ports.ts'
import { ROLE_CALLS } from '@truenow/contracts/role-calls.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { childMetadata, selectorLabels } from './child-metadata.ts'
import type { KubernetesObject } from './kubernetes-object.ts'

type PodRole = Exclude<Role, 'operator'>
/** Pairs of roles with pods; the operator, whose pods are elsewhere, is let in beside them. */
export const CALLS = ROLE_CALLS.filter((pair): pair is readonly [PodRole, PodRole] => pair[0] !== 'operator')
/** Roles that anybody in the Kubernetes cluster may call. */
const OPEN: readonly PodRole[] = ['gateway', 'query', 'watermark']
/** Roles that talk to systems outside: Kafka, PostgreSQL, Redis. Where these are is the user's; the ports are open. */
const OUTSIDE: readonly PodRole[] = ['gateway', 'ingester', 'control-plane', 'query']
const DNS_PORTS = [
  { protocol: 'UDP', port: 53 },
  { protocol: 'TCP', port: 53 },
  { protocol: 'UDP', port: 5_353 },
  { protocol: 'TCP', port: 5_353 },
]

const isOperated = (role: PodRole) => ROLE_CALLS.some(([from, to]) => from === 'operator' && to === role)

/** One policy a role: default deny both ways, then exactly its pairs, DNS, and what its outside systems need. */
export function roleNetworkPolicy(cluster: TrueNowCluster, role: PodRole): KubernetesObject {
  const peer = (other: PodRole) => ({ podSelector: { matchLabels: selectorLabels(cluster, other) } })
  const tcp = (port: number) => ({ protocol: 'TCP', port })
  const { http, grpc } = ROLE_PORTS[role]
  const callers = CALLS.filter(([, to]) => to === role).map(([from]) => peer(from))
  const callees = CALLS.filter(([from]) => from === role).map(([, to]) => ({
    to: [peer(to)],
    ports: [tcp(ROLE_PORTS[to].grpc)],
  }))
  const operator = {
    namespaceSelector: {},
    podSelector: { matchLabels: { 'app.kubernetes.io/component': 'operator' } },
  }
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: childMetadata(cluster, role),
    spec: {
      podSelector: { matchLabels: selectorLabels(cluster, role) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        ...(callers.length > 0 ? [{ from: callers, ports: [tcp(grpc)] }] : []),
        ...(isOperated(role) ? [{ from: [operator], ports: [tcp(grpc)] }] : []),
        ...(OPEN.includes(role)
          ? [{ from: [{ namespaceSelector: {} }], ports: [tcp(http), tcp(grpc)] }]
          : []),
        // Metrics and probes by people and Prometheus, from any namespace; these pages hold no rows.
        ...(OPEN.includes(role) ? [] : [{ from: [{ namespaceSelector: {} }], ports: [tcp(http)] }]),
      ],
      egress: [
        ...callees,
        // To any address: a cache of names on each node has no pod that a selector could name.
        { ports: DNS_PORTS },
        ...(OUTSIDE.includes(role)
          ? [
              {
                to: [
                  { ipBlock: { cidr: '0.0.0.0/0' } },
                  { ipBlock: { cidr: '::/0' } },
                  { namespaceSelector: {} },
                ],
                ports: outsidePorts(cluster, role),
              },
            ]
          : []),
      ],
    },
  }
}

/** Ports of the outside systems that a role uses, as the spec names them. */
function outsidePorts({ spec }: TrueNowCluster, role: PodRole): unknown[] {
  const kafka = [...new Set(spec.kafka.brokers.map((broker) => Number(broker.split(':').at(-1))))]
  const redis = [spec.redis?.port ?? 6_379]
  const ports =
    role === 'query' ? redis : role === 'control-plane' ? [...kafka, spec.postgres.port ?? 5_432] : kafka
  return ports.map((port) => ({ protocol: 'TCP', port }))
}
