import { setTimeout as delay } from 'node:timers/promises'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { Catalog } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { DEMO_TABLE } from './demo-table.ts'

const SERVING_MS_MAX = 30_000

/** What the operator does for a TrueNowCluster and its Table, until every slot serves. */
export async function declareDemo(
  controlPlane: string,
  shards: number,
  replicationFactor: number,
): Promise<void> {
  const client = createGrpcClient(Catalog, controlPlane)
  const deadline = performance.now() + SERVING_MS_MAX
  const declare = async () => {
    await client.putCluster({ generation: 1n, shards, replicationFactor })
    return client.putTable({ generation: 1n, definitionJson: JSON.stringify(DEMO_TABLE) })
  }
  try {
    for (;;) {
      // The control plane listens before its database has been migrated.
      const table = await declare().catch((error: unknown) => {
        if (error instanceof TrueNowError && error.retriable) return { slots: 1, slotsReady: 0 }
        throw error
      })
      if (table.slotsReady === table.slots) return
      if (performance.now() > deadline) {
        const message = `Of ${table.slots} slots ${table.slotsReady} serve after ${SERVING_MS_MAX} ms; see the log above.`
        throw new TrueNowError('TN_SHARD_UNAVAILABLE', message)
      }
      await delay(20)
    }
  } finally {
    client.close()
  }
}
