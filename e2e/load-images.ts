import type { Cluster } from './cluster/cluster.ts'
import { kafkaImage } from './cluster/images/kafka-image.ts'
import { nodeImage } from './cluster/images/node-image.ts'
import { postgresImage } from './cluster/images/postgres-image.ts'
import { redisImage } from './cluster/images/redis-image.ts'
import type { Progress } from './progress.ts'

/** Builds what is not cached and loads all images of the quickstart; answers the name of TrueNow's own. */
export async function loadImages(cluster: Cluster, progress: Progress): Promise<string> {
  const { name } = await progress('image of TrueNow built and loaded', () => cluster.buildAndLoad(nodeImage))
  await progress('images of Kafka, PostgreSQL and Redis built and loaded', async () => {
    for (const make of [kafkaImage, postgresImage, redisImage]) await cluster.buildAndLoad(make)
  })
  return name
}
