import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { MakeRecipe } from '../cluster/connect-cluster.ts'
import { contentHash } from '../cluster/images/content-hash.ts'
import { nodeImage } from '../cluster/images/node-image.ts'
import { eventually } from '../eventually.ts'
import { installOperator, OPERATOR_NAMESPACE, QUICKSTART } from '../install-truenow.ts'
import { leadingPod } from '../leading-pod.ts'
import { podsOfCluster } from '../pods-of-cluster.ts'
import { createProgress } from '../progress.ts'
import { assertUnnoticed } from '../sampler/assert-unnoticed.ts'
import { runSampler } from '../sampler/run-sampler.ts'
import { kubectl } from '../target.ts'
import { root, testCluster } from '../test-cluster.ts'

const { namespace } = QUICKSTART

/** The same programs under another name, as a patch release would be. */
const nextImage: MakeRecipe = (at, toolbox) => {
  const recipe = nodeImage(at, toolbox)
  const key = contentHash([recipe.key, 'next'])
  const fill = async (directory: string) => {
    await recipe.fill(directory)
    mkdirSync(join(directory, 'app'), { recursive: true })
    writeFileSync(join(directory, 'app/NEXT'), key)
  }
  return { ...recipe, name: `localhost/truenow:next-${key}`, key, fill }
}

test('a new operator image: another operator leads, no pod of a cluster restarts, and nothing fails', async () => {
  const cluster = await testCluster()
  const progress = createProgress((line) => console.log(line))
  const image = (deployment: string) =>
    kubectl(cluster, [
      ...['-n', OPERATOR_NAMESPACE, 'get', `deployment/${deployment}`],
      ...['-o', 'jsonpath={.spec.template.spec.containers[0].image}'],
    ])
  const former = await image('truenow-operator')
  const leader = await leadingPod(cluster)
  const { name: next } = await cluster.buildAndLoad(nextImage)
  assert.notEqual(next, former)
  const before = await podsOfCluster(cluster, namespace)
  const upgrade = async () => {
    await installOperator(cluster, root, next, progress)
    await eventually('a pod of the new image leads', 60_000, async () => {
      const now = await leadingPod(cluster)
      const pods = await kubectl(cluster, ['-n', OPERATOR_NAMESPACE, 'get', 'pods', '-o', 'json'])
      const { items } = JSON.parse(pods) as {
        items: { metadata: { name: string }; spec: { containers: { image: string }[] } }[]
      }
      const leads = items.find(({ metadata }) => metadata.name === now)
      const runs = leads?.spec.containers[0]?.image
      return now !== leader && runs === next ? undefined : `${now} leads and runs ${runs}`
    })
  }
  try {
    // Ten seconds more: the new leader has looked at everything once, and again after its rest.
    const calmMs = { before: 2_000, after: 25_000 }
    const result = await runSampler(cluster, 'operator-upgrade', upgrade, { calmMs })
    assertUnnoticed(result, { onTime: true })
    assert.deepEqual(await podsOfCluster(cluster, namespace), before)
  } finally {
    await installOperator(cluster, root, former, progress)
  }
})
