import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { issueAuthority } from '@truenow/chassis/issue-certificate.ts'
import { clusterNetwork } from '../../../e2e/cluster/cluster-network.ts'
import type { Json, RealApiServer } from './real-api-server.ts'
import type { ScriptedKubelet } from './scripted-kubelet.ts'

/** What all pods of a role use together, shared evenly by those that are ready. */
export type Load = Readonly<{ cpuMilli: number; memoryMi: number }>
export type ScriptedMetrics = Awaited<ReturnType<typeof startScriptedMetrics>>

const GROUP = 'metrics.k8s.io'
const VERSION = 'v1beta1'
const NAME = 'scripted-metrics'
const NAMESPACE = 'kube-system'
const DAY_US = 86_400_000_000
const NO_LOAD: Load = { cpuMilli: 0, memoryMi: 0 }

/**
 * metrics.k8s.io, which the autoscaler of Kubernetes asks by way of the API server: pods use what a test says. Behind a Service
 * without pods, at the address of the node that is not there.
 */
export async function startScriptedMetrics(api: RealApiServer, kubelet: ScriptedKubelet) {
  const loads = new Map<string, Load>()
  const nowUs = Date.now() * 1_000
  // Nobody checks it: the APIService says so.
  const { certificatePem: cert, keyPem: key } = issueAuthority({ fromUs: nowUs, untilUs: nowUs + DAY_US })
  const server = createServer({ cert, key }, ({ url = '/' }, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(answer(new URL(url, 'https://metrics'))))
  })
  const answer = ({ pathname, searchParams }: URL): Json => {
    const namespace = /\/namespaces\/([^/]+)\/pods$/.exec(pathname)?.[1]
    if (namespace === undefined) return discovery
    const selector = searchParams.get('labelSelector') ?? ''
    const role = /app\.kubernetes\.io\/component=([^,]+)/.exec(selector)?.[1] ?? ''
    const pods = kubelet.readyPods(namespace, role)
    const { cpuMilli, memoryMi } = loads.get(`${namespace}/${role}`) ?? NO_LOAD
    const usage = {
      cpu: `${Math.round((cpuMilli * 1_000) / pods.length)}u`,
      memory: `${Math.round((memoryMi * 1_024) / pods.length)}Ki`,
    }
    const items = pods.map(({ metadata: { name }, spec }) => ({
      metadata: { name, namespace },
      timestamp: new Date().toISOString(),
      window: '1s',
      containers: spec.containers.map((container) => ({ name: container.name, usage })),
    }))
    return { kind: 'PodMetricsList', apiVersion: `${GROUP}/${VERSION}`, metadata: {}, items }
  }
  await new Promise<void>((resolve) => server.listen(0, clusterNetwork.nodeAddress, resolve))
  await register(api, (server.address() as AddressInfo).port)
  return {
    /** Of one role in one namespace, from now on. */
    load: (namespace: string, role: string, load: Load) => void loads.set(`${namespace}/${role}`, load),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const discovery: Json = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: `${GROUP}/${VERSION}`,
  resources: [
    { name: 'pods', singularName: '', namespaced: true, kind: 'PodMetrics', verbs: ['get', 'list'] },
  ],
}

async function register({ ask }: RealApiServer, port: number): Promise<void> {
  const apply = (path: string, object: Json) =>
    ask('PATCH', `${path}?fieldManager=scripted-node`, object, 'application/apply-patch+yaml')
  const place = `namespaces/${NAMESPACE}`
  await apply(`/api/v1/${place}/services/${NAME}`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: NAME, namespace: NAMESPACE },
    spec: { ports: [{ name: 'https', port: 443, targetPort: port }] },
  })
  await apply(`/apis/discovery.k8s.io/v1/${place}/endpointslices/${NAME}`, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: NAME, namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': NAME } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [clusterNetwork.nodeAddress], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  })
  await apply(`/apis/apiregistration.k8s.io/v1/apiservices/${VERSION}.${GROUP}`, {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: `${VERSION}.${GROUP}` },
    spec: {
      group: GROUP,
      version: VERSION,
      service: { name: NAME, namespace: NAMESPACE, port: 443 },
      insecureSkipTLSVerify: true,
      groupPriorityMinimum: 100,
      versionPriority: 100,
    },
  })
}
