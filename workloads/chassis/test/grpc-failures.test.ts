import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { Health as HealthService } from '@truenow/contracts/gen/grpc_health_v1_pb.ts'
import { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { Registry } from 'prom-client'
import { systemClock } from '../src/clock.ts'
import { createGrpcClient } from '../src/grpc-client.ts'
import { createGrpcServer, type Handlers } from '../src/grpc-server.ts'
import { createHealth } from '../src/health.ts'
import { createLog } from '../src/log.ts'

/** Starts a server on `port` with the block stream's handlers, and what it logged. */
async function serve(handlers: Partial<Handlers<typeof BlockStream>>, port = 0) {
  const lines: string[] = []
  const log = createLog({ role: 'test', destination: { write: (line) => lines.push(line) } })
  const health = createHealth({ role: 'test', version: '1', clock: systemClock })
  const server = createGrpcServer({ role: 'test', log, registry: new Registry(), health })
  server.add(BlockStream, {
    getProgress: async () => ({}),
    subscribe: async function* () {},
    ...handlers,
  })
  const bound = await server.listen('127.0.0.1', port)
  return { server, health, lines, port: bound, address: `127.0.0.1:${bound}` }
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (const deadlineMs = performance.now() + 10_000; !holds(); await sleep(5))
    assert.ok(performance.now() < deadlineMs, `not within 10 s: ${what}`)
}

const forever = () => new Promise<never>(() => {})
const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))
after(() => assert.deepEqual(unhandled, [], 'no failure may end the process'))

test('grpc.health.v1: an unknown service is NOT_FOUND for Check, SERVICE_UNKNOWN for Watch', async () => {
  const { server, address } = await serve({})
  const client = createGrpcClient(HealthService, address)
  await assert.rejects(client.check({ service: 'x' }), (error) => {
    assert.ok(error instanceof TrueNowError)
    assert.deepEqual([error.code, error.details], ['TN_REQUEST_INVALID', { path: 'service' }])
    assert.equal((error.cause as { code: number }).code, 5)
    return true
  })
  for await (const { status } of client.watch({ service: 'x' })) {
    assert.equal(status, 3)
    break
  }
  client.close()
  await server.close()
})

test('grpc.health.v1: Watch tells every change, also one that comes while a message is on its way', async () => {
  const { server, health, address } = await serve({})
  const client = createGrpcClient(HealthService, address)
  const seen: number[] = []
  for await (const { status } of client.watch({})) {
    seen.push(status)
    if (seen.length === 1) health.setReady(true)
    if (seen.length === 2) health.setCheck('disk', { status: 'unhealthy', reason: 'full' })
    if (seen.length === 3) break
  }
  assert.deepEqual(seen, [2, 1, 2])
  client.close()
  await server.close()
})

test('grpc: what a handler throws by mistake is TN_INTERNAL, told to the log and not to the caller', async () => {
  const { server, lines, address } = await serve({
    getProgress: async () => {
      throw new TypeError('secret detail')
    },
    subscribe: async function* () {
      yield { event: { case: 'block', value: { offset: 1n } } }
      throw new RangeError('another secret')
    },
  })
  const client = createGrpcClient(BlockStream, address)
  await assert.rejects(client.getProgress({}), (error) => {
    assert.ok(error instanceof TrueNowError)
    assert.equal(error.code, 'TN_INTERNAL')
    assert.doesNotMatch(error.message, /secret/)
    return true
  })
  const seen: unknown[] = []
  await assert.rejects(
    async () => {
      for await (const message of client.subscribe({})) seen.push(message)
    },
    { code: 'TN_INTERNAL' },
  )
  assert.equal(seen.length, 1)
  assert.equal(lines.filter((line) => line.includes('"level":"ERROR"')).length, 2)
  client.close()
  await server.close()
})

test('grpc: a message and details too long for trailers still cross with their code', async () => {
  const { server, address } = await serve({
    getProgress: async () => {
      throw new TrueNowError('TN_QUERY_LIMIT', 'm'.repeat(100_000), {
        details: { d: 'd'.repeat(100_000), n: 1n },
      })
    },
  })
  const client = createGrpcClient(BlockStream, address)
  await assert.rejects(client.getProgress({}), { code: 'TN_QUERY_LIMIT', details: {} })
  client.close()
  await server.close()
})

test('grpc: a call that its caller gave up ends there and is no ERROR here', async () => {
  let aborted = 0
  const { server, lines, address } = await serve({
    getProgress: (_request, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted += 1
          reject(signal.reason)
        })
      }),
  })
  const client = createGrpcClient(BlockStream, address)
  const abort = new AbortController()
  const call = client.getProgress({}, { signal: abort.signal })
  await client.getProgress({}, { timeoutMs: 200 }).catch(() => {}) // The first one has reached its handler by now.
  const reason = new TrueNowError('TN_QUERY_TIMEOUT', 'The query had 1 s.')
  abort.abort(reason)
  await assert.rejects(call, reason)
  await assert.rejects(client.getProgress({}, { signal: abort.signal }), reason)
  await until(() => aborted === 2, 'both handlers hear of it')
  assert.deepEqual(lines, [])
  client.close()
  await server.close()
})

test('grpc: a stream that close cuts short is no whole answer, though its handler waits for ever', async () => {
  let cleaned = false
  let asked = 0
  const { server, address } = await serve({
    subscribe: () => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          asked += 1
          if (asked > 2) await forever()
          return { done: false as const, value: { event: { case: 'block' as const, value: { offset: 1n } } } }
        },
        return: async () => {
          cleaned = true
          return { done: true as const, value: undefined }
        },
      }),
    }),
  })
  const client = createGrpcClient(BlockStream, address)
  let seen = 0
  const read = async () => {
    for await (const _ of client.subscribe({})) seen += 1
  }
  const reading = assert.rejects(read(), { code: 'TN_SHUTTING_DOWN' })
  await until(() => seen === 2, 'both blocks arrive')
  const startedMs = performance.now()
  await server.close()
  await reading
  assert.ok(performance.now() - startedMs < 1_900, 'streams do not use up the grace time of close')
  assert.equal(cleaned, true)
  client.close()
})

test('grpc: close cuts a call that does not end, after its grace time', async () => {
  let entered = false
  const { server, address } = await serve({
    getProgress: () => {
      entered = true
      return forever()
    },
  })
  const client = createGrpcClient(BlockStream, address)
  const call = assert.rejects(client.getProgress({}, { timeoutMs: 60_000 }), { code: 'TN_PEER_UNAVAILABLE' })
  await until(() => entered, 'the handler runs')
  await server.close()
  await call
  client.close()
})

test('grpc: a peer that restarts at the same address is found again within a second or two', async () => {
  const first = await serve({})
  const client = createGrpcClient(BlockStream, first.address)
  await client.getProgress({})
  await first.server.close()
  await assert.rejects(client.getProgress({}), { code: 'TN_PEER_UNAVAILABLE' })
  const second = await serve({}, first.port)
  const startedMs = performance.now()
  let found = false
  while (!found && performance.now() - startedMs < 10_000) {
    found = await client.getProgress({}, { timeoutMs: 500 }).then(
      () => true,
      () => sleep(20).then(() => false),
    )
  }
  assert.equal(found, true)
  assert.ok(performance.now() - startedMs < 3_000, `found after ${performance.now() - startedMs} ms`)
  client.close()
  await second.server.close()
})

test('grpc: a peer that accepts and never speaks is given up after 3 s, for streams too', async () => {
  const sockets: Socket[] = []
  const silent = createServer((socket) => void sockets.push(socket))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const address = silent.address()
  assert.ok(typeof address === 'object' && address !== null)
  const client = createGrpcClient(BlockStream, `127.0.0.1:${address.port}`)
  const startedMs = performance.now()
  await assert.rejects(
    async () => {
      for await (const _ of client.subscribe({})) assert.fail('nobody answers')
    },
    { code: 'TN_PEER_UNAVAILABLE' },
  )
  assert.ok(performance.now() - startedMs < 6_000)
  client.close()
  silent.close()
  for (const socket of sockets) socket.destroy()
})

test('grpc: a peer that vanishes without a word is noticed within 5 s, on both sides', async () => {
  let left = false
  const { server, port } = await serve({
    subscribe: async function* (_request, { signal }) {
      yield { event: { case: 'block', value: { offset: 1n } } }
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      left = true
    },
  })
  const sockets: Socket[] = []
  const relay = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    sockets.push(near, far)
    for (const socket of [near, far]) socket.on('error', () => {})
    near.pipe(far)
    far.pipe(near)
  })
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
  const address = relay.address()
  assert.ok(typeof address === 'object' && address !== null)
  const client = createGrpcClient(BlockStream, `127.0.0.1:${address.port}`)
  let silentSinceMs = 0
  const read = async () => {
    for await (const _ of client.subscribe({})) {
      for (const socket of sockets) socket.unpipe().pause() // As when a node loses its power: no FIN, no RST.
      silentSinceMs = performance.now()
    }
  }
  await assert.rejects(read(), { code: 'TN_PEER_UNAVAILABLE' })
  const clientMs = performance.now() - silentSinceMs
  await until(() => left, 'the server notices')
  const serverMs = performance.now() - silentSinceMs
  assert.ok(clientMs < 6_000 && serverMs < 6_000, `client after ${clientMs} ms, server after ${serverMs} ms`)
  client.close()
  relay.close()
  for (const socket of sockets) socket.destroy()
  await server.close()
})

test('grpc: a closed client refuses calls with a code', async () => {
  const client = createGrpcClient(BlockStream, '127.0.0.1:1')
  client.close()
  await assert.rejects(client.getProgress({}), { code: 'TN_PEER_UNAVAILABLE' })
  await assert.rejects(
    async () => {
      for await (const _ of client.subscribe({})) assert.fail('closed')
    },
    { code: 'TN_PEER_UNAVAILABLE' },
  )
})

test('grpc: http_proxy does not redirect peers', async () => {
  const { server, address } = await serve({})
  process.env.http_proxy = 'http://127.0.0.1:1'
  const client = createGrpcClient(BlockStream, address)
  await client.getProgress({})
  delete process.env.http_proxy
  client.close()
  await server.close()
})

test('grpc: a warm client connects without being called, and again when the connection is lost', async () => {
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    connections += 1
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const listening = server.address()
  assert.ok(typeof listening === 'object' && listening !== null)
  const address = `127.0.0.1:${listening.port}`
  const cold = createGrpcClient(BlockStream, address)
  await sleep(1_200)
  assert.equal(connections, 0)
  const warm = createGrpcClient(BlockStream, address, undefined, { warm: true })
  await until(() => connections === 1, 'it connects')
  for (const socket of sockets) socket.destroy()
  await until(() => connections > 1, 'it connects again')
  warm.close()
  cold.close()
  for (const socket of sockets) socket.destroy()
  server.close()
})
