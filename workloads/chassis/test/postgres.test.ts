import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLog } from '../src/log.ts'
import { createPostgresClient } from '../src/postgres-client.ts'
import { createPostgresEmbedded } from '../src/postgres-embedded.ts'
import type { PostgresPort } from '../src/postgres-port.ts'
import { startPostgres } from '../src/testing/start-postgres.ts'

let server: Awaited<ReturnType<typeof startPostgres>>
const ports: Record<string, PostgresPort> = {}
const log = createLog({ role: 'test', level: 'ERROR' })

before(async () => {
  server = await startPostgres()
  ports.postgres = createPostgresClient({ url: () => server.url, log })
  ports.embedded = await createPostgresEmbedded()
})
after(async () => {
  for (const port of Object.values(ports)) await port.close()
  await server?.stop()
})

for (const name of ['embedded', 'postgres']) {
  const port = () => ports[name] as PostgresPort

  test(`${name}: a script runs whole, parameters are values, int8 is a number`, async () => {
    await port().query('CREATE SCHEMA s; CREATE TABLE s.t (id text PRIMARY KEY, n bigint, m numeric)')
    await port().query('INSERT INTO s.t VALUES ($1, $2, $3)', ["o'clock; DROP TABLE s.t", 2 ** 52, '1.50'])
    assert.deepEqual(await port().query('SELECT * FROM s.t'), [
      { id: "o'clock; DROP TABLE s.t", n: 2 ** 52, m: '1.50' },
    ])
  })

  test(`${name}: a transaction that throws leaves nothing`, async () => {
    const failing = port().transaction(async (query) => {
      await query('INSERT INTO s.t VALUES ($1, 1, 1)', ['gone'])
      throw new Error('on purpose')
    })
    await assert.rejects(failing, /on purpose/)
    assert.deepEqual(await port().query("SELECT id FROM s.t WHERE id = 'gone'"), [])
  })

  test(`${name}: concurrent read-modify-write transactions lose no update`, async () => {
    await port().query('CREATE TABLE s.counter (n bigint); INSERT INTO s.counter VALUES (0)')
    const add = () =>
      port().transaction(async (query) => {
        const [row] = await query<{ n: number }>('SELECT n FROM s.counter')
        await query('UPDATE s.counter SET n = $1', [(row?.n ?? 0) + 1])
      })
    await Promise.all(Array.from({ length: 4 }, add))
    assert.deepEqual(await port().query('SELECT n FROM s.counter'), [{ n: 4 }])
  })

  test(`${name}: two holders of one lock never run together`, async () => {
    let inside = 0
    const work = () =>
      port().withLock('migrate', async () => {
        inside += 1
        assert.equal(inside, 1)
        await port().query('SELECT 1')
        inside -= 1
      })
    await Promise.all([work(), work(), work()])
  })
}

test('postgres: killed connections and a stopped server are TN_POSTGRES_UNAVAILABLE; the process lives and goes on', async () => {
  const postgres = ports.postgres as PostgresPort
  server.kill('SIGQUIT') // The immediate shutdown: a killed postmaster would leave its children for a moment.
  await server.ended()
  await assert.rejects(postgres.query('SELECT 1'), { code: 'TN_POSTGRES_UNAVAILABLE' })
  assert.equal(await postgres.reachable(), false)
  await server.restart()
  const giveUpAt = performance.now() + 20_000
  while (!(await postgres.reachable())) assert.ok(performance.now() < giveUpAt, 'not within 20 s')
})

test('postgres: a rotated password is taken over without a failed query; connections cut meanwhile cost as long as the rotation takes', async (t) => {
  const admin = ports.postgres as PostgresPort
  await admin.query("CREATE ROLE rotating LOGIN PASSWORD 'one'")
  const [{ hba_file: hbaFile = '' } = {}] = await admin.query<{ hba_file: string }>('SHOW hba_file')
  const rules = readFileSync(hbaFile, 'utf8')
  writeFileSync(hbaFile, `host all rotating 127.0.0.1/32 scram-sha-256\n${rules}`)
  await admin.query('SELECT pg_reload_conf()')
  const directory = mkdtempSync(join(tmpdir(), 'truenow-postgres-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'url')
  const write = (password: string) => {
    writeFileSync(`${file}.new`, server.url.replace('truenow@', `rotating:${password}@`))
    renameSync(`${file}.new`, file)
  }
  write('one')
  const port = createPostgresClient({ url: () => readFileSync(file, 'utf8'), log })
  t.after(port.close)
  const asked = async (ms: number) => {
    const failed: string[] = []
    for (const endMs = performance.now() + ms; performance.now() < endMs; await sleep(5))
      await port.query('SELECT 1').catch((error: Error) => failed.push(error.message))
    return failed
  }
  assert.deepEqual(await asked(100), [])
  await admin.query("ALTER ROLE rotating PASSWORD 'two'")
  assert.deepEqual(await asked(300), [], 'who is connected stays so')
  write('two')
  assert.deepEqual(await asked(300), [])
  rmSync(file)
  assert.deepEqual(await asked(100), [], 'a file that is away for a moment changes nothing')
  write('two')
  await admin.query("ALTER ROLE rotating PASSWORD 'three'")
  await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotating'")
  const [first = ''] = await asked(300)
  assert.match(first, /PostgreSQL did not answer/)
  write('three')
  assert.deepEqual(await asked(300), [])
})
