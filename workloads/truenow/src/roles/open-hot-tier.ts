import { loadConfig } from '@truenow/chassis/config.ts'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { createPeerAddresses } from '@truenow/chassis/peer-addresses.ts'
import { Catalog } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { Shard } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { HotTierConfig } from '@truenow/hot-tier/config.ts'
import { startHotTier } from '@truenow/hot-tier/role.ts'
import { followCatalog } from '../follow-catalog.ts'
import { closingAfter, type OpenRole } from '../role-opener.ts'

export const openRole: OpenRole = async (environment, makeContext) => {
  const config = loadConfig(HotTierConfig, environment)
  const context = makeContext(config)
  const catalog = followCatalog('hot-tier', config, context)
  const ingesterAddresses = createPeerAddresses(config.TRUENOW_INGESTERS, { context })
  const controlPlane = createGrpcClient(Catalog, config.TRUENOW_CONTROL_PLANE, context.tls)
  const role = await startHotTier(config, context, {
    catalog,
    controlPlane,
    ingesterAddresses,
    connectIngester: (address) => createGrpcClient(BlockStream, address, context.tls),
    connectShard: (address) => createGrpcClient(Shard, address, context.tls),
  })
  return closingAfter(role, catalog, ingesterAddresses, controlPlane)
}
