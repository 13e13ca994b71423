import { create } from '@bufbuild/protobuf'
import { systemClock } from '@truenow/chassis/clock.ts'
import { loadConfig } from '@truenow/chassis/config.ts'
import type { Client } from '@truenow/chassis/grpc-client.ts'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { createStaticCatalog } from '@truenow/chassis/testing/static-catalog.ts'
import { type Catalog, RegisterShardResponseSchema, ReportShardResponseSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts' // biome-ignore format: one line
import { ReplicaState, Shard } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { Registry } from 'prom-client'
import { HotTierConfig } from '../src/config.ts'
import { startHotTier } from '../src/role.ts'
import { definition } from './event-blocks.ts'

/*
 * One shard as a process of its own, as in a pod, that serves every slot of the table and reads blocks by gRPC from the address given. It
 * says where it listens, and goes on until it is stopped. Arguments: directory, address of the ingester, GiB of memory, worker threads.
 */
const [directory = '', ingester = '', memoryGb = '1', workers = '1'] = process.argv.slice(2)
const config = loadConfig(HotTierConfig, {
  TRUENOW_HOST: '127.0.0.1',
  TRUENOW_HTTP_PORT: '0',
  TRUENOW_GRPC_PORT: '0',
  TRUENOW_CONTROL_PLANE: 'unused:1',
  TRUENOW_INGESTERS: ingester,
  TRUENOW_SHARD: '0',
  TRUENOW_DATA_DIRECTORY: directory,
  HOT_TIER_MEMORY_GB: memoryGb,
  TRUENOW_HOT_TIER_WORKERS: workers,
})
const context = {
  log: createLog({ role: 'hot-tier', level: 'ERROR', destination: process.stderr }),
  clock: systemClock,
  registry: new Registry(),
  pod: 'demo-hot-tier-0',
  version: 'soak',
}
const catalog = createStaticCatalog({
  revision: 1n,
  catalogId: 'c',
  replicationFactor: 1,
  shards: [{ shard: 0, incarnation: 1n, address: 'self:1' }],
  tables: [
    {
      topic: 't',
      uid: 'u',
      versionsJson: [JSON.stringify(definition)],
      slots: Array.from({ length: definition.slots }, (_, slot) => ({
        slot,
        epoch: 1n,
        replicas: [{ shard: 0, incarnation: 1n, state: ReplicaState.SERVING }],
      })),
    },
  ],
})
const controlPlane = {
  registerShard: async () => create(RegisterShardResponseSchema, { incarnation: 1n, catalogId: 'c' }),
  reportShard: async () => create(ReportShardResponseSchema, {}),
  close: () => {},
} as unknown as Client<typeof Catalog>
const role = await startHotTier(config, context, {
  catalog: catalog.client,
  controlPlane,
  ingesterAddresses: { current: () => [ingester], onChange: () => () => {}, close: () => {} },
  connectIngester: (address) => createGrpcClient(BlockStream, address),
  connectShard: (address) => createGrpcClient(Shard, address),
})
process.once('SIGTERM', () => void role.close().then(() => process.exit(0)))
process.stdout.write(`${JSON.stringify({ grpcAddress: role.grpcAddress, httpAddress: role.httpAddress })}\n`)
