import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '@truenow/chassis/free-port.ts'
import type { ServerProcess } from '@truenow/chassis/testing/server-process.ts'
import { startKafka } from '@truenow/chassis/testing/start-kafka.ts'
import { startPostgres } from '@truenow/chassis/testing/start-postgres.ts'
import { startRedis } from '@truenow/chassis/testing/start-redis.ts'
import type { Role } from '@truenow/contracts/ports.ts'
import kafkajs from 'kafkajs'
import { declareDemo } from '../src/declare-demo.ts'
import type { World } from './data-plane.cases.ts'

const root = join(import.meta.dirname, '../../..')
const READY_MS_MAX = 60_000
const SHARDS = [0, 1]

export type RoleProcess = Readonly<{
  role: Role
  name: string
  child: ChildProcess
  http: string
  grpc: string
  closed: Promise<unknown>
}>

/** The same, for tests that make a part of it ill. */
export type Processes = World &
  Readonly<{
    /** Those that run now. */
    roles: () => readonly RoleProcess[]
    outside: Readonly<Record<'kafka' | 'postgres' | 'redis', ServerProcess>>
    controlPlane: string
    /** SIGKILL, as for a node that is gone. */
    kill: (name: string) => Promise<void>
  }>

type Settings = Readonly<Record<string, string>>

/**
 * Every role as its own process, as in a pod: real Kafka, PostgreSQL and Redis, real signals. `settings` are added to the
 * environment of every role, or of the one that they are asked for. A stopped shard is killed. `treeOf` names the checkout whose
 * code a process runs, each time it is started.
 */
export async function startProcesses(
  settings: Settings | ((role: Role) => Settings) = {},
  treeOf: (name: string) => string = () => root,
): Promise<Processes> {
  const [kafka, postgres, redis] = await Promise.all([startKafka(), startPostgres(), startRedis()])
  const directory = await mkdtemp(join(tmpdir(), 'truenow-test-'))
  const file = async (name: string, text: string) => {
    await writeFile(join(directory, name), text, { mode: 0o600 })
    await chmod(join(directory, name), 0o400)
    return join(directory, name)
  }
  const lines: string[] = []
  const processes = new Map<string, RoleProcess>()
  let shardStarts = 0

  async function start(
    role: Role,
    instance: number,
    own: Readonly<Record<string, string>>,
  ): Promise<RoleProcess> {
    const [http, grpc] = [await freePort(), await freePort()]
    const name = `${role}-${instance}`
    await mkdir(join(directory, name), { recursive: true })
    const environment = {
      PATH: process.env.PATH,
      NODE_OPTIONS: '--disable-warning=ExperimentalWarning --disable-warning=TimeoutNegativeWarning',
      TRUENOW_HOST: '127.0.0.1',
      TRUENOW_HTTP_PORT: String(http),
      TRUENOW_GRPC_PORT: String(grpc),
      TRUENOW_SHARD_ADDRESS: `127.0.0.1:${grpc}`,
      TRUENOW_POD_NAME: name,
      TRUENOW_CATALOG_FILE: join(directory, name, 'catalog'),
      TRUENOW_DRAIN_SECONDS: '0', // Nobody here has to hear of an end by a detour.
      TRUENOW_KAFKA_BROKERS: kafka.brokers.join(','),
      ...own,
      ...(typeof settings === 'function' ? settings(role) : settings),
    }
    const child = spawn(process.execPath, [join(treeOf(name), 'workloads/truenow/src/main.ts'), role], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout, child.stderr]) {
      let rest = ''
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const parts = (rest + text).split('\n')
        rest = parts.pop() ?? ''
        lines.push(...parts)
      })
    }
    const started = {
      role,
      name,
      child,
      http: `127.0.0.1:${http}`,
      grpc: `127.0.0.1:${grpc}`,
      closed: once(child, 'close'),
    }
    processes.set(name, started)
    return started
  }
  /** SIGTERM must end a role with 0 inside its grace period. */
  async function stop({ name, child, closed }: RoleProcess): Promise<void> {
    processes.delete(name)
    child.kill('SIGTERM')
    await closed
    assert.equal(child.exitCode, 0, `${name} ended with ${child.exitCode ?? child.signalCode}`)
  }
  async function ready({ name, child, http }: RoleProcess): Promise<void> {
    const deadline = performance.now() + READY_MS_MAX
    for (;;) {
      const response = await fetch(`http://${http}/readyz`).catch(() => undefined)
      if (response?.status === 200) return
      const state = `${name}: ${await response?.text()}, exit ${child.exitCode}\n${lines.slice(-40).join('\n')}`
      assert.ok(performance.now() < deadline && child.exitCode === null, state)
      await delay(50)
    }
  }

  const controlPlane = await start('control-plane', 0, {
    TRUENOW_POSTGRES_URL_FILE: await file('postgres', postgres.url),
  })
  const catalog = { TRUENOW_CONTROL_PLANE: controlPlane.grpc }
  const ingesters = [await start('ingester', 0, catalog), await start('ingester', 1, catalog)]
  const peers = { ...catalog, TRUENOW_INGESTERS: ingesters.map(({ grpc }) => grpc).join(',') }
  const startShard = async (shard: number, volume: 'kept' | 'empty') => {
    const data = join(directory, `volume-${shard}`)
    if (volume === 'empty') await rm(data, { recursive: true, force: true })
    await mkdir(data, { recursive: true })
    shardStarts += 1
    const own = { TRUENOW_SHARD: String(shard), TRUENOW_DATA_DIRECTORY: data, HOT_TIER_MEMORY_GB: '1' }
    await start('hot-tier', shard, { ...peers, ...own })
  }
  for (const shard of SHARDS) await startShard(shard, 'kept')
  const query = await start('query', 0, {
    ...catalog,
    TRUENOW_REDIS_URL_FILE: await file('redis', redis.url),
  })
  const watermark = await start('watermark', 0, peers)
  const gateway = await start('gateway', 0, catalog)
  const whenServing = async () => {
    // Until a shard that was started again has said hello, the catalog knows nothing of it, nor of an empty volume.
    const deadline = performance.now() + READY_MS_MAX
    const registered = () => lines.filter((line) => line.includes('"msg":"shard registered"')).length
    while (registered() < shardStarts) {
      assert.ok(performance.now() < deadline, `${registered()} of ${shardStarts} shards registered`)
      await delay(20)
    }
    await declareDemo(controlPlane.grpc, SHARDS.length, SHARDS.length)
  }
  const close = async () => {
    const stopped = await Promise.allSettled([...processes.values()].toReversed().map(stop))
    await Promise.all([kafka.stop(), postgres.stop(), redis.stop()])
    await rm(directory, { recursive: true, force: true })
    // Said last: a role that ended badly must not leave the servers running, which would keep this process alive.
    for (const outcome of stopped) if (outcome.status === 'rejected') throw outcome.reason
  }
  try {
    await ready(controlPlane)
    await whenServing()
    for (const role of [...ingesters, query, watermark, gateway]) await ready(role)
  } catch (error) {
    for (const { child } of processes.values()) child.kill('SIGKILL')
    await Promise.all([kafka.stop(), postgres.stop(), redis.stop()])
    throw new Error(`the roles did not become ready:\n${lines.slice(-60).join('\n')}`, { cause: error })
  }
  const kill = async (name: string) => {
    const role = processes.get(name)
    processes.delete(name)
    role?.child.kill('SIGKILL')
    await role?.closed
  }
  return {
    forgetLog: () => forgetTopics(kafka.brokers, '.production.events'),
    gateway: gateway.http,
    query: query.http,
    watermark: watermark.http,
    controlPlane: controlPlane.grpc,
    outside: { kafka, postgres, redis },
    roles: () => [...processes.values()],
    startShard,
    kill,
    stopShard: (shard) => kill(`hot-tier-${shard}`),
    whenServing,
    errors: () => lines.filter((line) => line.includes('"level":"ERROR"')),
    close,
  }
}

/** Deletes what the topics whose names end so hold by now. */
async function forgetTopics(brokers: readonly string[], ending: string): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const topics = (await admin.listTopics()).filter((topic) => topic.endsWith(ending))
    assert.equal(topics.length, 1)
    for (const topic of topics) {
      const partitions = (await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => ({ partition, offset: high })) // biome-ignore format: one line
      await admin.deleteTopicRecords({ topic, partitions })
    }
  } finally {
    await admin.disconnect()
  }
}
