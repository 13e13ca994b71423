import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { createUndiciSend } from '../../src/kubernetes/undici-send.ts'
import { refuse } from '../kubernetes-stub.ts'
import type { RealApiServer } from './real-api-server.ts'

/** What lies between an operator and its API server. Shares are of all requests, drawn by a seed. */
export type Fault = Readonly<{
  name: string
  /** ms before a request is passed on. */
  delayMs?: number
  /** Answers instead of the API server, with one of these. */
  refused?: Readonly<{ share: number; statuses: readonly number[] }>
  /** Done, but the connection breaks before the answer. */
  answersLost?: number
  /** ms that the events of watches are held back: caches are that old. */
  heldMs?: number
  /** Every event comes twice. */
  repeated?: true
  /** Share of events that never come; the watch ends with 410 a while later, as one that lost track does. */
  missed?: number
  /** ms after which a watch ends: its connection breaks, or it says that its version is too old. */
  watchEnds?: Readonly<{ afterMs: number; by: 'break' | '410' }>
}>
export type FaultyApiServer = Awaited<ReturnType<typeof startFaultyApiServer>>

const MISSED_ENDS_MS = 1_500
const GONE = `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' } })}\n` // biome-ignore format: one line
const REASONS: Readonly<Record<number, string>> = { 429: 'TooManyRequests', 500: 'InternalError', 503: 'ServiceUnavailable' } // biome-ignore format: one line

/**
 * An HTTP server on loopback that passes everything on to the real API server, but for `fault`. Counts requests, without those for
 * the Lease.
 */
export async function startFaultyApiServer(api: RealApiServer, fault: Fault, random: () => number) {
  const upstream = api.connect()
  const counts = { requests: 0, faults: 0 }
  const server = createServer((request, response) => {
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    pass(request, response, gone.signal).catch(() => response.destroy()) // Whoever asked has gone, or the API server has.
  })
  const hit = (share = 0) => {
    if (random() >= share) return false
    counts.faults += 1
    return true
  }
  const pass = async (request: IncomingMessage, response: ServerResponse, signal: AbortSignal) => {
    const { method = 'GET', url: path = '/', headers } = request
    if (!path.includes('/leases')) counts.requests += 1
    const body = await text(request)
    if (fault.delayMs !== undefined) {
      counts.faults += 1
      await delay(fault.delayMs)
    }
    if (hit(fault.refused?.share)) return refuseBy(fault.refused?.statuses ?? [], response)
    const streaming = path.includes('watch=true')
    const type = headers['content-type'] ?? 'application/json'
    const answer = await upstream.send({
      method,
      path,
      headers: { 'content-type': type },
      ...(body === '' ? {} : { body }),
      streaming,
      signal,
    })
    if (!streaming && hit(fault.answersLost)) return void response.destroy()
    response.writeHead(answer.status, { 'content-type': 'application/json' })
    if (streaming && answer.status === 200) await watch(answer.body, response)
    else for await (const chunk of answer.body) response.write(chunk)
    response.end()
  }
  const refuseBy = (statuses: readonly number[], response: ServerResponse) => {
    const status = statuses[Math.floor(random() * statuses.length)] ?? 500
    refuse(response, status, REASONS[status] ?? '', status === 429 ? { 'retry-after': '1' } : {})
  }
  const watch = async (events: AsyncIterable<Uint8Array>, response: ServerResponse) => {
    response.flushHeaders()
    const endAfter = (ms: number, by: 'break' | '410') =>
      setTimeout(() => {
        counts.faults += 1
        if (by === '410') response.end(GONE)
        else response.destroy()
      }, ms)
    const tell = (line: string) => {
      if (!response.writableEnded && !response.destroyed) response.write(line)
    }
    const timers: NodeJS.Timeout[] = []
    const { watchEnds, missed, heldMs, repeated } = fault
    if (watchEnds !== undefined) timers.push(endAfter(watchEnds.afterMs, watchEnds.by))
    let isWhole = true
    response.once('close', () => {
      for (const timer of timers) clearTimeout(timer)
    })
    for await (const line of linesOf(events)) {
      if (heldMs !== undefined || repeated === true) counts.faults += 1
      if (missed !== undefined && (!isWhole || hit(missed))) {
        if (isWhole) timers.push(endAfter(MISSED_ENDS_MS, '410'))
        isWhole = false
        continue
      }
      // Each waits by itself, so their order stays.
      if (heldMs !== undefined) timers.push(setTimeout(() => tell(line), heldMs))
      else tell(repeated === true ? `${line}${line}` : line)
    }
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    counts,
    connect: () => createUndiciSend({ baseUrl: `http://127.0.0.1:${port}` }),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await upstream.close()
    },
  }
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield `${line}\n`
  }
}
