import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../cluster/cluster.ts'
import { eventually } from '../eventually.ts'
import { OPERATOR_NAMESPACE } from '../install-truenow.ts'
import { killPod } from '../kill-pod.ts'
import { anotherLeads, leadingPod } from '../leading-pod.ts'
import { seededRandom } from '../load/seeded-random.ts'
import { assertUnnoticed } from '../sampler/assert-unnoticed.ts'
import { runSampler } from '../sampler/run-sampler.ts'
import { kubectl } from '../target.ts'
import { testCluster } from '../test-cluster.ts'
import { changeShards, evenShards, inQuickstart } from './change-shards.ts'

/*
 * The leading operator is killed again and again, each time at a drawn moment of its lead, while shards come, get their share and go.
 * Each kill costs a Lease that has to run out, so this is no part of `make e2e` but `make prove-operator-kills`. Every write of every
 * protocol has its death in operator/test/crash-points, without pods; here are some of them with.
 */
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
const KILLS = Number(process.env.KILLS ?? 20)
const LED_MS_MIN = 2_000
const LED_MS_MAX = 9_000
/** The Lease runs out after 15 s, and a pod of two waits for it already. */
const TAKEN_OVER_MS_MAX = 60_000
let cluster: Cluster

before(async () => {
  cluster = await testCluster()
})
after(async () => {
  if (cluster === undefined) return
  await kubectl(cluster, [
    '-n',
    OPERATOR_NAMESPACE,
    'wait',
    '--for=condition=Available',
    'deployment',
    '--all',
    '--timeout=90s',
  ])
  await changeShards(cluster, 2)
  await inQuickstart(cluster, ['delete', 'tnr', '--all'])
})

test('the operator killed again and again while shards come and go: nothing wrong, failed or partial', async () => {
  console.log(`seed ${SEED}`)
  const killed = { times: 0 }
  const result = await runSampler(cluster, 'operator-kills', async () => {
    const killing = killLeaders(killed).catch((error) => {
      killed.times = KILLS // Else the shards would come and go for ever.
      throw error
    })
    await Promise.all([killing, changeUntilKilled(killed)])
  })
  assert.equal(killed.times, KILLS)
  assertUnnoticed(result)
})

/** Each change takes several lives of an operator; the last one ends after the last kill. */
async function changeUntilKilled(killed: Readonly<{ times: number }>): Promise<void> {
  for (let round = 0; killed.times < KILLS; round++) {
    await changeShards(cluster, 3)
    await evenShards(cluster, `even-${round}`)
    await changeShards(cluster, 2)
  }
}

async function killLeaders(killed: { times: number }): Promise<void> {
  const random = seededRandom(SEED)
  while (killed.times < KILLS) {
    await sleep(LED_MS_MIN + random() * (LED_MS_MAX - LED_MS_MIN))
    let leader = ''
    // What ran before may have taken the operator away, and its Lease runs out only now.
    await eventually('a pod that is there leads', TAKEN_OVER_MS_MAX, async () => {
      leader = await leadingPod(cluster)
      const get = ['-n', OPERATOR_NAMESPACE, 'get', 'pod', leader, '-o', 'name']
      return leader === '' ? 'nobody leads' : kubectl(cluster, get).then(() => undefined)
    })
    await killPod(cluster, OPERATOR_NAMESPACE, leader)
    killed.times += 1
    // It is dead, and released nothing; its kubelet would wait longer each time before it starts the container again.
    await kubectl(cluster, ['-n', OPERATOR_NAMESPACE, 'delete', 'pod', leader, '--force', '--grace-period=0'])
    await anotherLeads(cluster, leader, TAKEN_OVER_MS_MAX)
  }
}
