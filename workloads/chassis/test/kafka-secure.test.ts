import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from 'typebox'
import { systemClock } from '../src/clock.ts'
import { loadConfig } from '../src/config.ts'
import { freePort } from '../src/free-port.ts'
import { issueCertificate } from '../src/issue-certificate.ts'
import { kafkaAccess } from '../src/kafka-access.ts'
import { createKafkaClient } from '../src/kafka-client.ts'
import { kafkaConfig } from '../src/kafka-config.ts'
import type { KafkaPort } from '../src/kafka-port.ts'
import { createLog } from '../src/log.ts'
import { alterScramUser } from '../src/testing/alter-scram-user.ts'
import { AN_HOUR, makeAuthority } from '../src/testing/issue-files.ts'
import { startKafka } from '../src/testing/start-kafka.ts'

/*
 * A real broker with two listeners: SECURED takes SASL over TLS, MUTUAL asks for a certificate. Clients come to both through
 * relays of ours, so that their connections can be cut as a broker that restarts would.
 */
const JAAS = {
  'scram-sha-512': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  'scram-sha-256': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  plain: 'org.apache.kafka.common.security.plain.PlainLoginModule required user_plain="within tls";',
}
const authority = makeAuthority()
const directory = mkdtempSync(join(tmpdir(), 'truenow-kafka-secure-'))
const log = createLog({ role: 'test', level: 'ERROR' })
let server: Awaited<ReturnType<typeof startKafka>>
let secured: Relay
let mutual: Relay

before(async () => {
  const leaf = issueCertificate(authority, {
    identity: { namespace: 'kafka', cluster: 'kafka', role: 'gateway' },
    dnsNames: ['localhost'],
    validity: AN_HOUR,
  })
  writeFileSync(join(directory, 'broker.pem'), leaf.keyPem + leaf.certificatePem)
  writeFileSync(join(directory, 'authority.pem'), authority.certificatePem)
  ;[secured, mutual] = [await relay(), await relay()]
  server = await startKafka({
    listeners: {
      SECURED: { protocol: 'SASL_SSL', port: secured.to, advertised: `localhost:${secured.port}` },
      MUTUAL: { protocol: 'SSL', port: mutual.to, advertised: `localhost:${mutual.port}` },
    },
    properties: {
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': join(directory, 'broker.pem'),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': join(directory, 'authority.pem'),
      'listener.name.mutual.ssl.client.auth': 'required',
      'sasl.enabled.mechanisms': Object.keys(JAAS).join().toUpperCase(),
      ...Object.fromEntries(
        Object.entries(JAAS).map(([name, jaas]) => [`listener.name.secured.${name}.sasl.jaas.config`, jaas]),
      ),
    },
  })
  await alterScramUser(server.port, { name: 'sha256', password: 'short', mechanism: 'SCRAM-SHA-256' })
})
after(async () => {
  await server?.stop()
  for (const one of [secured, mutual]) await one?.close()
  rmSync(directory, { recursive: true, force: true })
})

test('kafka over TLS: every mechanism creates, writes, follows and reads', async (t) => {
  await alterScramUser(server.port, { name: 'sha512', password: 'long' })
  const users = { 'SCRAM-SHA-512': ['sha512', 'long'], 'SCRAM-SHA-256': ['sha256', 'short'], PLAIN: ['plain', 'within tls'] } // biome-ignore format: one line
  for (const [mechanism, [username = '', password = '']] of Object.entries(users)) {
    const { kafka } = client(t, { mechanism, username, password })
    await until(kafka.reachable)
    const topic = `by-${mechanism}`
    assert.equal(await kafka.createTopic(topic, ONE_PARTITION), true)
    assert.deepEqual(await kafka.produce(topic, 0, Buffer.from('x')), { offset: 0 })
    assert.equal((await kafka.readRecord(topic, 0, 0))?.value.toString(), 'x')
    const done = new AbortController()
    const seen: string[] = []
    const take: Parameters<KafkaPort['followPartition']>[1] = (records) => {
      seen.push(...records.map(({ value }) => value.toString()))
      if (seen.length > 0) done.abort()
    }
    const signal = AbortSignal.any([done.signal, AbortSignal.timeout(10_000)])
    await kafka.followPartition({ topic, partition: 0, nextOffset: 0 }, take, signal)
    assert.deepEqual(seen, ['x'])
  }
})

test('kafka over TLS: a rotated password costs nothing, a wrong one is told before the old connections are gone, and corrected it is taken', async (t) => {
  await alterScramUser(server.port, { name: 'rotating', password: 'one' })
  const { kafka, write } = client(t, { username: 'rotating', password: 'one' })
  const topic = 'rotated'
  await kafka.createTopic(topic, ONE_PARTITION)
  const seen: string[] = []
  const stopping = new AbortController()
  const followed = kafka.followPartition(
    { topic, partition: 0, nextOffset: 0 },
    (records) => void seen.push(...records.map(({ value }) => value.toString())),
    stopping.signal,
  )
  const written = async (value: string) => {
    await kafka.produce(topic, 0, Buffer.from(value))
    await until(async () => seen.at(-1) === value)
  }
  await written('first')
  await until(kafka.reachable)

  write({ password: 'wrong' })
  assert.equal(await kafka.reachable(), false)
  await until(troubled(kafka, 'KafkaAuthenticationFailed'))
  assert.match(kafka.trouble()?.message ?? '', /spec\.kafka\.sasl: .*invalid credentials.*Correct the Secret/)
  assert.doesNotMatch(kafka.trouble()?.message ?? '', /wrong|one/)
  await written('over the old connections')

  secured.cut()
  await until(async () => {
    const told = await kafka.produce(topic, 0, Buffer.from('refused')).then(() => 'taken', codeAndMessage)
    return /^TN_KAFKA_UNAVAILABLE .*user name and password of spec\.kafka\.sasl/.test(told)
  })
  await alterScramUser(server.port, { name: 'rotating', password: 'two' })
  write({ password: 'two' })
  await until(kafka.reachable)
  assert.equal(kafka.trouble(), undefined)
  await until(async () => (await kafka.produce(topic, 0, Buffer.from('again'))).offset > 1)
  await until(async () => seen.at(-1) === 'again')
  secured.cut()
  await until(async () => (await kafka.produce(topic, 0, Buffer.from('after a cut'))).offset > 1)
  await until(async () => seen.at(-1) === 'after a cut')
  assert.equal(seen.includes('refused'), false)
  stopping.abort()
  await followed
})

test('kafka over TLS: certificates, names and Secrets that are no good are told apart, and mended without a restart', async (t) => {
  await alterScramUser(server.port, { name: 'told', password: 'right' })
  const cases = [
    [{ ca: makeAuthority().certificatePem }, 'KafkaCertificateRefused', /not believed.*caSecretRef/],
    [{ brokers: `127.0.0.1:${secured.port}` }, 'KafkaCertificateRefused', /not believed.*a name that it bears/], // biome-ignore format: one line
    [{ ca: 'no PEM' }, 'KafkaSecretInvalid', /ca\.crt holds no certificate in PEM; correct the Secret/],
    [{ password: '' }, 'KafkaSecretInvalid', /empty username or password; correct the Secret/],
    [{ mechanism: 'SCRAM-SHA-256' }, 'KafkaAuthenticationFailed', /or the mechanism/],
    [{ brokers: `localhost:${server.port}` }, 'KafkaUnreachable', /what that listener speaks/],
  ] as const
  const told = cases.map(async ([wrong, reason, said]) => {
    const { kafka, write } = client(t, { username: 'told', password: 'right', ...wrong })
    await until(troubled(kafka, reason))
    assert.match(kafka.trouble()?.message ?? '', said)
    if (!('ca' in wrong) && !('password' in wrong)) return
    write({ ca: authority.certificatePem, password: 'right' })
    await until(kafka.reachable)
    await kafka.createTopic(`mended-${reason}-${'ca' in wrong}`, ONE_PARTITION)
  })
  await Promise.all(told)
})

test('kafka over TLS: a broker that asks for a certificate takes one that it believes', async (t) => {
  const brokers = `localhost:${mutual.port}`
  const { kafka: bare } = client(t, { brokers, mechanism: 'None' })
  await until(troubled(bare, 'KafkaCertificateRefused'))
  assert.match(bare.trouble()?.message ?? '', /certificateSecretRef must name one that it believes/)
  const { kafka } = client(t, { brokers, mechanism: 'None', certificate: true })
  await until(kafka.reachable)
  await kafka.createTopic('mutual', ONE_PARTITION)
  assert.deepEqual(await kafka.produce('mutual', 0, Buffer.from('x')), { offset: 0 })
})

const codeAndMessage = ({ code, message }: Error & { code?: string }) => `${code} ${message}`
/** A busy machine takes longer for a handshake than a client waits, and then it is asked again. */
const troubled = (kafka: KafkaPort, reason: string) => async () =>
  !(await kafka.reachable()) && kafka.trouble()?.reason === reason
const ONE_PARTITION = { partitions: 1, replicationFactor: 1, config: {} }
type Secrets = Readonly<{ username?: string; password?: string; ca?: string }>
let clients = 0

/** A client with Secrets of its own, which `write` changes one file after the other by renaming. */
function client(
  t: { after: (end: () => Promise<void>) => void },
  more: Secrets & Readonly<{ mechanism?: string; brokers?: string; certificate?: true }>,
) {
  clients += 1
  const own = join(directory, `client-${clients}`)
  mkdirSync(own)
  const put = (name: string, content: string) => {
    writeFileSync(join(own, `${name}.new`), content)
    renameSync(join(own, `${name}.new`), join(own, name))
  }
  const write = ({ username, password, ca }: Secrets) => {
    if (username !== undefined) put('username', username)
    if (password !== undefined) put('password', password)
    if (ca !== undefined) put('ca.crt', ca)
  }
  write({ ca: authority.certificatePem, ...more })
  if (more.certificate === true) {
    const identity = { namespace: 'apps', cluster: 'demo', role: 'gateway' } as const
    const leaf = issueCertificate(authority, { identity, dnsNames: ['client'], validity: AN_HOUR })
    put('tls.crt', leaf.certificatePem)
    put('tls.key', leaf.keyPem)
  }
  const settings = loadConfig(Type.Object(kafkaConfig), {
    TRUENOW_KAFKA_BROKERS: more.brokers ?? `localhost:${secured.port}`,
    TRUENOW_KAFKA_TLS: 'true',
    TRUENOW_KAFKA_CA_FILE: join(own, 'ca.crt'),
    TRUENOW_KAFKA_SASL_MECHANISM: more.mechanism ?? 'SCRAM-SHA-512',
    TRUENOW_KAFKA_SASL_DIRECTORY: own,
    ...(more.certificate === true ? { TRUENOW_KAFKA_CERTIFICATE_DIRECTORY: own } : {}),
  })
  const brokers = [settings.TRUENOW_KAFKA_BROKERS]
  const kafka = createKafkaClient({ brokers, clientId: 'test', log, clock: systemClock, access: kafkaAccess(settings) }) // biome-ignore format: one line
  t.after(() => kafka.close())
  return { kafka, write }
}

type Relay = Readonly<{ port: number; to: number; cut: () => void; close: () => Promise<void> }>
/** Hands connections on to a port that is free for a server to come. */
async function relay(): Promise<Relay> {
  const to = await freePort()
  const sockets = new Set<Socket>()
  const relaying = createServer((near) => {
    const far = connect(to, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far).pipe(near)
  })
  relaying.listen(0, '127.0.0.1')
  await once(relaying, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  const close = async () => {
    cut()
    relaying.close()
    await once(relaying, 'close')
  }
  return { port: (relaying.address() as AddressInfo).port, to, cut, close }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 20_000
  while (!(await condition().catch(() => false))) {
    assert.ok(performance.now() < giveUpAt, 'not within 20 s')
    await sleep(50)
  }
}
