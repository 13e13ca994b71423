import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { before, test } from 'node:test'
import { ROLE_PORTS, type Role } from '@truenow/contracts/ports.ts'
import type { Cluster } from './cluster/cluster.ts'
import { firstAnswer } from './first-answer.ts'
import { spawnInsideCluster } from './inside-cluster.ts'
import { OPERATOR_NAMESPACE, QUICKSTART } from './install-truenow.ts'
import type { Probed } from './probe-roles.ts'
import { kubectl } from './target.ts'
import { testCluster } from './test-cluster.ts'

/*
 * A clean start and a little load, before any other file disturbs anything (files run in the order of their names): every
 * role tells its health, and no log holds an error.
 */
const { namespace, cluster: name, tables } = QUICKSTART
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
type Pod = Readonly<{ namespace: string; name: string; role: Role | undefined; ip: string; restarts: number }>
let cluster: Cluster
let pods: readonly Pod[]

before(async () => {
  cluster = await testCluster()
  pods = [...(await podsIn(namespace)), ...(await podsIn(OPERATOR_NAMESPACE))]
})

test('every pod of every role, and every Service, answers /health, /livez, /readyz, /metrics and grpc.health.v1', async () => {
  const addresses = new Map<string, Role>()
  for (const { role, ip } of pods) if (role !== undefined) addresses.set(addressOf(ip, role), role)
  for (const role of Object.keys(ROLE_PORTS) as Role[])
    addresses.set(
      addressOf(
        role === 'operator'
          ? `truenow-operator.${OPERATOR_NAMESPACE}.svc`
          : `${name}-${role}.${namespace}.svc`,
        role,
      ),
      role,
    )
  const child = spawnInsideCluster(cluster, ['e2e/probe-roles.ts', ...addresses.keys()])
  const lines = (await text(child.stdout as NodeJS.ReadableStream)).trim().split('\n')
  const probed = lines.map((line) => JSON.parse(line) as Probed)
  assert.equal(probed.length, addresses.size)
  const seen = new Set<Role>()
  for (const one of probed) {
    const role = addresses.get(one.address) as Role
    seen.add(role)
    answersAsPromised(one, role)
  }
  assert.deepEqual([...seen].toSorted(), Object.keys(ROLE_PORTS).toSorted())
})

test('under load no pod restarts, no log holds an error, and ours are JSON with time, level, role, pod and msg', async (t) => {
  t.diagnostic(`seed ${SEED}`)
  const gateway = await cluster.relay({ namespace, service: `${name}-gateway`, port: 8088 })
  const query = await cluster.relay({ namespace, service: `${name}-query`, port: 8081 })
  const urls = { gateway: gateway.url, query: query.url }
  const compared = await firstAnswer(urls, tables, {
    events: 20_000,
    seed: SEED,
    run: `c${SEED.toString(36)}`,
  })
  await gateway.close()
  await query.close()
  assert.deepEqual(compared.answer, compared.recount)
  const wrong: string[] = []
  for (const pod of pods) {
    const lines = (await kubectl(cluster, ['-n', pod.namespace, 'logs', pod.name]))
      .split('\n')
      .filter(Boolean)
    if (pod.role !== undefined && lines.length === 0) wrong.push(`${pod.name} said nothing`)
    const find = pod.role === undefined ? foreignProblem : problemOf
    for (const line of lines) {
      const problem = find(line, pod)
      if (problem !== undefined) wrong.push(`${pod.name}: ${problem}: ${line}`)
    }
  }
  assert.deepEqual(wrong, [])
  const now = [...(await podsIn(namespace)), ...(await podsIn(OPERATOR_NAMESPACE))]
  assert.deepEqual(
    now.map(({ name: pod, restarts }) => [pod, restarts]),
    pods.map(({ name: pod }) => [pod, 0]),
  )
})

const addressOf = (host: string, role: Role): string =>
  `${host}:${ROLE_PORTS[role].http}:${ROLE_PORTS[role].grpc}`

async function podsIn(space: string): Promise<Pod[]> {
  const { items } = JSON.parse(await kubectl(cluster, ['-n', space, 'get', 'pods', '-o', 'json']))
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at JSON as a client does.
  return items.map(({ metadata, status }: any) => ({
    namespace: space,
    name: metadata.name,
    role: metadata.labels['app.kubernetes.io/component'],
    ip: status.podIP,
    restarts: status.containerStatuses[0].restartCount,
  }))
}

function answersAsPromised({ address, pages, grpc }: Probed, role: Role): void {
  const at = (path: string) => pages[path] ?? { status: 0, type: '', body: '' }
  const health = JSON.parse(at('/health').body)
  assert.equal(at('/health').status, 200, address)
  assert.match(at('/health').type, /^application\/json/)
  assert.deepEqual(
    { ...health, uptime: 0, version: '' },
    { status: 'healthy', service: role, uptime: 0, version: '' },
    address,
  )
  assert.deepEqual(Object.keys(health), ['status', 'service', 'uptime', 'version'])
  assert.ok(Number.isInteger(health.uptime) && health.uptime >= 0)
  assert.match(health.version, /^\d+\.\d+\.\d+/)
  assert.equal(at('/livez').status, 200, address)
  assert.equal(at('/readyz').status, 200, address)
  assert.equal(at('/metrics').status, 200, address)
  assert.match(at('/metrics').type, /^text\/plain; version=0\.0\.4/)
  assert.match(
    at('/metrics').body,
    new RegExp(`^truenow_${role.replaceAll('-', '_')}_\\w+({.*})? \\S+$`, 'm'),
    address,
  )
  assert.deepEqual(grpc, { status: '0', response: '0801' }, address)
}

/** What is wrong with a line of one of our logs. */
function problemOf(line: string, { name: pod, role }: Pod): string | undefined {
  let entry: Readonly<Record<string, unknown>>
  try {
    entry = JSON.parse(line)
  } catch {
    return 'not JSON'
  }
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/.test(String(entry.time))) return 'no time'
  if (!['DEBUG', 'INFO', 'WARN'].includes(String(entry.level))) return 'an error, or no level'
  if (entry.role !== role || entry.pod !== pod) return `role ${entry.role}, pod ${entry.pod}`
  return typeof entry.msg === 'string' && entry.msg !== '' ? undefined : 'no msg'
}

/** Kafka, PostgreSQL and Redis write lines of their own; PostgreSQL calls it fatal that a probe came while it started. */
const foreignProblem = (line: string): string | undefined =>
  /\b(ERROR|FATAL|PANIC)\b/.test(line) && !line.endsWith('FATAL:  the database system is starting up')
    ? 'an error'
    : undefined
