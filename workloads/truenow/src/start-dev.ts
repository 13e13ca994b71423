import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '@truenow/chassis/clock.ts'
import { freePort } from '@truenow/chassis/free-port.ts'
import { createLog } from '@truenow/chassis/log.ts'
import type { RoleContext, RunningRole } from '@truenow/chassis/running-role.ts'
import { ROLE_PORTS, type Role } from '@truenow/contracts/ports.ts'
import { Registry } from 'prom-client'
import { declareDemo } from './declare-demo.ts'
import { DEMO_TABLE } from './demo-table.ts'
import { createOutsideInMemory, type OutsideInMemory } from './outside-in-memory.ts'
import type { RoleLogLevel } from './role-opener.ts'
import { loadOpener } from './roles/load-opener.ts'

export type DevOptions = Readonly<{
  /** Undefined: each role's own ports; 0: any free ones; else the first of a row. */
  portBase?: number
  /** Everything that shards and readers keep goes here; whoever made it removes it. */
  dataDirectory: string
  /** Worker threads of each shard; 0, the default, runs them in this thread. */
  workers?: number
  version: string
  /** How many shards, and how many of them hold each slot. Default: 2 and 2. */
  shards?: number
  replicationFactor?: number
  /** Called after each step with its name and time. */
  onStep: (step: string, tookMs: number) => void
  log: Readonly<{ level: RoleLogLevel; destination: Readonly<{ write: (line: string) => unknown }> }>
  /** ms that a stopped shard goes on answering. @default 0: whoever ends dev mode waits for nobody */
  shardDrainMs?: number
}>

export type Dev = Readonly<{
  /** `host:port` of the HTTP servers that people talk to. */
  gateway: string
  query: string
  watermark: string
  /** gRPC address of the control plane. */
  controlPlane: string
  outside: OutsideInMemory
  stopShard: (shard: number) => Promise<void>
  /** Starts a stopped shard again, on its volume or on an empty one. */
  startShard: (shard: number, volume: 'kept' | 'empty') => Promise<void>
  /** Resolves when every replica of every table serves. Errors: TN_SHARD_UNAVAILABLE when that takes too long. */
  whenServing: () => Promise<void>
  close: () => Promise<void>
}>

const SHARDS = 2
const REPLICATION_FACTOR = 2
const HOST = '127.0.0.1'

type Start = (
  role: Role,
  instance: number,
  settings?: Readonly<Record<string, string>>,
) => Promise<RunningRole>

/** Starts every role but the operator in this process, in the order data flows, declares the demo table and waits for it. */
export async function startDev(options: DevOptions): Promise<Dev> {
  const opened: Array<() => Promise<void>> = []
  const close = async () => {
    for (const end of opened.splice(0).toReversed()) await end()
  }
  try {
    return await startAll(options, opened, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function startAll(
  options: DevOptions,
  opened: Array<() => Promise<void>>,
  close: () => Promise<void>,
): Promise<Dev> {
  const step = async <T>(name: (result: T) => string, work: () => Promise<T>): Promise<T> => {
    const startedMs = performance.now()
    const result = await work()
    options.onStep(name(result), performance.now() - startedMs)
    return result
  }
  const outside = await step(
    () => 'log, database and cache in memory',
    async () => {
      const made = await createOutsideInMemory()
      opened.push(made.close)
      return made
    },
  )
  const start = createStart(options, outside)
  const open = (role: Role, settings: Readonly<Record<string, string>>) =>
    step(
      ({ httpAddress }) => `${role} on ${httpAddress}`,
      async () => {
        const running = await start(role, 0, settings)
        opened.push(running.close)
        return running
      },
    )

  const controlPlane = await open('control-plane', {
    TRUENOW_KAFKA_BROKERS: 'in-memory',
    TRUENOW_POSTGRES_URL_FILE: 'in-memory',
  })
  const catalog = { TRUENOW_CONTROL_PLANE: controlPlane.grpcAddress }
  const ingester = await open('ingester', { ...catalog, TRUENOW_KAFKA_BROKERS: 'in-memory' })
  const peers = { ...catalog, TRUENOW_INGESTERS: ingester.grpcAddress }
  const { shards: shardCount = SHARDS, replicationFactor = REPLICATION_FACTOR } = options
  const shards = createShards(options, start, peers)
  opened.push(shards.close)
  await step(
    () => `hot-tier: ${shardCount} shards`,
    () => Promise.all(Array.from({ length: shardCount }, (_, shard) => shards.start(shard, 'kept'))),
  )
  const query = await open('query', { ...catalog, TRUENOW_REDIS_URL_FILE: 'in-memory' })
  const watermark = await open('watermark', peers)
  const gateway = await open('gateway', { ...catalog, TRUENOW_KAFKA_BROKERS: 'in-memory' })
  const whenServing = () => declareDemo(controlPlane.grpcAddress, shardCount, replicationFactor)
  await step(
    () => `table ${DEMO_TABLE.namespace}.${DEMO_TABLE.name}: ${DEMO_TABLE.slots} slots serve`,
    whenServing,
  )
  return {
    gateway: gateway.httpAddress,
    query: query.httpAddress,
    watermark: watermark.httpAddress,
    controlPlane: controlPlane.grpcAddress,
    outside,
    stopShard: shards.stop,
    startShard: shards.start,
    whenServing,
    close,
  }
}

function createStart(options: DevOptions, outside: OutsideInMemory): Start {
  let taken = 0
  const port = async (role: Role, kind: 'http' | 'grpc', instance: number) => {
    if (options.portBase === undefined) return ROLE_PORTS[role][kind] + instance * 100
    return options.portBase === 0 ? freePort() : options.portBase + taken++
  }
  return async (role, instance, settings = {}) => {
    const openRole = await loadOpener(role)
    const [http, grpc] = [await port(role, 'http', instance), await port(role, 'grpc', instance)]
    const environment = {
      TRUENOW_HOST: HOST,
      TRUENOW_HTTP_PORT: String(http),
      TRUENOW_GRPC_PORT: String(grpc),
      TRUENOW_SHARD_ADDRESS: `${HOST}:${grpc}`,
      TRUENOW_LOG_LEVEL: options.log.level,
      TRUENOW_POD_NAME: `${role}-${instance}`,
      TRUENOW_GRACE_SECONDS: '10',
      TRUENOW_KUBERNETES_NAMESPACE: 'local',
      TRUENOW_CLUSTER: 'dev',
      ...settings,
    }
    const makeContext = (config: { TRUENOW_POD_NAME: string }): RoleContext => ({
      log: createLog({ role, pod: config.TRUENOW_POD_NAME, ...options.log }),
      clock: systemClock,
      registry: new Registry(),
      pod: config.TRUENOW_POD_NAME,
      version: options.version,
      drainMs: role === 'hot-tier' ? (options.shardDrainMs ?? 0) : 0,
    })
    return openRole(environment, makeContext, outside)
  }
}

function createShards(
  { dataDirectory, workers = 0 }: DevOptions,
  start: Start,
  peers: Readonly<Record<string, string>>,
) {
  const running = new Map<number, RunningRole>()
  const stop = async (shard: number) => {
    const role = running.get(shard)
    running.delete(shard)
    await role?.close()
  }
  return {
    stop,
    start: async (shard: number, volume: 'kept' | 'empty') => {
      const directory = join(dataDirectory, `shard-${shard}`)
      if (volume === 'empty') await rm(directory, { recursive: true, force: true })
      await mkdir(directory, { recursive: true })
      const settings = {
        ...peers,
        TRUENOW_SHARD: String(shard),
        TRUENOW_DATA_DIRECTORY: directory,
        HOT_TIER_MEMORY_GB: '1',
        TRUENOW_HOT_TIER_WORKERS: String(workers),
      }
      running.set(shard, await start('hot-tier', shard, settings))
    },
    close: async () => {
      await Promise.all([...running.keys()].map(stop))
    },
  }
}
