import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import type { Role } from '@truenow/contracts/ports.ts'
import { Registry } from 'prom-client'
import { systemClock } from '../src/clock.ts'
import { createGrpcClient } from '../src/grpc-client.ts'
import { createGrpcServer } from '../src/grpc-server.ts'
import { createHealth } from '../src/health.ts'
import { createLog } from '../src/log.ts'
import { AN_HOUR, issueFiles, makeAuthority } from '../src/testing/issue-files.ts'
import { createTlsCredentials, TLS_PHASES, type TlsFiles, type TlsPhase } from '../src/tls-credentials.ts'

const authority = makeAuthority()
const stranger = makeAuthority()
const past = { fromUs: AN_HOUR.fromUs - 2e9, untilUs: AN_HOUR.fromUs }

/** A server of BlockStream; `files` undefined: one from before there were certificates. */
async function serve(t: TestContext, role: Role, files?: TlsFiles) {
  const tls = files === undefined ? undefined : createTlsCredentials()
  if (files !== undefined) tls?.set(files)
  const log = createLog({ role, destination: { write: () => {} } })
  const health = createHealth({ role, version: '1', clock: systemClock })
  const registry = new Registry()
  const server = createGrpcServer({ role, log, registry, health, tls })
  server.add(BlockStream, {
    getProgress: async () => ({ slots: [] }),
    subscribe: async function* (_request, { signal }) {
      for (let offset = 1n; !signal.aborted; offset++) {
        yield { event: { case: 'block', value: { offset, value: new Uint8Array(100_000) } } }
        await sleep(2)
      }
    },
  })
  const port = await server.listen('127.0.0.1', 0)
  t.after(server.close)
  const refused = async () => {
    const name = `truenow_${role.replaceAll('-', '_')}_grpc_refused_connections_total`
    const { values } = (await registry.getSingleMetric(name)?.get()) ?? { values: [] }
    return values.map(({ labels }) => labels.reason)
  }
  return { port, tls, refused }
}

function call(t: TestContext, port: number, files?: TlsFiles) {
  const tls = files === undefined ? undefined : createTlsCredentials()
  if (files !== undefined) tls?.set(files)
  const client = createGrpcClient(BlockStream, `127.0.0.1:${port}`, tls)
  t.after(client.close)
  return { tls, client, ask: () => client.getProgress({}, { timeoutMs: 2_000 }) }
}

const ingester = (phase: TlsPhase) => issueFiles(authority, 'ingester', { phase })
const CALLERS: Readonly<Record<string, (phase: TlsPhase) => TlsFiles | undefined>> = {
  'one without certificates': () => undefined,
  'a hot-tier': (phase) => issueFiles(authority, 'hot-tier', { phase }),
  'a gateway, which calls no ingester': (phase) => issueFiles(authority, 'gateway', { phase }),
  'a hot-tier of another cluster under the same authority': (phase) =>
    issueFiles(authority, 'hot-tier', { phase, cluster: 'other' }),
  'a hot-tier of another authority': (phase) =>
    issueFiles(stranger, 'hot-tier', { phase, trust: [stranger, authority] }),
  'a hot-tier of yesterday': (phase) => issueFiles(authority, 'hot-tier', { phase, validity: past }),
}
/** By phase of the server, then by phase of the caller: who is answered. */
const ANSWERED: Readonly<Record<string, (server: TlsPhase, caller: TlsPhase) => boolean>> = {
  'one without certificates': (server) => server !== 'require',
  'a hot-tier': (server, caller) => caller !== 'accept' || server !== 'require',
}

for (const [name, filesOf] of Object.entries(CALLERS)) {
  test(`certificates: ${name} calls an ingester, in every phase of both`, async (t) => {
    for (const phase of TLS_PHASES) {
      const { port, refused } = await serve(t, 'ingester', ingester(phase))
      let expected = 0
      for (const own of TLS_PHASES) {
        const answered =
          ANSWERED[name] ??
          ((server: TlsPhase, caller: TlsPhase) => caller === 'accept' && server !== 'require')
        const { ask } = call(t, port, filesOf(own))
        const outcome = await ask().then(
          () => true,
          (error) => error.code,
        )
        assert.equal(outcome, answered(phase, own) || 'TN_PEER_UNAVAILABLE', `${phase} asked in ${own}`)
        if (outcome !== true) expected += 1
      }
      if (expected > 0) assert.ok((await refused()).length > 0, 'the refusals are counted')
    }
  })
}

test('certificates: a caller does not take any role, cluster or authority for an ingester', async (t) => {
  const callers = issueFiles(authority, 'hot-tier', { trust: [authority] })
  const others: ReadonlyArray<[Role, TlsFiles | undefined]> = [
    ['hot-tier', issueFiles(authority, 'hot-tier')],
    ['ingester', issueFiles(authority, 'ingester', { cluster: 'other' })],
    ['ingester', issueFiles(stranger, 'ingester', { trust: [authority, stranger] })],
    ['ingester', issueFiles(authority, 'ingester', { validity: past })],
    ['ingester', undefined],
  ]
  for (const [role, files] of others) {
    const { port } = await serve(t, role, files)
    await assert.rejects(call(t, port, callers).ask(), { code: 'TN_PEER_UNAVAILABLE' })
  }
})

test('certificates: nothing older than TLS 1.3, and no session is resumed', async (t) => {
  const { certificate: cert, key, trust: ca } = issueFiles(authority, 'hot-tier')
  const { port } = await serve(t, 'ingester', ingester('require'))
  const shake = (maxVersion: 'TLSv1.2' | 'TLSv1.3', session?: Buffer) =>
    new Promise<Readonly<{ outcome: string; session?: Buffer }>>((resolve) => {
      const options = { port, host: '127.0.0.1', cert, key, ca, minVersion: 'TLSv1.2', maxVersion } as const
      const checkServerIdentity = () => undefined
      const socket = connect({
        ...options,
        checkServerIdentity,
        ...(session === undefined ? {} : { session }),
      })
      socket.on('error', (error) => resolve({ outcome: (error as NodeJS.ErrnoException).code ?? '' }))
      socket.once('session', (given: Buffer) => {
        resolve({
          outcome: `${socket.getProtocol()}${socket.isSessionReused() ? ' resumed' : ''}`,
          session: given,
        })
        socket.destroy()
      })
    })
  assert.equal((await shake('TLSv1.2')).outcome, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
  const { outcome, session } = await shake('TLSv1.3')
  assert.equal(outcome, 'TLSv1.3')
  assert.ok(session !== undefined)
  assert.equal((await shake('TLSv1.3', session)).outcome, 'TLSv1.3')
})

test('certificates: the ports of people’s programs take plain text in every phase, and certificates too', async (t) => {
  const { port } = await serve(t, 'query', issueFiles(authority, 'query'))
  await call(t, port).ask()
  await assert.rejects(call(t, port, issueFiles(authority, 'hot-tier')).ask(), {
    code: 'TN_PEER_UNAVAILABLE', // A query is no ingester.
  })
})

/** What the operator writes, in its order: to certificates, to another authority, and back. */
function* story(): Generator<(role: Role) => TlsFiles> {
  const next = makeAuthority()
  for (const phase of TLS_PHASES) yield (role) => issueFiles(authority, role, { phase })
  yield (role) => issueFiles(authority, role)
  yield (role) => issueFiles(authority, role, { trust: [authority, next] })
  yield (role) => issueFiles(next, role, { trust: [next, authority] })
  yield (role) => issueFiles(next, role)
  for (const phase of TLS_PHASES.toReversed()) yield (role) => issueFiles(next, role, { phase })
}

test('certificates: every change of theirs, either side first, loses no call', {
  timeout: 60_000,
}, async (t) => {
  const steps = [...story()]
  const first = steps[0]
  assert.ok(first !== undefined)
  const { port, tls: server } = await serve(t, 'ingester', first('ingester'))
  const { ask, client, tls: caller } = call(t, port, first('hot-tier'))
  let ending = false
  let asked = 0
  const failed: unknown[] = []
  const asking = async () => {
    while (!ending) {
      asked += 1
      await ask().catch((error: unknown) => failed.push(error))
    }
  }
  const stop = new AbortController()
  let blocks = 0
  const following = async () => {
    for await (const _ of client.subscribe({}, { signal: stop.signal })) blocks += 1
  }
  const running = [asking(), asking(), following().catch(() => {})]
  for (const [at, files] of steps.entries()) {
    const takers = [() => server?.set(files('ingester')), () => caller?.set(files('hot-tier'))]
    for (const take of at % 2 === 0 ? takers : takers.toReversed()) {
      take()
      await sleep(60)
    }
  }
  ending = true
  stop.abort()
  await Promise.all(running)
  assert.deepEqual(failed.map(String), [])
  assert.ok(asked > 200 && blocks > 5, `${asked} calls, ${blocks} blocks`)
})
