import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Cluster } from '../cluster/cluster.ts'
import { eventually } from '../eventually.ts'
import { QUICKSTART } from '../install-truenow.ts'
import { secondCluster } from '../second-cluster.ts'
import { kubectl } from '../target.ts'
import { testCluster } from '../test-cluster.ts'

/*
 * Larger volumes on a real API server, with its garbage collector and StatefulSet controller. The local provisioner enlarges nothing:
 * here the test is the storage, and says what a driver would say.
 */
const namespace = 'growing'
const { cluster: name } = QUICKSTART
const set = `statefulset/${name}-hot-tier`
const claim = `pvc/data-${name}-hot-tier-0`
const pod = `pod/${name}-hot-tier-0`
let cluster: Cluster

const here = (...args: string[]) => kubectl(cluster, ['-n', namespace, ...args])
const get = async (object: string) => JSON.parse(await here('get', object, '-o', 'json'))
const uidOf = async (object: string): Promise<string> => (await get(object)).metadata.uid
const allowExpansion = (allowed: boolean) =>
  kubectl(cluster, ['patch', 'storageclass/local', '-p', JSON.stringify({ allowVolumeExpansion: allowed })])
const resize = (size: string) =>
  here(
    'patch',
    `tnc/${name}`,
    '--type=merge',
    '-p',
    JSON.stringify({ spec: { hotTier: { storage: { size } } } }),
  )
const says = (reason: string) => () =>
  eventually(`VolumesGrown says ${reason}`, 60_000, async () => {
    const { status } = await get(`tnc/${name}`)
    const grown = status?.conditions?.find(({ type }: { type: string }) => type === 'VolumesGrown')
    return grown?.reason === reason ? undefined : JSON.stringify(grown)
  })
/** As the driver does, with a size or with what it waits for. */
const storageSays = (status: object) =>
  here('patch', claim, '--subresource=status', '--type=merge', '-p', JSON.stringify({ status }))

before(async () => {
  cluster = await testCluster()
  await kubectl(cluster, ['apply', '-f', '-'], secondCluster({ namespace, tables: [{ object: 'events' }] }))
  await here('wait', '--for=condition=Ready', `tnc/${name}`, '--timeout=180s')
})
after(async () => {
  if (cluster === undefined) return
  await allowExpansion(false)
  await kubectl(cluster, ['delete', 'namespace', namespace, '--timeout=90s'])
})

test('a class that lets no volume grow: the API server refuses, and nothing of the cluster changes', async () => {
  const [setUid, podUid] = [await uidOf(set), await uidOf(pod)]
  await resize('3Gi')
  await says('ExpansionRefused')()
  assert.deepEqual([await uidOf(set), await uidOf(pod)], [setUid, podUid])
  await here('wait', '--for=condition=Ready', `tnc/${name}`, '--timeout=60s')
})

test('a class that does: the claim grows, the set is made anew, and its pod runs on', async () => {
  const [setUid, podBefore] = [await uidOf(set), await get(pod)]
  await allowExpansion(true)
  await says('Resizing')()
  assert.notEqual(await uidOf(set), setUid)
  assert.equal((await get(claim)).spec.resources.requests.storage, '3Gi')
  assert.equal((await get(set)).spec.volumeClaimTemplates[0].spec.resources.requests.storage, '3Gi')
  await eventually('the new set has taken its pod over', 30_000, async () => {
    const { metadata } = await get(pod)
    const owner = metadata.ownerReferences?.[0]?.uid
    return owner === (await uidOf(set)) ? undefined : `owner ${owner}`
  })
  const podAfter = await get(pod)
  assert.equal(podAfter.metadata.uid, podBefore.metadata.uid)
  assert.equal(podAfter.status.containerStatuses[0].restartCount, 0)
  await storageSays({
    conditions: [
      { type: 'FileSystemResizePending', status: 'True', lastTransitionTime: new Date().toISOString() },
    ],
  })
  await says('FileSystemResizePending')()
  await storageSays({ capacity: { storage: '3Gi' }, conditions: [] })
  await says('AsSpecified')()
  await here('wait', '--for=condition=Ready', `tnc/${name}`, '--timeout=60s')
})
