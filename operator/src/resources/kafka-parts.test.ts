import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TrueNowCluster, TrueNowClusterSpec } from '../api/v1alpha1/truenow-cluster.ts'
import { childrenOf } from './all-children.ts'
import { kafkaParts } from './kafka-parts.ts'
import { anyCluster } from './testing/any-cluster.ts'

const [cluster] = fc.sample(anyCluster, { numRuns: 1, seed: 3 }) as [TrueNowCluster]
const brokers = ['a:9092', 'b:9093']
const withKafka = (more: object): TrueNowCluster => ({
  ...cluster,
  spec: { ...cluster.spec, kafka: { brokers, ...more } as TrueNowClusterSpec['kafka'] },
})
const BROKERS = { name: 'TRUENOW_KAFKA_BROKERS', value: 'a:9092,b:9093' }
const secret = (name: string, secretName: string, ...items: Array<[key: string, path: string]>) => ({
  name,
  secret: { secretName, defaultMode: 0o440, items: items.map(([key, path]) => ({ key, path })) },
})

test('kafkaParts: without tls and sasl, or with TLS turned off, there is nothing but the brokers', () => {
  const ca = { name: 'ca', key: 'ca.crt' }
  for (const more of [
    {},
    { tls: { enabled: false, caSecretRef: ca, certificateSecretRef: { name: 'own' } } },
  ])
    assert.deepEqual(kafkaParts(withKafka(more)), { environment: [BROKERS], volumes: [], volumeMounts: [] })
})

test('kafkaParts: TLS by public authorities needs no file', () => {
  assert.deepEqual(kafkaParts(withKafka({ tls: { enabled: true } })), {
    environment: [BROKERS, { name: 'TRUENOW_KAFKA_TLS', value: 'true' }],
    volumes: [],
    volumeMounts: [],
  })
})

test('kafkaParts: authority, certificate and credentials are files by reference, under the names that the roles read', () => {
  const tls = {
    enabled: true,
    caSecretRef: { name: 'ca', key: 'root' },
    certificateSecretRef: { name: 'own' },
  }
  const sasl = { mechanism: 'PLAIN', secretRef: { name: 'who', usernameKey: 'user', passwordKey: 'pass' } }
  const { environment, volumes, volumeMounts } = kafkaParts(withKafka({ tls, sasl }))
  assert.deepEqual(Object.fromEntries(environment.map(({ name, value }) => [name, value])), {
    TRUENOW_KAFKA_BROKERS: 'a:9092,b:9093',
    TRUENOW_KAFKA_TLS: 'true',
    TRUENOW_KAFKA_CA_FILE: '/run/secrets/truenow/kafka-ca/ca.crt',
    TRUENOW_KAFKA_CERTIFICATE_DIRECTORY: '/run/secrets/truenow/kafka-certificate',
    TRUENOW_KAFKA_SASL_MECHANISM: 'PLAIN',
    TRUENOW_KAFKA_SASL_DIRECTORY: '/run/secrets/truenow/kafka-sasl',
  })
  assert.deepEqual(volumes, [
    secret('kafka-ca', 'ca', ['root', 'ca.crt']),
    secret('kafka-certificate', 'own', ['tls.crt', 'tls.crt'], ['tls.key', 'tls.key']),
    secret('kafka-sasl', 'who', ['user', 'username'], ['pass', 'password']),
  ])
  assert.deepEqual(volumeMounts, [
    { name: 'kafka-ca', mountPath: '/run/secrets/truenow/kafka-ca', readOnly: true },
    { name: 'kafka-certificate', mountPath: '/run/secrets/truenow/kafka-certificate', readOnly: true },
    { name: 'kafka-sasl', mountPath: '/run/secrets/truenow/kafka-sasl', readOnly: true },
  ])
})

test('kafkaParts: exactly the roles that use Kafka have them', () => {
  const sasl = { secretRef: { name: 'who' } }
  const having = childrenOf(withKafka({ tls: { enabled: true }, sasl }), 'truenow:1')
    .filter((child) => JSON.stringify(child).includes('TRUENOW_KAFKA_SASL_DIRECTORY'))
    .map(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'])
  assert.deepEqual(having.toSorted(), ['control-plane', 'gateway', 'ingester'])
})
