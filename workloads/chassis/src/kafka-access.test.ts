import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Type } from 'typebox'
import { loadConfig } from './config.ts'
import { kafkaAccess } from './kafka-access.ts'
import { kafkaConfig } from './kafka-config.ts'
import { issueFiles, makeAuthority } from './testing/issue-files.ts'

/** A mounted Secret, written as the kubelet does: a directory a version, and a link that is turned. */
function mountedSecret(t: { after: (end: () => void) => void }) {
  const directory = mkdtempSync(join(tmpdir(), 'truenow-kafka-access-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  let version = 0
  const write = (files: Readonly<Record<string, string>>) => {
    version += 1
    mkdirSync(join(directory, `v${version}`))
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(directory, `v${version}`, name), content)
      rmSync(join(directory, name), { force: true })
      symlinkSync(join('data', name), join(directory, name))
    }
    symlinkSync(`v${version}`, join(directory, 'data.new'))
    renameSync(join(directory, 'data.new'), join(directory, 'data'))
  }
  return { directory, write }
}
const access = (more: Readonly<Record<string, string>>) =>
  kafkaAccess(loadConfig(Type.Object(kafkaConfig), { TRUENOW_KAFKA_BROKERS: 'kafka:9092', ...more }))

/** Why a connection fails before it leaves this process. */
async function failureOf({ options }: ReturnType<typeof access>): Promise<Error & { code?: string }> {
  const socket = options.socketFactory?.({ host: 'localhost', port: 1, ssl: {}, onConnect: () => {} })
  assert.ok(socket !== undefined)
  const [error] = await once(socket, 'error')
  return error
}

test('kafkaAccess: nothing asked for, nothing given to kafkajs', () => {
  assert.deepEqual(access({}).options, {})
})

test('kafkaAccess: the fingerprint changes with each file, and comes back with it', (t) => {
  const { directory, write } = mountedSecret(t)
  const { fingerprint } = access({
    TRUENOW_KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
    TRUENOW_KAFKA_SASL_DIRECTORY: directory,
  })
  const empty = fingerprint()
  write({ username: 'u', password: 'one' })
  const one = fingerprint()
  write({ username: 'u', password: 'two' })
  const two = fingerprint()
  assert.equal(new Set([empty, one, two]).size, 3)
  write({ username: 'u', password: 'one' })
  assert.equal(fingerprint(), one)
})

test('kafkaAccess: credentials are those of the moment, without the line break that an editor adds', async (t) => {
  const { directory, write } = mountedSecret(t)
  const { options } = access({
    TRUENOW_KAFKA_TLS: 'true',
    TRUENOW_KAFKA_SASL_MECHANISM: 'PLAIN',
    TRUENOW_KAFKA_SASL_DIRECTORY: directory,
  })
  const sent = async () => {
    const texts: string[] = []
    const { authenticationProvider } = options.sasl as unknown as Mechanism
    const saslAuthenticate = async ({ request }: Asked) => void texts.push(String(await request.encode()))
    const nothing = () => {}
    const logger = { debug: nothing, error: nothing, info: nothing, warn: nothing }
    await authenticationProvider({ host: 'h', port: 1, logger, saslAuthenticate }).authenticate()
    return texts.join()
  }
  write({ username: 'u\n', password: 'one \n' })
  assert.match(await sent(), /\0u\0one $/)
  write({ username: 'v', password: 'two' })
  assert.match(await sent(), /\0v\0two$/)
  for (const wrong of [{ username: '', password: 'secret' }, { username: 'secret' }]) {
    rmSync(join(directory, 'password'))
    write(wrong as Readonly<Record<string, string>>)
    await assert.rejects(sent(), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'TN_CONFIG_INVALID')
      assert.ok(error.message.startsWith(directory), error.message)
      assert.doesNotMatch(error.message, /secret/)
      return true
    })
    write({ username: 'v', password: 'two' })
  }
})
type Asked = { request: { encode: () => Promise<Buffer> } }
type Mechanism = {
  authenticationProvider: (args: object) => { authenticate: () => Promise<void> }
}

test('kafkaAccess: files of TLS that are no good fail the connection, name the place and tell nothing of the key', async (t) => {
  const { directory, write } = mountedSecret(t)
  const [authority, other] = [makeAuthority(), makeAuthority()]
  const mine = issueFiles(authority, 'gateway')
  const stranger = issueFiles(other, 'gateway')
  const under = access({
    TRUENOW_KAFKA_TLS: 'true',
    TRUENOW_KAFKA_CA_FILE: join(directory, 'ca.crt'),
    TRUENOW_KAFKA_CERTIFICATE_DIRECTORY: directory,
  })
  const good = { 'ca.crt': mine.trust, 'tls.crt': mine.certificate, 'tls.key': mine.key }
  const wrong: ReadonlyArray<[files: Readonly<Record<string, string>>, said: RegExp]> = [
    [{ ...good, 'ca.crt': '' }, /ca\.crt holds no certificate in PEM; correct the Secret/],
    [{ ...good, 'tls.key': stranger.key }, /its key is not that of its certificate; correct the Secret/],
    [{ ...good, 'tls.crt': 'x' }, /is no PEM/],
  ]
  assert.match((await failureOf(under)).message, /cannot be read; correct the Secret/)
  for (const [files, said] of wrong) {
    write(files)
    const error = await failureOf(under)
    assert.equal(error.code, 'TN_CONFIG_INVALID')
    assert.match(error.message, said)
    assert.doesNotMatch(error.message, /BEGIN|PRIVATE/)
  }
  write(good)
  assert.equal((await failureOf(under)).code, 'ECONNREFUSED', 'with good files it goes out')
})
