import { existsSync } from 'node:fs'
import type { RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import type { Clock } from '@truenow/chassis/clock.ts'
import type { Log } from '@truenow/chassis/log.ts'
import type { KubernetesMetrics } from './kubernetes-metrics.ts'
import { KubernetesError, type KubernetesPort } from './kubernetes-port.ts'
import { createKubernetesRequests } from './kubernetes-requests.ts'
import { type Connection, createUndiciSend } from './undici-send.ts'

const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token'

/**
 * The API server of this pod's ServiceAccount, or else of the user's kubeconfig. Authentication and CA are client-node's,
 * asked anew for each request (a ServiceAccount's token is read again every minute); everything else is ours. Costs
 * client-node's import: 0.6 s and about 90 MB.
 * Errors: KubernetesError with reason NoServer when the configuration names no server.
 */
export async function createKubernetesClient(
  options: Readonly<{
    requestTimeoutMs?: number
    requestsPerSecondMax?: number
    log: Log
    clock: Clock
    metrics?: KubernetesMetrics
    kubeConfig?: KubeConfig
    random?: () => number
    fieldManager?: string
  }>,
): Promise<KubernetesPort> {
  const { requestTimeoutMs, requestsPerSecondMax, log, clock, metrics, random = Math.random } = options
  const kubeConfig = options.kubeConfig ?? (await loadKubeConfig())
  const server = kubeConfig.getCurrentCluster()?.server
  if (server === undefined)
    throw new KubernetesError('The kubeconfig names no current cluster.', { status: 0, reason: 'NoServer' })
  const { send, close } = createUndiciSend({
    baseUrl: server,
    connection: () => connectionOf(kubeConfig),
  })
  log.info({ server }, 'using this API server')
  return createKubernetesRequests({
    send,
    close,
    clock,
    random,
    metrics,
    ...(options.fieldManager === undefined ? {} : { fieldManager: options.fieldManager }),
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    ...(requestsPerSecondMax === undefined ? {} : { requestsPerSecondMax }),
  })
}

async function loadKubeConfig(): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const kubeConfig = new KubeConfig()
  if (existsSync(SERVICE_ACCOUNT_TOKEN)) kubeConfig.loadFromCluster()
  else kubeConfig.loadFromDefault()
  return kubeConfig
}

/**
 * By applyToHTTPSOptions and not applySecurityAuthentication, which makes an undici Agent, and so a TCP and a TLS
 * connection, for every request.
 */
async function connectionOf(kubeConfig: KubeConfig): Promise<Connection> {
  const https: RequestOptions = {}
  await kubeConfig.applyToHTTPSOptions(https)
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername, auth } = https
  const tls = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }
  const headers: Record<string, string> & { authorization?: string } = Object.fromEntries(
    Object.entries(https.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value).trim()]),
  )
  if (typeof auth === 'string') headers.authorization = `Basic ${Buffer.from(auth).toString('base64')}`
  const chosen = kubeConfig.createDispatcherOptions(kubeConfig.getCurrentCluster(), {})
  if (chosen.type === 'socks')
    throw new KubernetesError('A SOCKS proxy to the API server is not supported.', {
      status: 0,
      reason: 'NoServer',
    })
  return {
    headers,
    connect: Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)),
    ...(chosen.type === 'proxy' ? { proxyUrl: chosen.uri } : {}),
  }
}
