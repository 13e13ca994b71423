import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { KubeConfig } from '@kubernetes/client-node'
import { systemClock } from '@truenow/chassis/clock.ts'
import type { Log } from '@truenow/chassis/log.ts'
import { Registry } from 'prom-client'
import { createKubernetesClient } from '../src/kubernetes/kubernetes-client.ts'
import { createKubernetesMetrics } from '../src/kubernetes/kubernetes-metrics.ts'
import { json, startStub } from './kubernetes-stub.ts'

const SERVICES = { apiVersion: 'v1', kind: 'Service', plural: 'services' }
const key = { namespace: 'n', name: 'a' }
const log: Log = { debug() {}, info() {}, warn() {}, error() {} }

function kubeConfigOf(server: string, tokenFile: string): KubeConfig {
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromClusterAndUser(
    { name: 'stub', server, skipTLSVerify: true },
    { name: 'user', authProvider: { name: 'tokenFile', config: { tokenFile } } },
  )
  return kubeConfig
}

test('createKubernetesClient: the token of the ServiceAccount is read again as it rotates', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'truenow-token-'))
  const tokenFile = join(directory, 'token')
  const stub = await startStub((_, response) => json(response, 200, {}))
  writeFileSync(tokenFile, 'one\n')
  const registry = new Registry()
  const metrics = createKubernetesMetrics(registry)
  const kubeConfig = kubeConfigOf(`${stub.baseUrl}/behind/a/path/`, tokenFile)
  const client = await createKubernetesClient({ log, clock: systemClock, metrics, kubeConfig })
  t.after(async () => {
    await client.close()
    await stub.close()
    rmSync(directory, { recursive: true })
  })
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  await client.get(SERVICES, key)
  writeFileSync(tokenFile, 'two')
  t.mock.timers.tick(61_000)
  await client.get(SERVICES, key)
  assert.deepEqual(
    stub.asked.map(({ path, headers }) => [path, headers.authorization, headers['user-agent']]),
    ['one', 'two'].map((token) => [
      '/behind/a/path/api/v1/namespaces/n/services/a',
      `Bearer ${token}`,
      'truenow-operator',
    ]),
  )
  for (let i = 0; i < 20; i++) await client.get(SERVICES, key)
  assert.ok((await stub.sockets()) <= 2, 'connections are used again')
  assert.match(
    await registry.metrics(),
    /truenow_operator_kubernetes_requests_total\{verb="get",code="200"\} 22/,
  )
})

test('createKubernetesClient: plain HTTP, where a token would be read by all, is refused', async (t) => {
  const stub = await startStub((_, response) => json(response, 200, {}))
  t.after(stub.close)
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromClusterAndUser(
    { name: 'stub', server: stub.baseUrl, skipTLSVerify: false },
    { name: 'user' },
  )
  const client = await createKubernetesClient({ log, clock: systemClock, kubeConfig })
  await assert.rejects(client.create(SERVICES, { apiVersion: 'v1', kind: 'Service', metadata: key }), /HTTP/)
  assert.equal(stub.asked.length, 0)
  await client.close()
})
