import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import type { Issued } from '@truenow/chassis/issue-certificate.ts'
import { issueFiles, makeAuthority } from '@truenow/chassis/testing/issue-files.ts'
import { createTlsCredentials, type TlsFiles, type TlsPhase } from '@truenow/chassis/tls-credentials.ts'
import type { TlsReport } from '@truenow/chassis/tls-report.ts'
import { Catalog } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { Role } from '@truenow/contracts/ports.ts'
import { createDemoEvents } from '../src/demo-events.ts'
import { type Processes, startProcesses } from './start-processes.ts'

/*
 * Every role a process with real certificates in a directory as the kubelet keeps it, the shards with worker threads. What is
 * written there walks from plain text to certificates and on to another authority while events are written and counted: no
 * write fails, no answer fails, is partial or misses a row that was acknowledged.
 */
const ROLES: readonly Role[] = ['control-plane', 'gateway', 'ingester', 'hot-tier', 'query', 'watermark']
const TAKEN_MS_MAX = 20_000

type Step = Readonly<{ phase: TlsPhase; issuer: Issued; trust: readonly Issued[] }>

async function makeDirectories() {
  const root = await mkdtemp(join(tmpdir(), 'truenow-certificates-'))
  let version = 0
  const write = async (role: Role, { certificate, key, trust, phase }: TlsFiles) => {
    const directory = join(root, role)
    const files = { 'tls.crt': certificate, 'tls.key': key, 'ca.crt': trust, phase }
    await mkdir(join(directory, `..${version}`), { recursive: true })
    for (const [name, content] of Object.entries(files)) {
      await writeFile(join(directory, `..${version}`, name), content)
      if (version === 0) await symlink(join('..data', name), join(directory, name))
    }
    await symlink(`..${version}`, join(directory, '..new'))
    await rename(join(directory, '..new'), join(directory, '..data'))
  }
  return {
    directoryOf: (role: Role) => join(root, role),
    take: async ({ phase, issuer, trust }: Step) => {
      for (const role of ROLES) await write(role, issueFiles(issuer, role, { phase, trust }))
      version += 1
    },
    remove: () => rm(root, { recursive: true, force: true }),
  }
}

const first = makeAuthority()
const next = makeAuthority()
const STEPS: readonly Step[] = [
  { phase: 'use', issuer: first, trust: [first] },
  { phase: 'require', issuer: first, trust: [first] },
  { phase: 'require', issuer: first, trust: [first, next] },
  { phase: 'require', issuer: next, trust: [next, first] },
  { phase: 'require', issuer: next, trust: [next] },
]

/** Resolves when every process says that it has what the step wrote. */
async function whenTaken(world: Processes, { phase, trust }: Step): Promise<void> {
  const deadline = performance.now() + TAKEN_MS_MAX
  for (const { name, http } of world.roles()) {
    for (;;) {
      const report = (await (await fetch(`http://${http}/tls`)).json()) as TlsReport
      if (report.phase === phase && report.trusted.length === trust.length) break
      assert.ok(performance.now() < deadline, `${name} says ${JSON.stringify(report)}`)
      await delay(50)
    }
  }
  await delay(2_000) // The threads of a shard look once a second, as the process does.
}

/** Writes and counts until `stop` aborts. Every count must have all rows acknowledged before it was asked for. */
async function writeAndCount(world: Processes, stop: AbortSignal) {
  const nextEvents = createDemoEvents(11)
  const written: Record<string, number> = {}
  const headers = { 'content-type': 'application/json' }
  const acknowledged = new Set<string>() // Some events come twice.
  let asked = 0
  const problems: string[] = []
  const send = async (address: string, body: unknown) => {
    const response = await fetch(address, { method: 'POST', headers, body: JSON.stringify(body) })
    const answer = (await response.json()) as Record<string, unknown>
    if (response.status !== 200) problems.push(`${response.status} ${JSON.stringify(answer)}`)
    return response.status === 200 ? answer : undefined
  }
  while (!stop.aborted) {
    const events = nextEvents(200, Date.now() * 1_000)
    const put = await send(`http://${world.gateway}/v1/namespaces/production/tables/events/events`, events)
    if (put === undefined) continue
    for (const event of events) acknowledged.add(event.event_id)
    for (const [slot, offset] of Object.entries(put.positions as Record<string, number>))
      written[slot] = Math.max(written[slot] ?? -1, offset)
    const range = { start_time: 0, end_time: Date.now() * 1_000 + 60_000_000, namespace: 'production', table: 'events' } // biome-ignore format: one line
    const statement = { ...range, aggregate: 'count', at_least: written }
    const answer = await send(`http://${world.query}/v1/query`, statement)
    asked += 1
    if (answer === undefined) continue
    const counted = (answer.rows as Array<{ count: number }>)[0]?.count
    if (answer.partial !== false || counted !== acknowledged.size)
      problems.push(
        `${acknowledged.size} events were acknowledged, ${counted} are there: ${JSON.stringify(answer)}`,
      )
  }
  return { asked, problems }
}

test('certificates: the whole data path goes over to them, and to another authority, without a failed call', async (t) => {
  const directories = await makeDirectories()
  t.after(directories.remove)
  await directories.take({ phase: 'accept', issuer: first, trust: [first] })
  const world = await startProcesses((role) => ({
    TRUENOW_TLS_DIRECTORY: directories.directoryOf(role),
    ...(role === 'hot-tier' ? { TRUENOW_HOT_TIER_WORKERS: '2' } : {}),
  }))
  t.after(world.close)
  const stop = new AbortController()
  const working = writeAndCount(world, stop.signal)
  for (const step of STEPS) {
    await directories.take(step)
    await whenTaken(world, step)
  }
  stop.abort()
  const { asked, problems } = await working
  assert.deepEqual(problems.slice(0, 3), [])
  assert.ok(asked > 20, `only ${asked} questions`)
  assert.deepEqual(world.errors(), [])

  const plain = createGrpcClient(Catalog, world.controlPlane)
  t.after(plain.close)
  await assert.rejects(plain.getPlacement({}), { code: 'TN_PEER_UNAVAILABLE' })
  const tls = createTlsCredentials()
  tls.set(issueFiles(next, 'operator'))
  const operator = createGrpcClient(Catalog, world.controlPlane, tls)
  t.after(operator.close)
  assert.equal((await operator.getPlacement({})).catalog?.tables.length, 1)
  const metrics = await (await fetch(`http://${world.query}/metrics`)).text()
  assert.match(metrics, /^truenow_certificate_expiry_seconds 3[45]\d\d$/m)
})
