import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '@truenow/chassis/clock.ts'
import type { KubernetesPort } from '../src/kubernetes/kubernetes-port.ts'
import { createKubernetesRequests } from '../src/kubernetes/kubernetes-requests.ts'
import { createUndiciSend } from '../src/kubernetes/undici-send.ts'

export type Asked = Readonly<{
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  body: string
  /** ms since the stub began. */
  atMs: number
}>
export type Answer = (asked: Asked, response: ServerResponse) => unknown

/** An HTTP server on loopback that answers as `answer` says, notes what it was asked, and shows what stays open. */
export async function startStub(answer: Answer) {
  const asked: Asked[] = []
  const startedMs = performance.now()
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://stub')
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      const { method = '', headers } = request
      const atMs = performance.now() - startedMs
      const one = { method, path: pathname, query: searchParams, headers, body, atMs }
      asked.push(one)
      answer(one, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    asked,
    baseUrl: `http://127.0.0.1:${port}`,
    sockets: () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count))),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Our client on that server, with every wait short enough for a test. */
export function clientOf(
  baseUrl: string,
  more: Partial<Parameters<typeof createKubernetesRequests>[0]> = {},
): KubernetesPort {
  const { send, close } = createUndiciSend({ baseUrl })
  return createKubernetesRequests({ send, close, clock: systemClock, random: () => 0, ...more })
}

export function json(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
}

export function refuse(
  response: ServerResponse,
  code: number,
  reason: string,
  headers: Record<string, string> = {},
): void {
  json(
    response,
    code,
    { kind: 'Status', status: 'Failure', code, reason, message: `stub: ${reason}` },
    headers,
  )
}

/** Waits for what real sockets bring about. Errors: when it has not come after 5 s. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 5_000
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`not within 5 s: ${what}`)
    await sleep(5)
  }
}
