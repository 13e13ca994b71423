import { text } from 'node:stream/consumers'
import type { Cluster } from './cluster/cluster.ts'
import type { LeadersCounted } from './count-leaders.ts'
import { spawnInsideCluster } from './inside-cluster.ts'
import { OPERATOR_NAMESPACE } from './install-truenow.ts'
import { kubectl } from './target.ts'

/** Begins to count how many operator pods lead at once; the answer ends it and says. Needs their pods to be there. */
export async function watchLeaders(cluster: Cluster): Promise<() => Promise<LeadersCounted>> {
  const component = 'app.kubernetes.io/component=operator'
  const get = ['get', 'pods', '-l', component, '-o', 'jsonpath={.items[*].status.podIP}']
  const addresses = await kubectl(cluster, ['-n', OPERATOR_NAMESPACE, ...get])
  // Their addresses outlive a container that is started again in the same pod.
  const argv = ['e2e/count-leaders.ts', ...addresses.split(' ').map((ip) => `${ip}:8086`)]
  const counting = spawnInsideCluster(cluster, argv)
  const counted = text(counting.stdout as NodeJS.ReadableStream)
  return async () => {
    counting.stdin?.end()
    return JSON.parse(await counted) as LeadersCounted
  }
}
