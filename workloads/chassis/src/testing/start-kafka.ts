import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kafkaFiles } from '../../../../e2e/cluster/images/kafka-files.ts'
import { checkoutHash } from '../../../../e2e/cluster/instance-layout.ts'
import { machineLock } from '../../../../e2e/cluster/machine-lock.ts'
import { freePort } from '../free-port.ts'
import { checkout, type ServerProcess, startServer, temporaryDirectory } from './server-process.ts'

const DOWNLOAD_WAIT_MS = 600_000

type Listener = Readonly<{
  protocol: 'SSL' | 'SASL_SSL'
  port: number
  /** Where clients are sent to, as host:port. */
  advertised: string
}>

/**
 * Starts a real Kafka 4.1 broker (KRaft, one node) on a free loopback port. `properties` are added to its own, `listeners`, by
 * name, to the one in plain text.
 */
export async function startKafka(
  options: Readonly<{
    properties?: Readonly<Record<string, string>>
    listeners?: Readonly<Record<string, Listener>>
  }> = {},
): Promise<ServerProcess & { brokers: string[] }> {
  const free = await machineLock(`truenow-build-${checkoutHash(checkout)}`, DOWNLOAD_WAIT_MS)
  const files = await kafkaFiles(checkout).finally(free)
  const directory = temporaryDirectory('kafka')
  const [port, controller] = [await freePort(), await freePort()]
  const more = Object.entries(options.listeners ?? {})
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: [
      `PLAINTEXT://127.0.0.1:${port}`,
      `CONTROLLER://127.0.0.1:${controller}`,
      ...more.map(([name, listener]) => `${name}://127.0.0.1:${listener.port}`),
    ].join(),
    'advertised.listeners': [
      `PLAINTEXT://127.0.0.1:${port}`,
      ...more.map(([name, { advertised }]) => `${name}://${advertised}`),
    ].join(),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': [
      'PLAINTEXT:PLAINTEXT',
      'CONTROLLER:PLAINTEXT',
      ...more.map(([name, { protocol }]) => `${name}:${protocol}`),
    ].join(),
    'log.dirs': join(directory, 'data'),
    'auto.create.topics.enable': 'false',
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'log.segment.delete.delay.ms': '100',
    'log.retention.check.interval.ms': '500',
    ...options.properties,
  }
  const path = join(directory, 'server.properties')
  writeFileSync(
    path,
    Object.entries(properties)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  const java = [
    join(files.runtime, 'bin/java'),
    '-Xms96m',
    '-Xmx384m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
  ]
  const classes = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', join(files.jars, '*')]
  const format = [
    'kafka.tools.StorageTool',
    'format',
    '--cluster-id',
    'dHJ1ZW5vdy1sb2NhbC1rYQ',
    '--config',
    path,
  ]
  const [program = '', ...args] = [...java, ...classes, ...format]
  const formatted = spawnSync(program, args, { encoding: 'utf8' })
  if (formatted.status !== 0) throw new Error(`Kafka's storage was not formatted: ${formatted.stderr}`)
  const command = [...java, ...classes, 'kafka.Kafka', path]
  const server = await startServer({ name: 'Kafka', command, directory, port })
  return { ...server, brokers: [`127.0.0.1:${port}`] }
}
