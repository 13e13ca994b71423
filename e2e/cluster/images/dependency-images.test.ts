import assert from 'node:assert/strict'
import { dirname, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Cluster, startCluster, stopCluster } from '../cluster.ts'
import { checkoutHash } from '../instance-layout.ts'
import { machineLock } from '../machine-lock.ts'
import { pollUntil } from '../poll-until.ts'
import { preflight, thisMachine } from '../preflight.ts'
import { kafkaImage, kafkaImageName } from './kafka-image.ts'
import { postgresImage, postgresImageName } from './postgres-image.ts'
import { redisImage, redisImageName } from './redis-image.ts'

const root = resolve(dirname(import.meta.filename), '..', '..', '..')
const instance = `images-${checkoutHash(root)}`
const namespace = 'dependencies'
const unable = preflight(thisMachine(), undefined)
const skip = unable === undefined ? false : `SKIPPED, needs a cluster of its own: ${unable}`

/** What differs between the three; everything else is what Pod Security restricted asks for. */
type Dependency = Readonly<{
  name: string
  image: string
  port: number
  volume: string
  environment: Readonly<Record<string, string>>
}>
const dependencies: readonly Dependency[] = [
  {
    name: 'kafka',
    image: kafkaImageName,
    port: 9092,
    volume: '/var/lib/kafka',
    environment: {
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://kafka.${namespace}.svc:9092`,
      KAFKA_PROPERTIES: 'num.partitions=3\nlog.segment.bytes=1048576',
    },
  },
  {
    name: 'postgres',
    image: postgresImageName,
    port: 5432,
    volume: '/var/lib/postgresql',
    environment: {
      POSTGRES_PASSWORD_FILE: '/secret/password',
      POSTGRES_USER: 'someone',
      POSTGRES_DB: 'some-where',
    },
  },
  {
    name: 'redis',
    image: redisImageName,
    port: 6379,
    volume: '/data',
    environment: { REDIS_PASSWORD_FILE: '/secret/password', REDIS_MAXMEMORY: '3mb' },
  },
]

describe('images of what TrueNow depends on', { skip, concurrency: 1 }, () => {
  let cluster: Cluster
  let free = async () => {}
  const kubectl = async (...args: string[]) => {
    const { stdout, stderr, code } = await cluster.kubectl(['-n', namespace, ...args])
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`)
    return stdout.trim()
  }
  const inPod = (pod: string, ...command: string[]) => kubectl('exec', pod, '--', ...command)

  before(async () => {
    free = await machineLock(`truenow-run-${instance}`, 600_000)
    await stopCluster(instance, root)
    cluster = await startCluster({ instance, root, log: () => {} })
    for (const make of [kafkaImage, postgresImage, redisImage]) await cluster.buildAndLoad(make)
    const { code, stderr } = await cluster.kubectl(['apply', '-f', '-'], manifests())
    assert.equal(code, 0, stderr)
  })
  after(async () => {
    await stopCluster(instance, root)
    await free()
  })

  test('all three get ready under restricted, as 65532 on a read-only root', async () => {
    for (const { name } of dependencies) {
      await kubectl('rollout', 'status', `statefulset/${name}`, '--timeout=90s')
      assert.equal(await inPod(`${name}-0`, '/bin/id', '-u'), '65532')
    }
  })

  test('PostgreSQL makes user and database, and lets nobody in from outside without the password', async () => {
    const psql = ['/usr/lib/postgresql/15/bin/psql', '-X', '-A', '-t']
    const address = (password: string) =>
      `postgres://someone:${password}@postgres.${namespace}.svc/some-where`
    await inPod('postgres-0', ...psql, address('secret%22word'), '-c', 'CREATE TABLE kept AS SELECT 7 AS n')
    const wrong = ['exec', 'postgres-0', '--', ...psql, address('wrong'), '-c', 'SELECT 1']
    const { code, stderr } = await cluster.kubectl(['-n', namespace, ...wrong])
    assert.notEqual(code, 0)
    assert.match(stderr, /password authentication failed/)
  })

  test('Redis asks for the password and keeps its limit', async () => {
    assert.match(await inPod('redis-0', 'redis-cli', 'ping'), /NOAUTH/)
    const say = ['redis-cli', '--no-auth-warning', '-a', 'secret"word']
    assert.equal(await inPod('redis-0', ...say, 'ping'), 'PONG')
    assert.match(await inPod('redis-0', ...say, 'config', 'get', 'maxmemory'), /3145728/)
  })

  test('a restarted Kafka and PostgreSQL go on with what is on their volumes', async () => {
    const clusterId = await inPod('kafka-0', '/bin/grep', 'cluster.id', '/var/lib/kafka/data/meta.properties')
    await kubectl('delete', 'pod', 'kafka-0', 'postgres-0', '--wait', '--timeout=90s')
    for (const pod of ['kafka-0', 'postgres-0']) {
      await pollUntil(`${pod} to come back`, 60_000, async () => {
        const wait = ['-n', namespace, 'wait', '--for=condition=Ready', `pod/${pod}`, '--timeout=60s']
        return (await cluster.kubectl(wait)).code === 0 ? true : undefined
      })
    }
    const now = await inPod('kafka-0', '/bin/grep', 'cluster.id', '/var/lib/kafka/data/meta.properties')
    assert.equal(now, clusterId)
    const psql = ['/usr/lib/postgresql/15/bin/psql', '-XAt', '-h', '127.0.0.1', '-U', 'someone', 'some-where']
    assert.equal(await inPod('postgres-0', ...psql, '-c', 'SELECT n FROM kept'), '7')
    assert.doesNotMatch(await kubectl('logs', 'kafka-0'), /\bERROR\b/)
  })
})

function manifests(): string {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'password', namespace },
    stringData: { password: 'secret"word' },
  }
  const items = [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } }, secret]
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [...items, ...dependencies.flatMap(objects)],
  })
}

function objects(dependency: Dependency): object[] {
  const { name, port } = dependency
  const labels = { app: name }
  const metadata = { name, namespace }
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports: [{ port }] } },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata,
      spec: {
        serviceName: name,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: podSpec(dependency) },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
          },
        ],
      },
    },
  ]
}

const podSpec = ({ image, port, volume, environment }: Dependency): object => ({
  automountServiceAccountToken: false,
  enableServiceLinks: false, // Else the Service's own variables (KAFKA_PORT=tcp://…) land in the environment.
  securityContext: {
    runAsNonRoot: true,
    runAsUser: 65532,
    runAsGroup: 65532,
    fsGroup: 65532,
    seccompProfile: { type: 'RuntimeDefault' },
  },
  containers: [
    {
      name: 'main',
      image,
      imagePullPolicy: 'IfNotPresent',
      env: Object.entries(environment).map(([name, value]) => ({ name, value })),
      readinessProbe: { tcpSocket: { port }, periodSeconds: 1, failureThreshold: 90 },
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
      volumeMounts: [
        { name: 'data', mountPath: volume },
        { name: 'tmp', mountPath: '/tmp' },
        { name: 'secret', mountPath: '/secret', readOnly: true },
      ],
    },
  ],
  volumes: [
    { name: 'tmp', emptyDir: {} },
    { name: 'secret', secret: { secretName: 'password' } },
  ],
})
