import type { ServerResponse } from 'node:http'
import type { Resource, Stored } from '../src/kubernetes/kubernetes-port.ts'
import { type Asked, json, refuse, startStub } from './kubernetes-stub.ts'

export const SERVICES: Resource = { apiVersion: 'v1', kind: 'Service', plural: 'services' }
type Event = Readonly<{ version: number; type: string; object: unknown }>
/** Takes the request over from the collection: true when it did. */
export type Fault = (asked: Asked, response: ServerResponse) => boolean

/**
 * A collection as the API server serves it, lists in pages and watches from a version, over real HTTP; `faults` decide what
 * goes wrong. Not a fake API server: it keeps Services of one namespace and nothing else.
 */
export async function startCollection() {
  const objects = new Map<string, Stored>()
  const events: Event[] = []
  const watches = new Set<ServerResponse>()
  const faults: { list?: Fault; watch?: Fault; silent?: boolean; repeat?: boolean; compactedBelow?: number } =
    {}
  let version = 100
  let uids = 0

  const write = (response: ServerResponse, { type, object }: Omit<Event, 'version'>) =>
    response.write(`${JSON.stringify({ type, object })}\n`)
  const tell = (type: string, object: Stored) => {
    const event = { version, type, object }
    events.push(event)
    if (faults.silent === true) return
    for (const response of watches) for (let i = faults.repeat ? 2 : 1; i > 0; i--) write(response, event)
  }
  const list = ({ query }: Asked, response: ServerResponse) => {
    const all = [...objects.values()].map(({ metadata }) => ({
      metadata: { ...metadata, managedFields: [{}] },
    }))
    const from = Number(query.get('continue') ?? 0)
    const to = from + Number(query.get('limit'))
    const metadata = { resourceVersion: `${version}`, ...(to < all.length ? { continue: `${to}` } : {}) }
    json(response, 200, { metadata, items: all.slice(from, to) })
  }
  const watch = ({ query }: Asked, response: ServerResponse) => {
    const from = Number(query.get('resourceVersion'))
    if (from < (faults.compactedBelow ?? 0)) return refuse(response, 410, 'Expired')
    response.writeHead(200).flushHeaders()
    if (faults.silent !== true)
      for (const each of events.filter((one) => one.version > from)) write(response, each)
    watches.add(response)
    response.once('close', () => watches.delete(response))
    setTimeout(() => response.end(), Number(query.get('timeoutSeconds')) * 1_000).unref()
  }
  const stub = await startStub((asked, response) => {
    const watching = asked.query.has('watch')
    const fault = watching ? faults.watch : faults.list
    if (fault?.(asked, response) === true) return
    if (watching) watch(asked, response)
    else list(asked, response)
  })
  const next = (name: string, uid: string): Stored => {
    version += 1
    const metadata = { namespace: 'n', name, uid, generation: 1, resourceVersion: `${version}` }
    return { apiVersion: 'v1', kind: 'Service', metadata }
  }
  return {
    ...stub,
    faults,
    objects,
    put: (name: string) => {
      const held = objects.get(name)
      const object = next(name, held?.metadata.uid ?? `uid-${uids++}`)
      objects.set(name, object)
      tell(held === undefined ? 'ADDED' : 'MODIFIED', object)
    },
    remove: (name: string) => {
      const held = objects.get(name)
      if (held === undefined) return
      objects.delete(name)
      tell('DELETED', next(name, held.metadata.uid))
    },
    bookmark: () => {
      for (const response of watches)
        write(response, { type: 'BOOKMARK', object: { metadata: { resourceVersion: `${version}` } } })
    },
    /** What every open watch is told, well formed or not. */
    raw: (text: string) => {
      for (const response of watches) response.write(text)
    },
    /** Forgets what happened, as etcd's compaction does: only a list tells it now. */
    compact: () => {
      events.length = 0
      faults.compactedBelow = version
    },
    cut: () => {
      for (const response of watches) response.socket?.resetAndDestroy()
    },
    watches: () => watches.size,
    asks: (what: 'list' | 'watch') =>
      stub.asked.filter(({ query }) => query.has('watch') === (what === 'watch')),
  }
}
