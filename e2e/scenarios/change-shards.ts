import type { Cluster } from '../cluster/cluster.ts'
import { eventually } from '../eventually.ts'
import { QUICKSTART } from '../install-truenow.ts'
import { kubectl } from '../target.ts'

const { namespace, cluster: name } = QUICKSTART
/** A shard that starts on busy cores, and the moves of every slot, each with its grace of 5 s. */
const CHANGED_MS_MAX = 300_000

export const inQuickstart = (cluster: Cluster, args: readonly string[], input?: string): Promise<string> =>
  kubectl(cluster, ['-n', namespace, ...args], input)
export const read = async (cluster: Cluster, object: string) =>
  JSON.parse(await inQuickstart(cluster, ['get', object, '-o', 'json']))

/** Asks for so many shards and waits until just these are there: pods, volumes and status. */
export async function changeShards(cluster: Cluster, shards: number): Promise<void> {
  await inQuickstart(cluster, ['scale', `tnc/${name}`, `--replicas=${shards}`])
  await eventually(`${shards} shards`, CHANGED_MS_MAX, async () => {
    const { status } = await read(cluster, `tnc/${name}`)
    const ready = status.conditions.find(({ type }: { type: string }) => type === 'Ready')
    const label = 'app.kubernetes.io/component=hot-tier'
    const count = async (kind: string) => (await inQuickstart(cluster, ['get', kind, '-l', label, '-o', 'name'])).split('\n').length - 1 // biome-ignore format: one line
    const [pods, claims] = [await count('pods'), await count('pvc')]
    const rests = status.inProgressOperations === undefined && ready?.status === 'True'
    const isSo = rests && status.shards === `${shards}/${shards}` && pods === shards && claims === shards
    return isSo ? undefined : `${pods} pods, ${claims} volume claims, ${ready?.reason}, ${JSON.stringify(status.inProgressOperations)}` // biome-ignore format: one line
  })
}

/** Proposes to even the shards, approves what is proposed, and waits until every move was made. Answers how many there were. */
export async function evenShards(
  cluster: Cluster,
  object: string,
  onBegun: () => Promise<void> = async () => {},
): Promise<number> {
  const spec = { clusterRef: { name }, mode: 'Full' }
  const rebalance = { apiVersion: 'truenow.io/v1alpha1', kind: 'Rebalance', metadata: { name: object }, spec }
  await inQuickstart(cluster, ['apply', '-f', '-'], JSON.stringify(rebalance))
  const reaches = (...states: string[]) =>
    eventually(`${object} is ${states.join(' or ')}`, CHANGED_MS_MAX, async () => {
      const { status = {} } = await read(cluster, `tnr/${object}`)
      return states.includes(status.state) ? undefined : `${status.state}: ${status.message}`
    })
  await eventually(`${object} proposes moves`, CHANGED_MS_MAX, async () => {
    const { status = {} } = await read(cluster, `tnr/${object}`)
    if (status.state === 'ProposalReady' && status.moveCount > 0) return undefined
    // Drawn before the new shards had reported, it is drawn anew.
    if (status.state === 'ProposalReady')
      await inQuickstart(cluster, ['annotate', `tnr/${object}`, 'truenow.io/refresh=true', '--overwrite'])
    return `${status.state}: ${status.message}`
  })
  await inQuickstart(cluster, ['annotate', `tnr/${object}`, 'truenow.io/approve=true'])
  await reaches('Rebalancing', 'Ready')
  await onBegun()
  await reaches('Ready')
  const { status } = await read(cluster, `tnr/${object}`)
  await inQuickstart(cluster, ['delete', `tnr/${object}`])
  return status.moveCount
}
