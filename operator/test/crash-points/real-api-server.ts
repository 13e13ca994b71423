import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { systemClock } from '@truenow/chassis/clock.ts'
import type { Send } from '../../src/kubernetes/kubernetes-call.ts'
import { KubernetesError, type KubernetesPort } from '../../src/kubernetes/kubernetes-port.ts'
import { createKubernetesRequests } from '../../src/kubernetes/kubernetes-requests.ts'
import { createUndiciSend } from '../../src/kubernetes/undici-send.ts'

type Kubeconfig = {
  clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }]
  users: [{ user: { 'client-certificate-data': string; 'client-key-data': string } }]
}
export type Json = Record<string, unknown>
export type RealApiServer = Readonly<{
  server: string
  /** A connection of its own, as a process has. */
  connect: () => Readonly<{ send: Send; close: () => Promise<void> }>
  /** What the test itself, its kubelet and its storage do, under a name that is not the operator's. */
  port: KubernetesPort
  /** What the operator's port has no verb for. Errors: KubernetesError. */
  ask: (method: string, path: string, body?: Json, contentType?: string) => Promise<Json>
  close: () => Promise<void>
}>

const MERGE_PATCH = 'application/merge-patch+json'
/** Of all that the test asks for; the operators under test have their own limit. */
const REQUESTS_PER_SECOND_MAX = 1_000

/** The API server of a kubeconfig that the local cluster wrote. */
export function connectRealApiServer(kubeconfigPath: string): RealApiServer {
  const { clusters, users } = JSON.parse(readFileSync(kubeconfigPath, 'utf8')) as Kubeconfig
  const pem = (base64: string) => Buffer.from(base64, 'base64').toString('utf8')
  const { server } = clusters[0].cluster
  const { user } = users[0]
  const ca = pem(clusters[0].cluster['certificate-authority-data'])
  const tls = { ca, cert: pem(user['client-certificate-data']), key: pem(user['client-key-data']) }
  const connect = () =>
    createUndiciSend({ baseUrl: server, connection: async () => ({ headers: {}, connect: tls }) })
  const own = connect()
  const port = createKubernetesRequests({
    ...own,
    clock: systemClock,
    random: Math.random,
    requestsPerSecondMax: REQUESTS_PER_SECOND_MAX,
    fieldManager: 'scripted-node',
  })
  return {
    server,
    connect,
    port,
    ask: async (method, path, body, contentType = method === 'PATCH' ? MERGE_PATCH : 'application/json') => {
      const answer = await own
        .send({
          method,
          path,
          headers: { 'content-type': contentType },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          streaming: false,
          signal: AbortSignal.timeout(30_000),
        })
        .catch((cause: Error) => {
          throw new KubernetesError(`${method} ${path}: ${cause.message}`, {
            status: 0,
            reason: 'Unreachable',
          })
        })
      const said = JSON.parse(await text(answer.body)) as Json
      if (answer.status < 300) return said
      const reason = String(said.reason ?? '')
      throw new KubernetesError(`${method} ${path}: ${said.message}`, { status: answer.status, reason })
    },
    close: port.close,
  }
}
