import { Agent, type Dispatcher, ProxyAgent, request } from 'undici'
import type { Send } from './kubernetes-call.ts'

/** How to reach the server now: credentials rotate, so it is asked for each request and must be cheap. */
export type Connection = Readonly<{
  headers: Readonly<Record<string, string>>
  /** Options of a TLS connection; sockets are opened anew when they change. */
  connect: Readonly<Record<string, unknown>>
  proxyUrl?: string
}>

/** Watches have sockets of their own beside these: they would take the last place for minutes. */
const SOCKETS_MAX = 16
const CONNECT_TIMEOUT_MS = 5_000
const KEEP_ALIVE_MS = 30_000

/**
 * HTTP/1.1 through undici to `baseUrl`, which may have a path. One socket a watch, so that a half-open one silences that
 * watch alone. Deadlines are the caller's; undici's own are off.
 */
export function createUndiciSend(
  options: Readonly<{ baseUrl: string; connection?: () => Promise<Connection> }>,
): Readonly<{ send: Send; close: () => Promise<void> }> {
  const baseUrl = options.baseUrl.replace(/\/+$/, '')
  const connection = options.connection ?? (async () => ({ headers: {}, connect: {} }))
  const open = new Set<Dispatcher>()
  let used: Readonly<{ key: string; calls: Dispatcher; watches: Dispatcher }> | undefined

  /** What is under way ends in peace; a watch, at its timeout. */
  const retire = (old: typeof used) => {
    for (const dispatcher of old === undefined ? [] : [old.calls, old.watches]) {
      void dispatcher
        .close()
        .catch(() => {}) // It was destroyed meanwhile.
        .finally(() => open.delete(dispatcher))
    }
  }
  const dispatchers = ({ connect, proxyUrl }: Connection) => {
    const key = JSON.stringify([connect, proxyUrl])
    if (used?.key === key) return used
    retire(used)
    const create = (connections: number | null) => {
      const settings = {
        connections,
        allowH2: false,
        headersTimeout: 0,
        bodyTimeout: 0,
        connect: {
          timeout: CONNECT_TIMEOUT_MS,
          keepAlive: true,
          keepAliveInitialDelay: KEEP_ALIVE_MS,
          ...connect,
        },
      }
      const dispatcher =
        proxyUrl === undefined
          ? new Agent(settings)
          : new ProxyAgent({ ...settings, uri: proxyUrl, requestTls: connect })
      open.add(dispatcher)
      return dispatcher
    }
    used = { key, calls: create(SOCKETS_MAX), watches: create(null) }
    return used
  }
  const send: Send = async ({ method, path, headers, body, streaming, signal }) => {
    const now = await connection()
    signal.throwIfAborted()
    const { calls, watches } = dispatchers(now)
    const answer = await request(`${baseUrl}${path}`, {
      dispatcher: streaming ? watches : calls,
      method: method as Dispatcher.HttpMethod,
      headers: { 'user-agent': 'truenow-operator', ...headers, ...now.headers },
      body: body ?? null,
      signal,
    })
    return { status: answer.statusCode, headers: answer.headers, body: answer.body }
  }
  return {
    send,
    close: async () => {
      await Promise.all([...open].map((dispatcher) => dispatcher.destroy()))
    },
  }
}
