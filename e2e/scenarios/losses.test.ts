import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../cluster/cluster.ts'
import { pidFile } from '../cluster/daemon.ts'
import { instanceLayout } from '../cluster/instance-layout.ts'
import { signalPidFile } from '../cluster/pid-file.ts'
import { QUICKSTART } from '../install-truenow.ts'
import { killPod } from '../kill-pod.ts'
import { assertUnnoticed } from '../sampler/assert-unnoticed.ts'
import { runSampler } from '../sampler/run-sampler.ts'
import { kubectl } from '../target.ts'
import { root, TEST_INSTANCE, testCluster } from '../test-cluster.ts'

/* What may be lost for longer than a moment: every replica at once, the API server. */
const { namespace, cluster: name } = QUICKSTART
const API_SERVER_AWAY_MS = 60_000
let cluster: Cluster

before(async () => {
  cluster = await testCluster()
})

const allReady = () =>
  Promise.all(
    [`truenowcluster/${name}`, 'table/events'].map((object) =>
      kubectl(cluster, ['-n', namespace, 'wait', '--for=condition=Ready', object, '--timeout=120s']),
    ),
  )

test('every shard killed at once: answers say what they lack, never a wrong number, and are whole again', async () => {
  const pods = ['get', 'pods', '-l', 'app.kubernetes.io/component=hot-tier', '-o', 'jsonpath={.items[*].metadata.name}'] // biome-ignore format: one line
  const shards = (await kubectl(cluster, ['-n', namespace, ...pods])).split(' ')
  const result = await runSampler(cluster, 'all-shards-killed', async () => {
    await Promise.all(shards.map((pod) => killPod(cluster, namespace, pod)))
    await sleep(2_000) // Their conditions are of before until the kubelet has looked.
    await allReady()
  })
  assert.ok(result.partial + result.failed > 0, 'nobody noticed')
  assert.ok(result.outage_ms <= 30_000, `failed or partial for ${result.outage_ms} ms`)
})

test('the API server silent for a minute: events and queries go on as if nothing were', async () => {
  const apiServer = pidFile(instanceLayout(root, TEST_INSTANCE), 'kube-apiserver')
  const result = await runSampler(cluster, 'api-server-silent', async () => {
    signalPidFile(apiServer, 'SIGSTOP')
    try {
      await sleep(API_SERVER_AWAY_MS)
    } finally {
      signalPidFile(apiServer, 'SIGCONT')
    }
    await allReady()
  })
  assertUnnoticed(result)
})
