import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { CachePort } from '../src/cache-port.ts'
import { systemClock } from '../src/clock.ts'
import { issueCertificate } from '../src/issue-certificate.ts'
import { createLog } from '../src/log.ts'
import { postgresAuthority } from '../src/postgres-authority.ts'
import { createPostgresClient } from '../src/postgres-client.ts'
import { createRedisClient } from '../src/redis-client.ts'
import { AN_HOUR, makeAuthority } from '../src/testing/issue-files.ts'
import { startPostgres } from '../src/testing/start-postgres.ts'
import { startRedis } from '../src/testing/start-redis.ts'

/* PostgreSQL and Redis with certificates of an authority that only a file of ours names, and with that of a stranger. */
const authority = makeAuthority()
const stranger = makeAuthority()
const certificate = issueCertificate(authority, {
  identity: { namespace: 'stores', cluster: 'stores', role: 'gateway' },
  dnsNames: ['localhost'],
  validity: AN_HOUR,
})
const directory = mkdtempSync(join(tmpdir(), 'truenow-stores-'))
const caFile = join(directory, 'ca.crt')
const lines: string[] = []
const log = createLog({ role: 'query', level: 'WARN', destination: { write: (line) => lines.push(line) } })
let postgres: Awaited<ReturnType<typeof startPostgres>>
let redis: Awaited<ReturnType<typeof startRedis>>

before(async () => {
  ;[postgres, redis] = await Promise.all([startPostgres({ certificate }), startRedis({ certificate })])
})
after(async () => {
  await Promise.all([postgres?.stop(), redis?.stop()])
  rmSync(directory, { recursive: true, force: true })
})

test('postgres over TLS: the authority of the file decides, whatever the URL says, and is read anew', async (t) => {
  const named = postgres.url.replace('127.0.0.1', 'localhost')
  const encrypted = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
  writeFileSync(caFile, stranger.certificatePem)
  for (const said of ['', '?sslmode=disable', '?sslmode=no-verify&application_name=a', '?ssl=false']) {
    const port = createPostgresClient({ url: () => postgresAuthority(`${named}${said}`, caFile), log })
    t.after(port.close)
    writeFileSync(caFile, stranger.certificatePem)
    await assert.rejects(port.query('SELECT 1'), {
      code: 'TN_POSTGRES_UNAVAILABLE',
      message: /certificate.*; spec\.postgres\.caSecretRef must hold the authority/,
    })
    writeFileSync(caFile, authority.certificatePem)
    assert.deepEqual(await port.query(encrypted), [{ ssl: true }], said)
  }
  const elsewhere = createPostgresClient({ url: () => postgresAuthority(postgres.url, caFile), log })
  t.after(elsewhere.close)
  await assert.rejects(elsewhere.query('SELECT 1'), { message: /the URL a name that it bears/ })
  const plain = createPostgresClient({ url: () => postgres.url, log })
  t.after(plain.close)
  assert.deepEqual(await plain.query(encrypted), [{ ssl: false }], 'without the file the URL decides')
})

test('redis over TLS: a user of its ACL with the rights it needs and no more; authority and password are told when wrong, and taken when right', async (t) => {
  const admin = new Redis(redis.url, { tls: { ca: authority.certificatePem } })
  t.after(() => admin.disconnect())
  const rights = ['on', '>right', '~truenow:*', '+get', '+set', '+ping', '+info', '+select']
  await admin.call('ACL', ['SETUSER', 'least', ...rights])
  writeFileSync(caFile, stranger.certificatePem)
  let url = redis.url.replace('rediss://', 'redis://least:right@') // TLS all the same.
  const ca = () => readFileSync(caFile, 'utf8')
  const cache = createRedisClient({ url: () => url, ca, log, clock: systemClock })
  t.after(cache.close)
  await until(async () => lines.some((line) => /certificate of Redis.*caSecretRef/.test(line)))
  assert.equal(await cache.reachable(), false)
  writeFileSync(caFile, authority.certificatePem)
  await until(cache.reachable)
  await cache.set('truenow:a', Buffer.from('x'), 60)
  assert.equal((await cache.get('truenow:a'))?.toString(), 'x')
  url = url.replace('right', 'wrong')
  await until(async () => {
    await look(cache)
    return lines.some((line) => /user name and password of spec\.redis\.urlSecretRef/.test(line))
  })
  assert.equal((await cache.get('truenow:a'))?.toString(), 'x', 'the old connection serves on')
  assert.equal(lines.filter((line) => line.includes('spec.redis')).length, 2, 'each is told once')
  for (const line of lines) assert.doesNotMatch(line, /right@|wrong@/)
})

/** It asks for the address when it is used. */
const look = (cache: CachePort) => cache.get('truenow:a')

async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 20_000
  while (!(await condition())) {
    assert.ok(performance.now() < giveUpAt, 'not within 20 s')
    await sleep(50)
  }
}
