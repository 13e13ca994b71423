import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { Health as HealthService } from '@truenow/contracts/gen/grpc_health_v1_pb.ts'
import { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { Registry } from 'prom-client'
import { systemClock } from '../src/clock.ts'
import { createGrpcClient } from '../src/grpc-client.ts'
import { createGrpcServer } from '../src/grpc-server.ts'
import { createHealth } from '../src/health.ts'
import { createLog } from '../src/log.ts'

const lines: string[] = []
const log = createLog({ role: 'test', destination: { write: (line) => lines.push(line) } })
const health = createHealth({ role: 'test', version: '1', clock: systemClock })
const server = createGrpcServer({ role: 'test', log, registry: new Registry(), health })
let sent = 0
let ended = false
server.add(BlockStream, {
  getProgress: async () => {
    throw new TrueNowError('TN_TABLE_UNKNOWN', 'No table a.b.', { details: { path: 'a.b' } })
  },
  subscribe: async function* (_request, { signal }) {
    try {
      while (!signal.aborted) {
        sent += 1
        yield { event: { case: 'block', value: { offset: BigInt(sent), value: new Uint8Array(65_536) } } }
      }
    } finally {
      ended = true
    }
  },
})
const port = await server.listen('127.0.0.1', 0)
const client = createGrpcClient(BlockStream, `127.0.0.1:${port}`)
after(async () => {
  client.close()
  await server.close()
})

test('grpc: a TrueNowError crosses with code, message and details', async () => {
  await assert.rejects(client.getProgress({}), (error) => {
    assert.ok(error instanceof TrueNowError)
    assert.deepEqual(
      [error.code, error.message, error.details],
      ['TN_TABLE_UNKNOWN', 'No table a.b.', { path: 'a.b' }],
    )
    return true
  })
})

test('grpc: nobody there is TN_PEER_UNAVAILABLE within the time-out', async () => {
  const nobody = createGrpcClient(BlockStream, '127.0.0.1:1')
  await assert.rejects(nobody.getProgress({}, { timeoutMs: 300 }), { code: 'TN_PEER_UNAVAILABLE' })
  nobody.close()
})

test('grpc: a slow reader holds the server back, and leaving ends the handler', async () => {
  let seen = 0
  for await (const { event } of client.subscribe({})) {
    seen += 1
    assert.equal(event.case === 'block' && event.value.offset, BigInt(seen))
    if (seen === 3) await new Promise((resolve) => setTimeout(resolve, 200))
    if (seen === 5) break
  }
  assert.ok(sent < 2_000, `${sent} blocks of 64 KiB were written for a reader that took 5`)
  for (let tries = 0; !ended && tries < 200; tries++) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.equal(ended, true)
})

test('grpc: aborting the signal ends a stream without an error', async () => {
  const abort = new AbortController()
  let seen = 0
  for await (const _ of client.subscribe({}, { signal: abort.signal })) {
    seen += 1
    if (seen === 2) abort.abort()
  }
  assert.ok(seen >= 2)
})

test('grpc.health.v1: follows readiness', async () => {
  const probe = createGrpcClient(HealthService, `127.0.0.1:${port}`)
  assert.equal((await probe.check({})).status, 2)
  health.setReady(true)
  assert.equal((await probe.check({})).status, 1)
  probe.close()
})
