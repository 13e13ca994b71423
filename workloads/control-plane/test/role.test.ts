import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createCatalogClient } from '@truenow/chassis/catalog-client.ts'
import { systemClock } from '@truenow/chassis/clock.ts'
import { loadConfig } from '@truenow/chassis/config.ts'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { createKafkaInMemory } from '@truenow/chassis/kafka-in-memory.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { createPostgresEmbedded } from '@truenow/chassis/postgres-embedded.ts'
import type { PostgresPort } from '@truenow/chassis/postgres-port.ts'
import type { RoleContext, RunningRole } from '@truenow/chassis/running-role.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { Health, HealthCheckResponse_ServingStatus } from '@truenow/contracts/gen/grpc_health_v1_pb.ts'
import { Catalog } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { Registry } from 'prom-client'
import { ControlPlaneConfig } from '../src/config.ts'
import { startControlPlane } from '../src/role.ts'

const config = loadConfig(ControlPlaneConfig, {
  TRUENOW_HOST: '127.0.0.1',
  TRUENOW_HTTP_PORT: '0',
  TRUENOW_GRPC_PORT: '0',
  TRUENOW_POD_NAME: 'control-plane-0',
  TRUENOW_DRAIN_SECONDS: '0',
  TRUENOW_GRACE_SECONDS: '60',
  TRUENOW_KUBERNETES_NAMESPACE: 'test',
  TRUENOW_CLUSTER: 'role',
  TRUENOW_KAFKA_BROKERS: 'in-memory',
  TRUENOW_POSTGRES_URL_FILE: 'in-memory',
})
const lines: string[] = []
const context = (): RoleContext => ({
  log: createLog({ role: 'control-plane', destination: { write: (line) => lines.push(line) } }),
  clock: systemClock,
  registry: new Registry(),
  pod: 'control-plane-0',
  version: '0.0.0',
})

let embedded: PostgresPort
let postgresAway = true
const kafka = createKafkaInMemory({ clock: systemClock })
let role: RunningRole

before(async () => {
  embedded = await createPostgresEmbedded()
  const away = () => {
    if (postgresAway) throw new TrueNowError('TN_POSTGRES_UNAVAILABLE', 'PostgreSQL is away.')
  }
  const postgres: PostgresPort = {
    ...embedded,
    query: async (sql, parameters) => {
      away()
      return embedded.query(sql, parameters)
    },
    transaction: async (work) => {
      away()
      return embedded.transaction(work)
    },
  }
  role = await startControlPlane(config, context(), { postgres, kafka })
})
after(async () => {
  await role.close()
  await role.close()
  await embedded.close()
})

test('starts without PostgreSQL, alive and not ready, and becomes ready when it comes', async () => {
  const get = async (path: string) => (await fetch(`http://${role.httpAddress}${path}`)).status
  assert.deepEqual([await get('/livez'), await get('/readyz')], [200, 503])
  assert.equal((await health()).status, 'degraded')
  postgresAway = false
  const deadline = performance.now() + 10_000
  while ((await get('/readyz')) !== 200) {
    assert.ok(performance.now() < deadline)
    await delay(20)
  }
  assert.equal((await health()).service, 'control-plane')
  const grpc = createGrpcClient(Health, role.grpcAddress)
  assert.equal((await grpc.check({ service: '' })).status, HealthCheckResponse_ServingStatus.SERVING)
  grpc.close()
})

test('over gRPC: errors keep their code and details, readers follow, metrics count', async () => {
  const client = createGrpcClient(Catalog, role.grpcAddress)
  const reader = createCatalogClient({ address: role.grpcAddress, watcher: 'test', context: context() })
  const first = await reader.whenReady(AbortSignal.timeout(10_000))
  assert.equal(first.tables().length, 0)
  await client.putCluster({ uid: 'a', generation: 1n, shards: 2, replicationFactor: 2 })
  await assert.rejects(
    client.putCluster({ uid: 'b', generation: 1n, shards: 2, replicationFactor: 2 }),
    (error: TrueNowError) => error.code === 'TN_TABLE_CONFLICT' && error.details.reason === 'NameTaken',
  )
  const deadline = performance.now() + 10_000
  while (reader.current()?.replicationFactor !== 2) {
    assert.ok(performance.now() < deadline)
    await delay(5)
  }
  const metrics = await (await fetch(`http://${role.httpAddress}/metrics`)).text()
  assert.match(metrics, /truenow_control_plane_calls_total\{method="PutCluster",outcome="ok"\} 1/)
  assert.match(
    metrics,
    /truenow_control_plane_calls_total\{method="PutCluster",outcome="TN_TABLE_CONFLICT"\} 1/,
  )
  assert.match(metrics, /truenow_control_plane_watchers 1/)
  await reader.close()
  client.close()
})

test('PostgreSQL away again: degraded, but ready, because the last catalog is still served', async () => {
  postgresAway = true
  const deadline = performance.now() + 10_000
  while ((await health()).status !== 'degraded') {
    assert.ok(performance.now() < deadline)
    await delay(20)
  }
  assert.match((await health()).reasons?.join() ?? '', /postgres: PostgreSQL does not answer/)
  assert.equal((await fetch(`http://${role.httpAddress}/readyz`)).status, 200)
  assert.deepEqual(
    lines.filter((line) => line.includes('"ERROR"')),
    [],
  )
})

async function health(): Promise<{ status: string; service: string; reasons?: string[] }> {
  return (await fetch(`http://${role.httpAddress}/health`)).json() as ReturnType<typeof health>
}
