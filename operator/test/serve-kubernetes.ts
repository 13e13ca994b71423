import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { KubernetesError, type Resource } from '../src/kubernetes/kubernetes-port.ts'
import { LEASES } from '../src/kubernetes/lease-record.ts'
import {
  CHILD_RESOURCES,
  CLUSTERS,
  EVENTS,
  MONITORING_RESOURCES,
  PODS,
  POLICIES,
  POLICY_BINDINGS,
  REBALANCES,
  TABLES,
  VOLUME_CLAIMS,
} from '../src/kubernetes/resources.ts'
import { refuse } from './kubernetes-stub.ts'
import type { createMemoryKubernetes } from './memory-kubernetes.ts'

const RESOURCES: readonly Resource[] = [
  ...[CLUSTERS, TABLES, REBALANCES, PODS, VOLUME_CLAIMS, EVENTS, LEASES, POLICIES, POLICY_BINDINGS],
  ...CHILD_RESOURCES,
  ...MONITORING_RESOURCES,
]
/** What was asked, as `<verb> <kind>`: get, list, watch, apply, patch, create, replace, delete, discover. */
export type ServedCall = Readonly<{ verb: string; kind: string; atMs: number }>
/** True: it has answered itself, for instance with a fault. */
export type Intercept = (call: ServedCall, response: ServerResponse) => boolean

/**
 * A Kubernetes in memory behind HTTP on loopback, so that the operator's own client is in between: its rate limit, retries,
 * deadlines and connections. Notes every request.
 */
export async function serveKubernetes(
  kubernetes: ReturnType<typeof createMemoryKubernetes>,
  intercept: Intercept = () => false,
) {
  const calls: ServedCall[] = []
  const server = createServer((request, response) => {
    const asked = askedOf(request)
    if (asked === undefined) return refuse(response, 404, 'NotFound')
    const call = { verb: asked.verb, kind: asked.resource?.kind ?? '', atMs: performance.now() }
    calls.push(call)
    if (intercept(call, response)) return
    answer(kubernetes, asked, request, response).catch((error: unknown) => {
      if (!(error instanceof KubernetesError)) throw error
      refuse(response, error.status, error.reason)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    calls,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type AskedOf = Readonly<{
  verb: string
  apiVersion: string
  resource?: Resource
  namespace: string | undefined
  name: string
  subresource: string | undefined
  query: URLSearchParams
}>
const PATH =
  /^\/(?:api\/(v1)|apis\/([^/]+\/[^/]+))(?:(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+)(?:\/([a-z]+))?)?)?$/

function askedOf({ url = '', method = '', headers }: IncomingMessage): AskedOf | undefined {
  const { pathname, searchParams: query } = new URL(url, 'http://memory')
  const [whole, core, grouped, namespace, plural, name = '', subresource] = PATH.exec(pathname) ?? []
  if (whole === undefined) return undefined
  const apiVersion = core ?? grouped ?? ''
  const at = { apiVersion, namespace, name, subresource, query }
  if (plural === undefined) return { ...at, verb: 'discover' }
  const resource = RESOURCES.find((one) => one.apiVersion === apiVersion && one.plural === plural)
  if (resource === undefined) return undefined
  return { ...at, resource, verb: verbOf(method, name, query, headers['content-type'] ?? '') }
}

function verbOf(method: string, name: string, query: URLSearchParams, contentType: string): string {
  if (method === 'GET') return name !== '' ? 'get' : query.get('watch') === 'true' ? 'watch' : 'list'
  if (method === 'PATCH') return contentType.includes('apply-patch') ? 'apply' : 'patch'
  return { POST: 'create', PUT: 'replace', DELETE: 'delete' }[method] ?? method
}

async function answer(
  { port, served }: ReturnType<typeof createMemoryKubernetes>,
  asked: AskedOf,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await text(request)
  const given = body === '' ? undefined : JSON.parse(body)
  const { verb, resource, namespace, name, subresource, query, apiVersion } = asked
  const send = (value: unknown) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
  if (resource === undefined) {
    const resources = (served.get(apiVersion) ?? []).map((plural) => ({ name: plural }))
    return void send({ resources })
  }
  const key = { namespace: namespace ?? '', name }
  const labelSelector = query.get('labelSelector') ?? ''
  const place = { ...(namespace === undefined ? {} : { namespace }), labelSelector }
  if (verb === 'watch') return watch(port, resource, place, query, response)
  if (verb === 'list') {
    const { items, resourceVersion } = await port.list(resource, place)
    return void send({ metadata: { resourceVersion }, items })
  }
  if (verb === 'get') {
    const found = await port.get(resource, key)
    return found === undefined ? refuse(response, 404, 'NotFound') : void send(found)
  }
  if (verb === 'delete') {
    const { uid, resourceVersion } = given?.preconditions ?? {}
    await port.remove(resource, key, uid, { resourceVersion, orphan: given?.propagationPolicy === 'Orphan' })
    return void send({ kind: 'Status', status: 'Success' })
  }
  const written = {
    apply: () =>
      port.apply(resource, given, {
        force: query.get('force') === 'true',
        ...(subresource === 'status' ? { subresource } : {}),
      }),
    patch: () => port.mergePatch(resource, key, given),
    create: () => port.create(resource, given),
    replace: () => port.replace(resource, given),
  }[verb]
  send(await written?.())
}

async function watch(
  port: ReturnType<typeof createMemoryKubernetes>['port'],
  resource: Resource,
  place: Readonly<{ namespace?: string; labelSelector: string }>,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const ending = new AbortController()
  const timeoutS = Number(query.get('timeoutSeconds') ?? 300)
  const timer = setTimeout(() => ending.abort(), timeoutS * 1_000)
  response.once('close', () => ending.abort())
  response.writeHead(200, { 'content-type': 'application/json' })
  response.flushHeaders()
  const resourceVersion = query.get('resourceVersion') ?? ''
  for await (const event of port.watch(resource, {
    ...place,
    resourceVersion,
    timeoutS,
    signal: ending.signal,
  }))
    response.write(`${JSON.stringify(event)}\n`)
  clearTimeout(timer)
  response.end()
}
