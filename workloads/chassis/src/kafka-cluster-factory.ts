import type { Kafka } from 'kafkajs'

export type ClusterFactory<Cluster> = (options: Readonly<Record<string, unknown>>) => Cluster

/**
 * Where kafkajs keeps the maker of what lies below its clients: brokers and metadata. It is exported nowhere, so the version
 * is pinned exactly. Errors: Error when it is not where 2.2.4 had it.
 */
export function clusterFactory<Cluster>(kafka: Kafka): Readonly<{
  create: ClusterFactory<Cluster>
  /** Every client of `kafka` that is made from then on uses this one. */
  replace: (factory: ClusterFactory<Cluster>) => void
}> {
  const inside = kafka as unknown as Record<symbol, ClusterFactory<Cluster> | undefined>
  const place = Object.getOwnPropertySymbols(inside).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  )
  const create = place === undefined ? undefined : inside[place]
  if (place === undefined || typeof create !== 'function')
    throw new Error('kafkajs has changed: its cluster factory is not where 2.2.4 had it.')
  return {
    create,
    replace: (factory) => {
      inside[place] = factory
    },
  }
}
